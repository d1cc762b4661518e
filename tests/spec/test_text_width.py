from __future__ import annotations

import pytest

from scriptrun.spec.text_width import width


@pytest.mark.parametrize(
    ("text", "columns"),
    [("", 0), ("abc", 3), ("ä", 1), ("日本", 4), ("e\u0301", 1), ("a\u200bb", 2)],
)
def test_width(text, columns):
    assert width(text) == columns

"""Exported YAML reads back as the same text."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.migration.formats import yaml_export
from scriptrun.store import yaml_reader

TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["a\x85b", "a\u2028b\u2029", "\ufeff", "a\nb\n", " a", "\x1b[31m", "😀", "1", "yes"]
)


@given(st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS)))
def test_text_comes_back(value):
    assert yaml_reader.parse(yaml_export.dump(value)) == value
    assert list(yaml.safe_load_all(yaml_export.dump_all([value, value]))) == [value, value]

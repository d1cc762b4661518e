"""The fields, and the page that lists them."""

from __future__ import annotations

from pathlib import Path

import pytest

from scriptrun.query import fields
from scriptrun.query.fields import Field

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "queries.md"


def test_the_page_lists_all_fields_with_their_descriptions():
    lines = PAGE.read_text("utf-8").splitlines()
    known = {name: field.line for name, field in fields.FIELDS.items()}
    named = {f"{space}.NAME": line for space, line in fields.SPACES.items()}
    for name, line in (known | named).items():
        assert f"| `{name}` | {line} |" in lines


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("state", Field("", "state", fields.STATE)),
        ("Exit-Code", Field("", "exit_code", fields.NUMBER)),
        ("took", Field("", "duration", fields.DURATION)),
        ("params.a-b.c", Field("params", "a_b.c")),
        ("Metrics.A-b", Field("metrics", "A-b")),
        ("property.x", Field("properties", "x")),
        ("loss", None),
        ("params.", None),
        ("loss.max", None),
        ("", None),
    ],
)
def test_fields_by_name(text, field):
    assert fields.parse(text) == field


def test_aliases_lead_to_fields():
    assert set(fields.ALIASES.values()) <= set(fields.FIELDS)
    assert not set(fields.ALIASES) & set(fields.FIELDS)

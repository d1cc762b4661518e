"""Each page opens as readers expect: a title of its kind, then a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_title_then_a_sentence(page):
    kinds = [(token.type, token.tag) for token in MarkdownIt().parse(page.read_text("utf-8"))]
    assert kinds[0] == ("heading_open", "h1")
    assert kinds[3] == ("paragraph_open", "p")
    assert kinds.count(("heading_open", "h1")) == 1


@pytest.mark.parametrize("page", sorted((DOCS / "how-to").glob("*.md")), ids=name_of)
def test_a_guide_is_called_after_what_it_shows(page):
    assert page.read_text("utf-8").startswith("# How to ")


def test_the_glossary_is_in_alphabetical_order():
    lines = (DOCS / "reference" / "glossary.md").read_text("utf-8").splitlines()
    terms = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
    assert len(terms) > 40
    assert terms == sorted(terms, key=str.lower)

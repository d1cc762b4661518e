"""tools/prose.py finds what the rules of styles/scriptrun name, where a reader would see it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
STYLES = ROOT / "styles" / "scriptrun"


def load():
    spec = importlib.util.spec_from_file_location("prose", ROOT / "tools" / "prose.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


prose = load()
STYLE = prose.rules(STYLES)


def found(markdown: str, place: Path) -> list[str]:
    page = place / "page.md"
    page.write_text(markdown, "utf-8")
    return [each.removeprefix(f"{page}:") for each in prose.problems(page, STYLE)]


@pytest.mark.parametrize(
    ("markdown", "problem"),
    [
        ("# A page\n\nThe run goes\non.", "3: Say 'continue' instead of 'goes on'. (Phrases)"),
        ("# A page\n\n- This is\n- no run that is *told*", "4: Avoid 'told'"),
        ("| a | b |\n| --- | --- |\n| x | it lies here |", "3: Avoid 'lies'"),
        ("It is no run.", "1: Write 'is not a ...'"),
        ("# Use a thing", "1: Start a title with a noun or 'How to', not with 'Use'. (Titles)"),
    ],
)
def test_a_breach_is_named_with_its_line(markdown, problem, tmp_path):
    assert len(found(markdown, tmp_path)) == 1
    assert found(markdown, tmp_path)[0].startswith(problem)


@pytest.mark.parametrize(
    "markdown",
    [
        "# How to use a thing\n\n## Use it\n\nThere is no limit, and it is no longer here.",
        "Write `goes on` and `told`.",
        "```text\ngoes on\n```",
        "The run goes `x` on.",
        "<!-- vale off -->\n\ngoes on\n\n<!-- vale on -->",
    ],
)
def test_what_is_fine_or_no_prose_passes(markdown, tmp_path):
    assert found(markdown, tmp_path) == []


def test_docstrings_help_and_messages_are_read(tmp_path):
    module = tmp_path / "module.py"
    module.write_text(
        '''"""The run goes on."""
def seen():
    """Fine.

    Was told.
    """
async def _private():
    """Was told."""
    raise ValueError(f"{name!r} is no "
        "run")
parser.add_argument("--told", help="what it lies on")
print(f"`goes on` {told} goes", "on", "told")
'''
    )
    lines = [each.removeprefix(f"{module}:")[:2] for each in prose.problems(module, STYLE)]
    assert lines == ["1:", "5:", "8:", "9:", "11"]


def test_the_rules_hold_again_after_they_were_off(tmp_path):
    text = "<!-- vale off -->\n\ngoes on\n\n<!-- vale on -->\n\ngoes on"
    assert [each[:2] for each in found(text, tmp_path)] == ["7:"]


@pytest.mark.parametrize("path", sorted(STYLES.glob("*.yml")), ids=lambda path: path.stem)
def test_each_rule_finds_each_of_its_words(path, tmp_path):
    """A word that no text could match would be no rule."""
    rule = prose.rule(path)
    for word in yaml.safe_load(path.read_text("utf-8")).get("swap", {}):
        if word.replace(" ", "").isalpha():
            assert rule.pattern.fullmatch(word), word


def test_a_rule_that_only_vale_knows_is_refused(tmp_path):
    (tmp_path / "Long.yml").write_text("extends: occurrence\nmax: 3\ntoken: x\n", "utf-8")
    with pytest.raises(ValueError, match="only vale knows"):
        prose.rules(tmp_path)


def test_the_pages_of_the_project_are_checked(capsys):
    assert prose.main([]) == 0, capsys.readouterr().out

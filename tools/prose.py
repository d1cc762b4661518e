"""Checks the wording of what people read: ``tools/prose.py [FILE ...]``.

Without files it reads all pages, and the docstrings and texts (help, errors, notes) in src.

The rules are vale's (https://vale.sh): styles/scriptrun, for which .vale.ini is. vale is a program
that no package index carries, so this reads the two kinds of rule that are used, ``existence`` and
``substitution``, and their keys ``tokens``, ``swap``, ``message``, ``ignorecase`` and ``scope``.
Code, in blocks and between backticks, is no prose.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parent.parent
STYLES = ROOT / "styles" / "scriptrun"
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/**/*.md")
CODE_FILES = ("src/scriptrun/**/*.py",)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
#: what a rule may say; vale knows more
KEYS = {"extends", "message", "level", "ignorecase", "scope", "tokens", "swap"}
#: leaves what follows out, such as a table that a program writes
SWITCH = re.compile(r"<!-- vale (off|on) -->")
#: replaces a piece of code, so that words on both sides of it do not meet
CODE = "\N{OBJECT REPLACEMENT CHARACTER}"
CODE_SPAN = re.compile("`[^`]*`")


class Rule(NamedTuple):
    """One file of the style, ready to be searched for."""

    name: str
    message: str
    scope: str
    pattern: re.Pattern[str]
    swap: dict[str, str]


class Paragraph(NamedTuple):
    """Text of a page without markup; ``scope`` is ``text`` or ``heading.h1`` and so on."""

    line: int
    scope: str
    text: str


def main(arguments: list[str]) -> int:
    """Print what the rules find; 1 if they found anything."""
    named = [Path(each) for each in arguments]
    every = (*PAGES, *CODE_FILES)
    pages = named or [path for glob in every for path in sorted(ROOT.glob(glob))]
    style = rules(STYLES)
    found = [problem for page in pages for problem in problems(page, style)]
    print(*found, sep="\n", end="\n" if found else "")
    return int(bool(found))


def rules(folder: Path) -> list[Rule]:
    """The rules of a style; a kind or key that only vale knows raises ValueError."""
    return [rule(path) for path in sorted(folder.glob("*.yml"))]


def rule(path: Path) -> Rule:
    """The rule of one file."""
    content = yaml.safe_load(path.read_text("utf-8"))
    unknown = content.keys() - KEYS
    if unknown or content["extends"] not in ("existence", "substitution"):
        raise ValueError(f"{path.name}: only vale knows {', '.join(unknown) or content['extends']}")
    swap = content.get("swap", {})
    words = "|".join(f"(?:{each})" for each in swap or content["tokens"]).replace(" ", r"\s+")
    flags = re.IGNORECASE if content.get("ignorecase") else 0
    pattern = re.compile(rf"\b(?:{words})\b" if words[3:4] != "^" else words, flags)
    return Rule(path.stem, content["message"], content.get("scope", "text"), pattern, swap)


def problems(page: Path, style: list[Rule]) -> Iterator[str]:
    """A line for each place of a page that a rule finds."""
    name = page.relative_to(ROOT) if page.is_relative_to(ROOT) else page
    content = page.read_text("utf-8")
    for paragraph in texts(content) if page.suffix == ".py" else paragraphs(content):
        for each in style:
            if each.scope in ("text", paragraph.scope):
                for match in each.pattern.finditer(paragraph.text):
                    line = paragraph.line + paragraph.text.count("\n", 0, match.start())
                    yield f"{name}:{line}: {words_for(each, match[0])} ({each.name})"


def words_for(rule: Rule, found: str) -> str:
    """The rule's message about what it found."""
    flat = " ".join(found.split())
    for pattern, instead in rule.swap.items():
        if re.fullmatch(pattern, flat, rule.pattern.flags):
            return rule.message.replace("%s", instead, 1).replace("%s", flat)
    return rule.message.replace("%s", flat)


def texts(code: str) -> Iterator[Paragraph]:
    """The docstrings of a module, then its other texts: help, errors, notes."""
    tree = ast.parse(code)
    read: set[ast.AST] = set()  # docstrings, and the parts of f-strings
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            docstring = cast(ast.Expr, node.body[0]).value
            read.add(docstring)
            for paragraph in paragraphs(ast.get_docstring(node) or ""):
                yield paragraph._replace(line=paragraph.line + docstring.lineno - 1)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            read.update(node.values)
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and node not in read:
            yield Paragraph(node.lineno, "text", CODE_SPAN.sub(CODE, words_of(node)))


def words_of(node: ast.Constant | ast.JoinedStr) -> str:
    """The text of a string if it has several words; values in it are left out."""
    if isinstance(node, ast.Constant):
        text = node.value if isinstance(node.value, str) else ""
    else:
        text = "".join(
            str(each.value) if isinstance(each, ast.Constant) else CODE for each in node.values
        )
    return text if " " in text.strip() else ""


def paragraphs(markdown: str) -> Iterator[Paragraph]:
    """The prose of a page: paragraphs, headings, cells of tables."""
    scope, line, off = "text", 1, False
    for token in MarkdownIt().enable("table").parse(markdown):
        if token.type == "html_block" and (switch := SWITCH.match(token.content)):
            off = switch[1] == "off"
        if token.type == "heading_open":
            scope = f"heading.{token.tag}"
        line = token.map[0] + 1 if token.map else line
        if token.type == "inline" and not off:
            yield Paragraph(line, scope, "".join(map(text, token.children or ())))
        elif token.type == "heading_close":
            scope = "text"


def text(token: Token) -> str:
    """What a reader sees of a piece of markup; the line breaks are the page's."""
    if token.type in ("softbreak", "hardbreak"):
        return "\n"
    return CODE if token.type == "code_inline" else token.content


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The lengths of a program's lines, and code that is wrapped to them as formatters do it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

import libcst as cst

from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program

_SHORTEST, _LONGEST = 88, 120
_LONG_QUOTES = ('"""', "'''")


def limit(text: str) -> int:
    """The longest line that the program's author writes: as black has it, or longer."""
    longest = max((len(line) for line in text.splitlines()), default=0)
    return min(max(longest, _SHORTEST), _LONGEST)


def indentation(program: Program) -> str:
    """One level of the program's indentation, also where only its brackets show it."""
    has_tabs = "\n\t" in program.text and "\n  " not in program.text
    return "\t" if has_tabs else program.module.default_indent


def import_text(program: Program, module: str, names: list[str], indent: str, longest: int) -> str:
    """An import of ``names``, on one line or one line for each."""
    text = f"from {module} import {', '.join(names)}"
    if len(indent) + len(text) <= longest:
        return text
    return _one_per_line(program, f"from {module} import (", names, ")", indent)


def _one_per_line(
    program: Program, opening: str, items: Iterable[str], closing: str, indent: str
) -> str:
    inner = indent + indentation(program)
    lines = [opening, *(f"{inner}{item}," for item in items), f"{indent}{closing}"]
    return program.newline.join(lines)


def may_wrap(text: str, original: list[str], longest: int) -> bool:
    """Whether ``wrap`` may have edits for the program ``text``."""
    known = set(original)
    return any(len(line) > longest and line not in known for line in _LINE_END.split(text))


def wrap(program: Program, original: list[str], longest: int) -> list[Edit]:
    """The edits that wrap the statements with a new line that is too long.

    ``original`` has the lines of the program as its author wrote it: one that was too long there
    may stay so. Statements with comments inside or with strings of several lines stay.
    """
    edits = []
    changed = _long_lines(program, original, longest)
    for line in program.nodes(cst.SimpleStatementLine):
        start, end = program.span(line)
        numbers = range(program.lines.line(start), program.lines.line(end) + 1)
        if not any(number in changed for number in numbers):
            continue
        indent = program.indent(line)
        text = program.text[start:end]
        if indent is None or len(line.body) > 1 or "#" in text or text.count("\n") >= 40:
            continue
        wrapped = _wrap_statement(program, line.body[0], indent, longest)
        if wrapped is not None and wrapped != text:
            edits.append(Edit(start, end, wrapped))
    return edits


def _long_lines(program: Program, original: list[str], longest: int) -> set[int]:
    """The numbers of the lines that are too long, and that the author has not written so."""
    authors = [line for line in original if len(line) > longest]
    return {
        number
        for number, line in enumerate(_LINE_END.split(program.text), 1)
        if len(line) > longest and not any(_is_similar(line, other) for other in authors)
    }


def _is_similar(line: str, other: str) -> bool:
    return line == other or difflib.SequenceMatcher(None, line, other).ratio() > _SIMILAR


_LINE_END = re.compile(r"\r\n?|\n")
_SIMILAR = 0.8


def _wrap_statement(
    program: Program, statement: cst.CSTNode, indent: str, longest: int
) -> str | None:
    """The statement with its last call or list wrapped; None if it has none."""
    value = getattr(statement, "value", None)
    if not isinstance(value, cst.Call | cst.List | cst.Dict) or value.lpar:
        return None
    start, value_start = program.span(statement)[0], program.span(value)[0]
    prefix = program.text[start:value_start]
    return prefix + _wrapped(program, value, indent, len(indent) + len(prefix), longest)


def _wrapped(
    program: Program, node: cst.BaseExpression, indent: str, column: int, longest: int
) -> str:
    """The code of ``node``, which begins at ``column`` in a line with the indentation ``indent``.

    One comma may follow it.
    """
    text = program.text[slice(*program.span(node))]
    parts = _parts(program, node)
    is_short = "\n" not in text and column + len(text) + 1 <= longest
    if is_short or parts is None or any(quotes in text for quotes in _LONG_QUOTES):
        return text
    opening, items, closing = parts
    inner = indent + indentation(program)
    lines = [opening]
    joined = ", ".join(program.text[slice(*program.span(item))] for item in items)
    if "\n" not in joined and len(inner) + len(joined) <= longest and len(items) < 4:
        lines.append(f"{inner}{joined}")
    else:
        for group in _groups(program, items, len(inner), longest):
            texts = [_wrapped_item(program, item, inner, longest) for item in group]
            comma = "," if len(items) > 1 else ""  # as formatters have it
            lines.append(f"{inner}{', '.join(texts)}{comma}")
    return program.newline.join([*lines, f"{indent}{closing}"])


def _parts(program: Program, node: cst.BaseExpression) -> tuple[str, list[cst.CSTNode], str] | None:
    """What opens a call or list, its items, and what closes it; None for other code."""
    if node.lpar:
        return None
    start = program.span(node)[0]
    if isinstance(node, cst.Call) and node.args:
        func = program.text[start : program.span(node.func)[1]]
        return (f"{func}(", list(node.args), ")") if "\n" not in func else None
    if isinstance(node, cst.List) and node.elements:
        return "[", list(node.elements), "]"
    if isinstance(node, cst.Dict) and node.elements:
        return "{", list(node.elements), "}"
    return None


def _groups(
    program: Program, items: list[cst.CSTNode], column: int, longest: int
) -> list[list[cst.CSTNode]]:
    """The items by lines: one for each, but a value follows its name ``'--name'`` on its line."""
    groups: list[list[cst.CSTNode]] = []
    for item in items:
        text = program.text[slice(*program.span(item))]
        last = program.text[slice(*program.span(groups[-1][0]))] if groups else ""
        is_value = len(groups[-1]) == 1 and last[1:3] == "--" and "=" not in last if last else False
        fits = "\n" not in text and column + len(last) + len(text) + 3 <= longest
        if is_value and fits and text[1:3] != "--":
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


def _wrapped_item(program: Program, item: cst.CSTNode, indent: str, longest: int) -> str:
    value = getattr(item, "value", None)
    text = program.text[slice(*program.span(item))]
    if not isinstance(value, cst.BaseExpression) or (isinstance(item, cst.Arg) and item.star):
        return text
    prefix = text[: program.span(value)[0] - program.span(item)[0]]
    return prefix + _wrapped(program, value, indent, len(indent) + len(prefix), longest)

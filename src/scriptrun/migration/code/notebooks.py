"""Notebooks: read their code cells, mask IPython syntax, and write changed cells back.

A notebook is JSON (nbformat). Only the ``source`` of a changed cell is rewritten, in the style of
the file; every other byte stays.
"""

from __future__ import annotations

import ast
import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from scriptrun.migration.code.edits import Edit, apply
from scriptrun.migration.estimators.call import Refused

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
_MAGIC = re.compile(r"^(?P<indent>[ \t]*)(?P<target>[A-Za-z_][\w, ]*=[ \t]*)?[%!]\S.*$")
#: line magics that are followed by Python code
_TIMED = re.compile(
    r"^(?P<indent>[ \t]*)(?P<magic>%(?:time|timeit|prun)(?:[ \t]+-\w+(?:[ \t]*\d+)?)*[ \t]+)"
    r"(?P<code>[^-\s].*)$"
)
_HELP = re.compile(r"^[ \t]*(\?{1,2}[\w.*]+|[\w.]+\?{1,2})[ \t]*$")
#: cell magics whose cell is still Python
_TRANSPARENT = ("time", "timeit", "capture", "prun")


class Cell(NamedTuple):
    """A code cell: the offsets of its JSON source, whether that is a list, and its text."""

    start: int
    end: int
    is_list: bool
    text: str


def cells(content: str) -> list[Cell]:
    """The code cells of the notebook. Raises CannotRewrite if ``content`` is not a notebook."""
    try:
        whole = json.loads(content)
        kind = whole.get("metadata", {}).get("kernelspec", {}).get("language", "python")
        if "cells" not in whole:
            raise Refused("unsupported notebook format", "Run: jupyter nbconvert --to notebook")
        if str(kind).lower() not in ("python", "python3", ""):
            raise Refused(f"it is a {kind} notebook")
        found = []
        for at in _items(content, _member(content, _after(content, 0), "cells")):
            kind, source = _member(content, at, "cell_type"), _member(content, at, "source")
            if source is not None and _value(content, kind) == "code":
                found.append(_cell(content, source))
        return found
    except (ValueError, AttributeError, TypeError, RecursionError, StopIteration) as error:
        raise Refused(f"not a notebook: {error}") from None


def _cell(content: str, at: int) -> Cell:
    value, end = _DECODER.raw_decode(content, at)
    return Cell(at, end, isinstance(value, list), "".join(value))


def _after(content: str, at: int) -> int:
    return _SPACE.match(content, at).end()  # type: ignore[union-attr]


def _value(content: str, at: int | None) -> Any:
    return None if at is None else _DECODER.raw_decode(content, at)[0]


def _member(content: str, at: int, name: str) -> int | None:
    """The offset of the value of ``name`` in the JSON object at ``at``, or None."""
    at = _after(content, at + 1)
    found = None
    while content[at] == '"':
        key, at = scanstring(content, at + 1, True)
        at = _after(content, _after(content, at) + 1)
        if key == name:
            found = at
        at = _after(content, _DECODER.raw_decode(content, at)[1])
        if content[at] == ",":
            at = _after(content, at + 1)
    return found


def _items(content: str, at: int | None) -> list[int]:
    """The offsets of the items of the JSON list at ``at``."""
    if at is None or content[at] != "[":
        raise ValueError("it has no list of cells")
    at, found = _after(content, at + 1), []
    while content[at] != "]":
        found.append(at)
        at = _after(content, _DECODER.raw_decode(content, at)[1])
        if content[at] == ",":
            at = _after(content, at + 1)
    return found


def with_cells(content: str, old: list[Cell], texts: list[str]) -> str:
    """The notebook with new texts in its code cells."""
    plain = content.isascii()
    made = [
        Edit(cell.start, cell.end, _written(content, cell, text, plain))
        for cell, text in zip(old, texts, strict=True)
        if text != cell.text
    ]
    return apply(content, made)


def _written(content: str, cell: Cell, text: str, plain: bool) -> str:
    if not cell.is_list:
        return json.dumps(text, ensure_ascii=plain)
    raw = content[cell.start : cell.end]
    opening, closing = _SPACE.match(raw, 1), re.search(r"[ \t\r\n]*\]$", raw)
    assert opening is not None and closing is not None
    between = opening[0] or (" " if "\n" not in raw else "")
    lines = text.splitlines(keepends=True)
    joined = f",{between}".join(json.dumps(line, ensure_ascii=plain) for line in lines)
    return f"[{opening[0]}{joined}{closing[0][:-1]}]"


def masked(source: str) -> tuple[str, bool]:
    """Replace the IPython lines of ``source`` with Python of the same length, line by line.

    Returns False with a blank text if the result is still not valid Python.
    """
    lines = source.split("\n")
    start = next((at for at, line in enumerate(lines) if line.strip()), 0)
    if lines[start].lstrip().startswith("%%"):
        word = lines[start].lstrip()[2:].split()[:1]
        if not word or word[0] not in _TRANSPARENT:
            return _blank(source), True
        lines[start] = _blank(lines[start])
    text = "\n".join(lines)
    if _parses(text):
        return text, True
    text = "\n".join(_without_magic(lines))
    return (text, True) if _parses(text) else (_blank(source), False)


#: cell magics whose cell is another language or a file
_OTHERS = (
    "bash sh script cmd system sx writefile file html javascript js latex markdown svg perl ruby R"
)
_FOREIGN = frozenset(_OTHERS.split())
_SHELL = re.compile(r"^[ \t]*(?:[A-Za-z_][\w, ]*=[ \t]*)?(?:!|%(?:pip|conda|cd|env|matplotlib)\b)")
_PUT_IN = re.compile(r"\{([^}]*)\}|\$(\w+)")
_WORD = re.compile(r"[A-Za-z_]\w*")


def hidden(source: str, masked_text: str) -> set[str]:
    """The names that the masked lines of ``source`` may use.

    In shell lines, these are the names that Jupyter interpolates: ``{...}`` and ``$name``.
    """
    first = next((line for line in source.split("\n") if line.strip()), "").lstrip()
    if first.startswith("%%") and (first[2:].split() or [""])[0] in _FOREIGN:
        return set()
    found: set[str] = set()
    for line, seen in zip(source.split("\n"), masked_text.split("\n"), strict=True):
        timed = _TIMED.match(line)
        if line == seen or (timed is not None and seen.endswith(timed["code"])):
            continue
        text = line
        if _SHELL.match(line):
            text = " ".join(f"{one} {other}" for one, other in _PUT_IN.findall(line))
        found.update(_WORD.findall(text))
    return found


def _blank(text: str) -> str:
    return re.sub(r"[^\r\n]", " ", text)


def _without_magic(lines: list[str]) -> list[str]:
    made, going_on = [], False
    for line in lines:
        found = _MAGIC.match(line)
        timed = _TIMED.match(line)
        if going_on or _HELP.match(line):
            made.append(_blank(line))
        elif timed is not None and _parses(timed["code"]):
            room = len(timed["magic"]) - 1
            made.append(f"{timed['indent']}{'0':<{room}};{timed['code']}")
        elif found is None:
            made.append(line)
        else:
            made.append(_stand_in(line, found["indent"], found["target"] or ""))
        going_on = (going_on or found is not None) and line.rstrip().endswith("\\")
    return made


def _stand_in(line: str, indent: str, target: str) -> str:
    """A statement of the same length that binds the same names as the line."""
    room = len(line) - len(indent) - len(target)
    if target:
        return f"{indent}{target}{'0':<{room}}"
    return f"{indent}{'pass':<{room}}" if room >= 4 else f"{indent}{'0':<{room}}"


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True

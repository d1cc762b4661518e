"""Running a notebook's cells one after the other, in one namespace, without Jupyter.

A notebook is JSON (nbformat): ``cells``, each with ``cell_type`` and ``source``, a text or a list
of lines. Of IPython's own lines, ``%%writefile`` is done, ``%%time`` and its like run their cell,
and all others are passed over with a note.
"""

from __future__ import annotations

import ast
import json
import linecache
import os
import re
import sys
from typing import NamedTuple

from scriptrun.dropin import notes
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.hints import Any

#: cell magics whose cell is Python all the same
_TRANSPARENT = ("time", "timeit", "capture", "prun")
_LINE = re.compile(r"^(?P<indent>\s*)(?P<target>[A-Za-z_][\w, ]*=\s*)?(?P<magic>[%!]\S.*)$")
_HELP = re.compile(r"^\s*(\?{1,2}[\w.]+|[\w.]+\?{1,2})\s*$")
_NAMED = re.compile(r"\$\{?([A-Za-z_]\w*)\}?|\{([A-Za-z_][\w.]*)\}")


class Cell(NamedTuple):
    """One code cell: its number among the code cells, from 1, and its text."""

    number: int
    source: str


def cells(path: str) -> list[Cell]:
    """The code cells of the notebook. Raises UserErrorException for what is no notebook."""
    try:
        with open(path, encoding="utf-8") as handle:
            content = json.load(handle)
    except (OSError, ValueError) as error:
        raise UserErrorException(f"{path} is no notebook: {error}.") from None
    if not isinstance(content, dict):
        raise UserErrorException(f"{path} is no notebook: it holds no cells.")
    found = content.get("cells")
    if found is None:  # nbformat 3
        found = [cell for sheet in content.get("worksheets", []) for cell in sheet["cells"]]
    texts = [
        cell.get("source", cell.get("input", ""))
        for cell in found
        if cell.get("cell_type") == "code"
    ]
    joined = [text if isinstance(text, str) else "".join(text) for text in texts]
    return [Cell(number, text) for number, text in enumerate(joined, 1)]


def run(path: str) -> None:
    """Run all code cells of the notebook; the first that raises ends it."""
    space: dict[str, Any] = {"__name__": "__main__", "display": print}
    sys.modules["__main__"].__dict__.update(space)
    space = sys.modules["__main__"].__dict__  # so that what is pickled is found again
    for cell in cells(path):
        _run_cell(cell, space, f"{path}, cell {cell.number}")


def _run_cell(cell: Cell, space: dict[str, Any], name: str) -> None:
    first, _, rest = cell.source.lstrip().partition("\n")
    if first.startswith("%%writefile"):
        _write(first, rest, space)
        return
    source = plain(cell.source, name)
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    body = ast.parse(source, name)
    last = body.body[-1:] if not source.rstrip().endswith(";") else []
    shown = last if last and isinstance(last[0], ast.Expr) else []
    body.body = body.body[: len(body.body) - len(shown)]
    exec(compile(body, name, "exec"), space)
    if shown:
        exec(compile(ast.Interactive(list(shown)), name, "single"), space)


def plain(source: str, name: str = "the notebook") -> str:
    """``source`` as Python alone; each line that is IPython's is noted, and its place kept."""
    lines = source.split("\n")
    start = next((at for at, line in enumerate(lines) if line.strip()), 0)
    if lines[start].startswith("%%"):
        word = lines[start][2:].split()[:1]
        if word and word[0] not in _TRANSPARENT:
            _passed_over(lines[start], name)
            return "\n" * (len(lines) - 1)
        lines[start] = ""
    if _parses("\n".join(lines)):
        return "\n".join(lines)  # a text may hold a line that begins with %
    return "\n".join(_line(line, name) for line in lines)


def _line(line: str, name: str) -> str:
    if _HELP.match(line):
        return ""
    found = _LINE.match(line)
    if found is None:
        return line
    _passed_over(line.strip(), name)
    target = found["target"]
    return f"{found['indent']}{target}None" if target else f"{found['indent']}pass"


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _passed_over(line: str, name: str) -> None:
    notes.say(f"{os.path.basename(name)}: passed over {line}")


def _write(first: str, text: str, space: dict[str, Any]) -> None:
    """What ``%%writefile [-a] FILE`` does; ``$name`` and ``{name}`` in FILE are variables."""
    words = first.split()[1:]
    append = "-a" in words or "--append" in words
    named = " ".join(word for word in words if word not in ("-a", "--append")).strip("'\"")
    path = os.path.expanduser(_NAMED.sub(lambda found: _variable(found, space), named))
    with open(path, "a" if append else "w", encoding="utf-8") as handle:
        handle.write(text if text.endswith("\n") else f"{text}\n")
    print(f"{'Appending to' if append else 'Writing'} {path}")


def _variable(found: re.Match[str], space: dict[str, Any]) -> str:
    name = found[1] or found[2]
    try:
        return str(eval(name, space))
    except (NameError, AttributeError):
        return found[0]

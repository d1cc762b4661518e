"""Runs a notebook's cells one after the other, in one namespace, without Jupyter.

A notebook is JSON (nbformat): ``cells``, each with ``cell_type`` and ``source``, a string or a list
of lines. ``%%writefile`` and ``%run`` are implemented here and other magics in ``magics``; the rest
is skipped with a note.
"""

from __future__ import annotations

import ast
import inspect
import json
import linecache
import os
import re
import runpy
import shlex
import sys
from collections.abc import Callable
from types import CodeType
from typing import NamedTuple

from scriptrun.dropin.notebook import magics
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from typing import Any

    from scriptrun.dropin.notebook import ipython_shell
else:
    asyncio = later("asyncio")
    ipython_shell = later("scriptrun.dropin.notebook.ipython_shell")

_LINE = re.compile(r"^(?P<indent>\s*)(?P<target>[A-Za-z_][\w, ]*=\s*)?(?P<magic>[%!]\S.*)$")
_HELP = re.compile(r"^\s*(\?{1,2}[\w.]+|[\w.]+\?{1,2})\s*$")
_DO = "__scriptrun_line__"
_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class Cell(NamedTuple):
    """One code cell: its number among the code cells, from 1, and its text."""

    number: int
    source: str


def cells(path: str) -> list[Cell]:
    """Read the notebook's code cells. Raises UserErrorException if it is not a notebook."""
    try:
        with open(path, encoding="utf-8") as handle:
            content = json.load(handle)
    except (OSError, ValueError) as error:
        raise UserErrorException(f"{str(path)!r} is not a notebook: {error}.") from None
    if not isinstance(content, dict):
        raise UserErrorException(f"{str(path)!r} is not a notebook: it has no cells.")
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
    """Run all code cells of the notebook, up to the first that raises."""
    space = sys.modules["__main__"].__dict__  # so that pickled objects can be loaded
    space.update(
        {"__name__": "__main__", "display": print, "get_ipython": ipython_shell.get_ipython}
    )
    _run_in(path, space)


def _run_in(path: str, space: dict[str, Any]) -> None:
    for cell in cells(path):
        run_cell(cell, space, f"{path}, cell {cell.number}")


def run_cell(cell: Cell, space: dict[str, Any], name: str) -> None:
    """Execute the cell in ``space``; tracebacks show it as ``name``."""
    first, _, rest = cell.source.lstrip().partition("\n")
    word = first[2:].split(maxsplit=1)[0] if first[:2] == "%%" and first[2:].strip() else ""
    if word in ("writefile", "file"):
        _write(first, rest, space)
        return
    if word in magics.SHELLS:
        magics.script(word, rest, name)
        return
    source = plain(cell.source, name, f"{_DO}({{text!r}}, dict(globals(), **locals()), {{kept}})")
    space[_DO] = doing(name, space)
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    body = ast.parse(source, name)
    last = body.body[-1:] if not source.rstrip().endswith(";") else []
    shown = last if last and isinstance(last[0], ast.Expr) else []
    body.body = body.body[: len(body.body) - len(shown)]
    _execute(compile(body, name, "exec", _AWAIT), space)
    if shown:
        _execute(compile(ast.Interactive(list(shown)), name, "single", _AWAIT), space)


def _execute(code: CodeType, space: dict[str, Any]) -> None:
    """Run ``code``, which may use top-level await."""
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(code, space))
    else:
        exec(code, space)


def doing(name: str, space: dict[str, Any]) -> Callable[[str, dict[str, Any], bool], Any]:
    """Return the function that runs IPython lines of the cell ``name``."""

    def do(text: str, seen: dict[str, Any], kept: bool) -> Any:
        word, _, rest = text.partition(" ")
        if word == "%run" and rest.strip():
            return _run_file(shlex.split(magics.filled(rest, seen)), space)
        return magics.do(text, name, seen, kept)

    return do


def _run_file(words: list[str], space: dict[str, Any]) -> None:
    """Do ``%run FILE ARGS``: a notebook's cells in ``space``, a script in its own namespace."""
    named = [word for word in words if word not in ("-i", "-n")]
    path = next((p for p in (named[0], f"{named[0]}.py") if os.path.isfile(p)), named[0])
    if path.endswith(".ipynb"):
        _run_in(path, space)
        return
    before = sys.argv[:]
    sys.argv[:] = [path, *named[1:]]
    try:
        left = runpy.run_path(path, space if "-i" in words else None, "__main__")
    finally:
        sys.argv[:] = before
    space.update({key: value for key, value in left.items() if not key.startswith("__")})


def plain(source: str, name: str = "the notebook", do: str = "") -> str:
    """Translate ``source`` to plain Python, keeping line numbers.

    An IPython line becomes the call ``do``, a template of text and kept; or None if
    it is empty.
    """
    lines = source.split("\n")
    start = next((at for at, line in enumerate(lines) if line.strip()), 0)
    if lines[start].startswith("%%"):
        word = lines[start][2:].split()[:1]
        if word and word[0] not in magics.TRANSPARENT:
            if do:
                magics.passed_over(lines[start], name)
            return "\n" * (len(lines) - 1)
        lines[start] = ""
    if _parses("\n".join(lines)):
        return "\n".join(lines)  # a string may contain lines that begin with %
    return "\n".join(_line(line, do) for line in _joined(lines))


def _joined(lines: list[str]) -> list[str]:
    """Join commands continued with a backslash; empty lines keep the line numbers."""
    found: list[str] = []
    held = 0
    for line in lines:
        if held:
            found[-held] = found[-held].rstrip()[:-1] + line.strip()
        found.append("" if held else line)
        goes_on = line.rstrip().endswith("\\") and (held or _LINE.match(line))
        held = held + 1 if goes_on else 0
    return found


def _line(line: str, do: str) -> str:
    if _HELP.match(line):
        return ""
    found = _LINE.match(line)
    if found is None:
        return line
    target, text = found["target"] or "", found["magic"].rstrip()
    statement = magics.STATEMENT.fullmatch(text)
    if statement is not None:
        return f"{found['indent']}{target}{statement['statement']}"
    call = do.format(text=text, kept=bool(target)) if do else "None"
    return f"{found['indent']}{target}{call}"


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _write(first: str, text: str, space: dict[str, Any]) -> None:
    """Do ``%%writefile [-a] FILE``; ``$name`` and ``{name}`` in FILE are variables."""
    words = first.split()[1:]
    append = "-a" in words or "--append" in words
    named = " ".join(word for word in words if word not in ("-a", "--append")).strip("'\"")
    path = os.path.expanduser(magics.filled(named, space))
    with open(path, "a" if append else "w", encoding="utf-8") as handle:
        handle.write(text if text.endswith("\n") else f"{text}\n")
    print(f"{'Appending to' if append else 'Writing'} {path}")

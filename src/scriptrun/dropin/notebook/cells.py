"""Runs a notebook's cells one after the other, in one namespace, without Jupyter.

A notebook is JSON (nbformat): ``cells``, each with ``cell_type`` and ``source``, a string or a list
of lines. ``%%writefile`` and ``%run`` are implemented here and other magics in ``magics``; the rest
is skipped with a note.
"""

from __future__ import annotations

import ast
import inspect
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
from scriptrun.store import document_limits, json_reader
from scriptrun.store.document_limits import DATA

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio

    from scriptrun.dropin.notebook import ipython_shell
    from scriptrun.dropin.notebook.magics import Namespace
else:
    asyncio = later("asyncio")
    ipython_shell = later("scriptrun.dropin.notebook.ipython_shell")

_LINE = re.compile(r"^(?P<indent>\s*)(?P<target>[A-Za-z_][\w, ]*=\s*)?(?P<magic>[%!]\S.*)$")
_HELP = re.compile(r"^\s*(\?{1,2}[\w.]+|[\w.]+\?{1,2})\s*$")
_LINE_FUNCTION = "__scriptrun_line__"
_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class CodeCell(NamedTuple):
    """One code cell: its number among the code cells, from 1, and its text."""

    number: int
    source: str


def cells(path: str) -> list[CodeCell]:
    """Read the notebook's code cells. Raises UserErrorException if it is not a notebook."""
    try:
        content = json_reader.parse(document_limits.read_text(path, DATA), DATA)
        texts = _code_texts(content)
    except (OSError, ValueError) as error:
        raise UserErrorException(f"{str(path)!r} is not a notebook: {error}.") from None
    return [CodeCell(number, text) for number, text in enumerate(texts, 1)]


def _code_texts(notebook: object) -> list[str]:
    """The texts of the code cells. Raises ValueError if ``notebook`` has none."""
    if not isinstance(notebook, dict):
        raise ValueError("it has no cells")
    try:
        raw_cells = notebook.get("cells")
        if raw_cells is None:  # nbformat 3
            raw_cells = [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
        texts = [
            cell.get("source", cell.get("input", ""))
            for cell in raw_cells
            if cell.get("cell_type") == "code"
        ]
        return [text if isinstance(text, str) else "".join(text) for text in texts]
    except (AttributeError, LookupError, TypeError):
        raise ValueError("its cells are malformed") from None


def run(path: str) -> None:
    """Run all code cells of the notebook, up to the first that raises."""
    namespace = sys.modules["__main__"].__dict__  # so that pickled objects can be loaded
    namespace.update(
        {"__name__": "__main__", "display": print, "get_ipython": ipython_shell.get_ipython}
    )
    _run_in(path, namespace)


def _run_in(path: str, namespace: Namespace) -> None:
    for cell in cells(path):
        run_cell(cell, namespace, f"{path}, cell {cell.number}")


def run_cell(cell: CodeCell, namespace: Namespace, name: str) -> None:
    """Execute the cell in ``namespace``; tracebacks show it as ``name``."""
    first, _, rest = cell.source.lstrip().partition("\n")
    word = first[2:].split(maxsplit=1)[0] if first[:2] == "%%" and first[2:].strip() else ""
    if word in ("writefile", "file"):
        _write_file(first, rest, namespace)
        return
    if word in magics.SHELLS:
        magics.script(word, rest, name)
        return
    source = to_python(
        cell.source, name, f"{_LINE_FUNCTION}({{text!r}}, dict(globals(), **locals()), {{kept}})"
    )
    namespace[_LINE_FUNCTION] = line_runner(name, namespace)
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    body = ast.parse(source, name)
    last_statement = body.body[-1:] if not source.rstrip().endswith(";") else []
    last_expression = (
        last_statement if last_statement and isinstance(last_statement[0], ast.Expr) else []
    )
    body.body = body.body[: len(body.body) - len(last_expression)]
    _execute(compile(body, name, "exec", _AWAIT), namespace)
    if last_expression:
        _execute(compile(ast.Interactive(list(last_expression)), name, "single", _AWAIT), namespace)


def _execute(code: CodeType, namespace: Namespace) -> None:
    """Run ``code``, which may use top-level await."""
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(code, namespace))
    else:
        exec(code, namespace)


def line_runner(name: str, namespace: Namespace) -> Callable[[str, Namespace, bool], object]:
    """Return the function that runs IPython lines of the cell ``name``."""

    def run_line(text: str, variables: Namespace, capture: bool) -> object:
        word, _, rest = text.partition(" ")
        if word == "%run" and rest.strip():
            _run_file(shlex.split(magics.substitute(rest, variables)), namespace)
            return None
        return magics.run_line(text, name, variables, capture)

    return run_line


def _run_file(words: list[str], namespace: Namespace) -> None:
    """Do ``%run FILE ARGS``: a notebook's cells in ``namespace``, a script in its own namespace."""
    arguments = [word for word in words if word not in ("-i", "-n")]
    path = next(
        (p for p in (arguments[0], f"{arguments[0]}.py") if os.path.isfile(p)), arguments[0]
    )
    if path.endswith(".ipynb"):
        _run_in(path, namespace)
        return
    saved_argv = sys.argv[:]
    sys.argv[:] = [path, *arguments[1:]]
    try:
        variables = runpy.run_path(path, namespace if "-i" in words else None, "__main__")
    finally:
        sys.argv[:] = saved_argv
    namespace.update({key: value for key, value in variables.items() if not key.startswith("__")})


def to_python(source: str, name: str = "the notebook", call_template: str = "") -> str:
    """Translate ``source`` to plain Python, keeping line numbers.

    An IPython line becomes the call ``call_template``, a template of text and kept; or None if
    it is empty.
    """
    lines = source.split("\n")
    start = next((index for index, line in enumerate(lines) if line.strip()), 0)
    if lines[start].startswith("%%"):
        word = lines[start][2:].split()[:1]
        if word and word[0] not in magics.TRANSPARENT:
            if call_template:
                magics.note_skipped(lines[start], name)
            return "\n" * (len(lines) - 1)
        lines[start] = ""
    if _is_python("\n".join(lines)):
        return "\n".join(lines)  # a string may contain lines that begin with %
    return "\n".join(_translate_line(line, call_template) for line in _join_continuations(lines))


def _join_continuations(lines: list[str]) -> list[str]:
    """Join commands continued with a backslash; empty lines keep the line numbers."""
    joined: list[str] = []
    continued = 0
    for line in lines:
        if continued:
            joined[-continued] = joined[-continued].rstrip()[:-1] + line.strip()
        joined.append("" if continued else line)
        continues = line.rstrip().endswith("\\") and (continued or _LINE.match(line))
        continued = continued + 1 if continues else 0
    return joined


def _translate_line(line: str, call_template: str) -> str:
    if _HELP.match(line):
        return ""
    match = _LINE.match(line)
    if match is None:
        return line
    target, text = match["target"] or "", match["magic"].rstrip()
    statement = magics.STATEMENT.fullmatch(text)
    if statement is not None:
        return f"{match['indent']}{target}{statement['statement']}"
    call = call_template.format(text=text, kept=bool(target)) if call_template else "None"
    return f"{match['indent']}{target}{call}"


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _write_file(first: str, text: str, namespace: Namespace) -> None:
    """Do ``%%writefile [-a] FILE``; ``$name`` and ``{name}`` in FILE are variables."""
    words = first.split()[1:]
    append = "-a" in words or "--append" in words
    target = " ".join(word for word in words if word not in ("-a", "--append")).strip("'\"")
    path = os.path.expanduser(magics.substitute(target, namespace))
    with open(path, "a" if append else "w", encoding="utf-8") as handle:
        handle.write(text if text.endswith("\n") else f"{text}\n")
    print(f"{'Appending to' if append else 'Writing'} {path}")

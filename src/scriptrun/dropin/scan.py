"""Finds unsupported azureml names in old code, without running it."""

from __future__ import annotations

import ast
import re
import textwrap
import tokenize
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from scriptrun.dropin import api_table, name_uses
from scriptrun.dropin.notebook import cells as notebook_cells
from scriptrun.dropin.notebook import syntax
from scriptrun.spec import suggestion
from scriptrun.spec.errors import UserErrorException

#: Python that runs in a process of its own
_OTHER_PROCESS = ("python", "python3")
#: magics whose cells are checked, and those whose cells are no code that could use azureml
_CHECKED = (*syntax.PYTHON_MAGICS, *_OTHER_PROCESS, "writefile", "file")
_NOT_CODE = ("html", "HTML", "latex", "markdown", "md", "md-sandbox", "svg", "SVG", "css")
#: statements that only Python 2 accepts, as they begin or stand in a line
_PYTHON_2 = re.compile(
    r"^(print\s+[^\s(=.]|print\s*>>|exec\s+[^\s(=.]|raise\s+[\w.]+\s*,"
    r"|except\s+[\w.(), ]+,\s*\w+\s*:)|<>|`|\b0[0-7]+\b|\bur['\"]"
)
_IMPORTS = re.compile(r"(from|import)\s+azureml\b")


class UnsupportedName(NamedTuple):
    """An unsupported name: where it is used, and what to use instead.

    Importing it works; with ``is_used`` false the file does nothing else with it.
    """

    place: str
    name: str
    instead: str
    is_used: bool = True


class SkippedCell(NamedTuple):
    """A cell that was not checked, and why."""

    place: str
    reason: str


class Findings(NamedTuple):
    """What a script or notebook uses that is not supported, and what could not be checked."""

    unsupported: list[UnsupportedName]
    skipped: list[SkippedCell]


class _Source(NamedTuple):
    """The Python of a script or of a cell; or why a cell has none."""

    place: str
    text: str
    skipped: str = ""


def check(path: str) -> list[UnsupportedName]:
    """Return the unsupported names in the script or notebook ``path``, in order.

    Raises UserErrorException if a script is not valid Python.
    """
    return examine(path).unsupported


def examine(path: str) -> Findings:
    """As ``check``, with the cells that were skipped because they are not Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about strings and comparisons in the user's code
        return _examine(path)


def _examine(path: str) -> Findings:
    sources = list(_sources(path))
    skipped = [SkippedCell(each.place, each.skipped) for each in sources if each.skipped]
    parsed, unsupported = list[tuple[str, ast.Module]](), list[UnsupportedName]()
    broken = dict[str, UnsupportedName]()
    for place, text, _ in sources:
        tree = _parse(place, text, path)
        if isinstance(tree, UnsupportedName):
            broken[place] = tree
            tree = _import_lines(text)
        parsed.append((place, tree))
    used = set[str]().union(*(name_uses.used_names(tree) for _, tree in parsed))
    for place, tree in parsed:
        unsupported += [broken[place]] if place in broken else []
        found = {*_imports(tree, used), *_attribute_uses(tree), *_method_calls(tree)}
        unsupported += [
            UnsupportedName(f"{place}:{usage.line}", usage.name, usage.instead, usage.is_used)
            for usage in sorted(found)
        ]
    return Findings(unsupported, skipped)


def _parse(place: str, source: str, path: str) -> ast.Module | UnsupportedName:
    """Parse a script or a cell; a cell that is not valid Python is a finding."""
    is_cell = path.endswith(".ipynb")
    try:
        return ast.parse(source, place)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        if is_cell:
            old = _old_python(source, line)
            reason = f"It is Python 2: {old!r}." if old else f"{error}"
            return UnsupportedName(f"{place}:{line}", "not valid Python", reason)
        raise _not_python(place, source, line, error) from None
    except (RecursionError, MemoryError):
        hint = "Simplify its expressions."
        if is_cell:
            return UnsupportedName(f"{place}:1", "nested too deeply to be parsed", hint)
        raise UserErrorException(f"{place} is nested too deeply to be parsed.", hint) from None


def _not_python(place: str, source: str, line: int, error: Exception) -> UserErrorException:
    old = _old_python(source, line)
    if not old:
        return UserErrorException(f"{place} is not valid Python: {error}.")
    return UserErrorException(
        f"{place} is not valid Python 3: line {line} is Python 2 ({old}).",
        "Convert it to Python 3 first, for example with 2to3, which Python 3.12 and older have: "
        f"2to3 -w {place}",
    )


def _old_python(source: str, line: int) -> str:
    """The line of ``source``, stripped, if it is what only Python 2 accepts; else ""."""
    text = "".join(source.split("\n")[line - 1 : line]).strip()
    return text if _PYTHON_2.search(text) else ""


def _import_lines(source: str) -> ast.Module:
    """What can be checked of a cell that is not valid Python: its lines that import azureml."""
    lines = [line.strip() for line in source.split("\n")]
    kept = [line if _IMPORTS.match(line) and syntax.parses(line) else "" for line in lines]
    return ast.parse("\n".join(kept))


def _sources(path: str) -> Iterator[_Source]:
    if path.endswith(".ipynb"):
        for cell in notebook_cells.readable_cells(path):
            if notebook_cells.SKIP not in cell.tags:
                yield _source_of(f"{path}, cell {cell.number}", cell)
        return
    try:
        with tokenize.open(path) as handle:
            yield _Source(path, handle.read())
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise UserErrorException(f"Cannot read {str(path)!r}: {error}.") from None


def _source_of(place: str, cell: notebook_cells.CodeCell) -> _Source:
    if cell.is_malformed:
        return _Source(place, "", "it is malformed")
    magic = syntax.cell_magic(cell.source.split("\n"))
    if magic is not None and magic.name not in _CHECKED and magic.name not in _NOT_CODE:
        return _Source(place, "", f"%%{magic.name} is not Python")
    return _Source(place, _python_of(cell.source))


def _python_of(cell: str) -> str:
    """The Python of a cell: its own, or that of the script which it writes."""
    lines = cell.split("\n")
    magic = syntax.cell_magic(lines)
    if magic is not None and magic.name in ("writefile", "file"):
        is_script = magic.options.strip("'\" ").endswith(".py")
        code = "\n".join(lines[magic.line + 1 :]) if is_script else ""
        return "\n" * (magic.line + 1) + code
    if magic is not None and magic.name in _OTHER_PROCESS:
        return "\n" * (magic.line + 1) + "\n".join(lines[magic.line + 1 :])
    text, is_valid = syntax.mask(textwrap.dedent(cell))
    return text if is_valid else cell


class _Usage(NamedTuple):
    line: int
    name: str
    instead: str
    is_used: bool = True


def _imports(tree: ast.Module, used: set[str]) -> Iterator[_Usage]:
    """Yield unsupported imports; ``used`` are the names that the file does something with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                is_used = alias.name == "*" or (alias.asname or alias.name) in used
                yield from _unsupported_import(node.lineno, node.module, alias.name, is_used)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                is_used = (alias.asname or alias.name) in used
                yield from _unsupported_import(node.lineno, alias.name, "", is_used)


def _unsupported_import(line: int, module: str, name: str, is_used: bool) -> Iterator[_Usage]:
    if module.split(".", maxsplit=1)[0] != "azureml" or api_table.source_of(module, name):
        return
    full_name = f"{module}.{name}" if name else module
    if full_name in api_table.PROVIDED or (name == "*" and module in api_table.PROVIDED):
        return
    instead = api_table.alternative(module, name) or api_table.package_alternative(full_name)
    if instead:
        yield _Usage(line, full_name, instead, is_used)
    else:  # the import itself fails
        near = suggestion.question(name, api_table.known_names(module)) if name else ""
        instead = f"Unknown name. {near}It works only where azureml is installed."
        yield _Usage(line, full_name, instead)


def _attribute_uses(tree: ast.Module) -> Iterator[_Usage]:
    """Yield unsupported names that are written in full: ``azureml.core.Model``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            module = name_uses.dotted(node.value)
            if module in api_table.PROVIDED and node.attr in api_table.LEFT_OUT.get(module, {}):
                instead = api_table.LEFT_OUT[module][node.attr]
                yield _Usage(node.lineno, f"{module}.{node.attr}", instead)


def _method_calls(tree: ast.Module) -> Iterator[_Usage]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = name_uses.dotted(node.func.value).rpartition(".")[2]
            for name in (node.func.attr, f"{owner}.{node.func.attr}"):
                instead = api_table.LEFT_OUT_METHODS.get(name)
                if instead:
                    shown = name if "." in name else f".{name}"
                    yield _Usage(node.lineno, f"{shown}()", instead)

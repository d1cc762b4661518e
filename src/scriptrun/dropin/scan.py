"""Finds unsupported azureml names in old code, without running it."""

from __future__ import annotations

import ast
import re
import textwrap
import tokenize
from collections.abc import Iterator
from typing import NamedTuple

from scriptrun.dropin import api_table, name_uses
from scriptrun.dropin.notebook import cells as notebook_cells
from scriptrun.dropin.notebook import syntax
from scriptrun.spec import suggestion
from scriptrun.spec.errors import UserErrorException

_PRINT = re.compile(
    r"^\s*(print|exec) +[^=(\s.,)]|^\s*except [\w.]+, *\w+:|^\s*raise \w+, ", re.MULTILINE
)
_PYTHON_2 = "It seems to be Python 2. Convert it to Python 3 first, for example with 2to3."


class UnsupportedName(NamedTuple):
    """An unsupported name: where it is used, and what to use instead.

    Importing it works; with ``is_used`` false the file does nothing else with it.
    """

    place: str
    name: str
    instead: str
    is_used: bool = True


def check(path: str) -> list[UnsupportedName]:
    """Return the unsupported names in the script or notebook ``path``, in order.

    Raises UserErrorException if the file is not valid Python.
    """
    parsed = [(prefix, _parse(prefix, source, path)) for prefix, source in _sources(path)]
    trees = [tree for _, tree in parsed if isinstance(tree, ast.Module)]
    used = set[str]().union(*map(name_uses.used_names, trees))
    unsupported = list[UnsupportedName]()
    for prefix, tree in parsed:
        if not isinstance(tree, ast.Module):
            unsupported.append(tree)
            continue
        found = {*_imports(tree, used), *_attribute_uses(tree), *_method_calls(tree)}
        unsupported += [
            UnsupportedName(f"{prefix}:{usage.line}", usage.name, usage.instead, usage.is_used)
            for usage in sorted(found)
        ]
    return unsupported


def _parse(prefix: str, source: str, path: str) -> ast.Module | UnsupportedName:
    """Parse a script or a cell; a cell that is not valid Python is a finding."""
    try:
        return ast.parse(source, prefix)
    except (SyntaxError, ValueError) as error:
        if not path.endswith(".ipynb"):
            hint = _PYTHON_2 if _PRINT.search(source) or "<>" in source else ""
            raise UserErrorException(f"{prefix} is not valid Python: {error}.", hint) from None
        place = f"{prefix}:{getattr(error, 'lineno', None) or 1}"
        return UnsupportedName(place, "not valid Python", f"Skipped this cell: {error}.")
    except (RecursionError, MemoryError):
        raise UserErrorException(
            f"{prefix} is nested too deeply to be parsed.", "Simplify its expressions."
        ) from None


def _sources(path: str) -> list[tuple[str, str]]:
    if path.endswith(".ipynb"):
        return [
            (f"{path}, cell {cell.number}", _python_of(cell.source))
            for cell in notebook_cells.cells(path)
            if notebook_cells.SKIP not in cell.tags
        ]
    try:
        with tokenize.open(path) as handle:
            return [(path, handle.read())]
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise UserErrorException(f"Cannot read {str(path)!r}: {error}.") from None


def _python_of(cell: str) -> str:
    """The Python of a cell: its own, or that of the script which it writes."""
    lines = cell.split("\n")
    magic = syntax.cell_magic(lines)
    if magic is not None and magic.name in ("writefile", "file"):
        is_script = magic.options.strip("'\" ").endswith(".py")
        code = "\n".join(lines[magic.line + 1 :]) if is_script else ""
        return "\n" * (magic.line + 1) + code
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

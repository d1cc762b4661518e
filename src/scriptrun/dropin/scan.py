"""Finds unsupported azureml names in old code, without running it."""

from __future__ import annotations

import ast
import textwrap
import tokenize
from collections.abc import Iterator
from typing import NamedTuple

from scriptrun.dropin import api_table
from scriptrun.dropin.notebook import cells as notebook_cells
from scriptrun.dropin.notebook import syntax
from scriptrun.spec.errors import UserErrorException


class UnsupportedName(NamedTuple):
    """An unsupported name: where it is used, and what to use instead."""

    place: str
    name: str
    instead: str


def check(path: str) -> list[UnsupportedName]:
    """Return the unsupported names in the script or notebook ``path``, in order.

    Raises UserErrorException if the file is not valid Python.
    """
    unsupported = []
    for prefix, source in _sources(path):
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError) as error:
            if not path.endswith(".ipynb"):
                raise UserErrorException(f"{prefix} is not valid Python: {error}.") from None
            place = f"{prefix}:{getattr(error, 'lineno', None) or 1}"
            unsupported.append(UnsupportedName(place, "not valid Python", f"{error}"))
            continue
        except (RecursionError, MemoryError):
            raise UserErrorException(f"{prefix} is nested too deeply to be parsed.") from None
        usages = sorted({*_imports(tree), *_attribute_uses(tree), *_method_calls(tree)})
        unsupported += [
            UnsupportedName(f"{prefix}:{line}", name, instead) for line, name, instead in usages
        ]
    return unsupported


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


Usage = tuple[int, str, str]


def _imports(tree: ast.Module) -> Iterator[Usage]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield from _unsupported_import(node.lineno, node.module, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield from _unsupported_import(node.lineno, alias.name, "")


def _unsupported_import(line: int, module: str, name: str) -> Iterator[Usage]:
    if module.split(".", maxsplit=1)[0] != "azureml" or api_table.source_of(module, name):
        return
    full_name = f"{module}.{name}" if name else module
    if full_name in api_table.PROVIDED or (name == "*" and module in api_table.PROVIDED):
        return
    instead = api_table.alternative(module, name) or api_table.package_alternative(full_name)
    yield line, full_name, instead or "Unknown name; it works only where azureml is installed."


def _attribute_uses(tree: ast.Module) -> Iterator[Usage]:
    """Yield unsupported names that are written in full: ``azureml.core.Model``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            module = _dotted(node.value)
            if module in api_table.PROVIDED and node.attr in api_table.LEFT_OUT.get(module, {}):
                yield node.lineno, f"{module}.{node.attr}", api_table.LEFT_OUT[module][node.attr]


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _method_calls(tree: ast.Module) -> Iterator[Usage]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            instead = api_table.LEFT_OUT_METHODS.get(node.func.attr)
            if instead:
                yield node.lineno, f".{node.func.attr}()", instead

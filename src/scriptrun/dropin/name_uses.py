"""Which names a file does something with, beyond importing them and asking for a value's class.

Unsupported names of azureml can be imported, and used in annotations, ``except`` clauses and
``isinstance``; any other use raises.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

#: functions whose last argument is a class that is only compared
_COMPARISONS = ("isinstance", "issubclass")


def used_names(tree: ast.Module) -> set[str]:
    """The names that ``tree`` reads where it needs what they stand for: ``a.b``, and ``a``."""
    harmless = {id(node) for part in _harmless(tree) for node in ast.walk(part)}
    return {
        dotted(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute)
        and id(node) not in harmless
        and not (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    }


def dotted(node: ast.expr) -> str:
    """The text of ``a.b.c``; "" for what is not made of names alone."""
    if isinstance(node, ast.Attribute):
        outer = dotted(node.value)
        return f"{outer}.{node.attr}" if outer else ""
    return node.id if isinstance(node, ast.Name) else ""


def _harmless(tree: ast.Module) -> Iterator[ast.AST]:
    """The parts of ``tree`` that only compare classes or describe types."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is not None:
            yield node.type
        elif isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            yield node.annotation
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            yield node.returns
        elif isinstance(node, ast.Call) and dotted(node.func) in _COMPARISONS:
            yield from node.args[1:]

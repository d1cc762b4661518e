"""The files and folders that a script names by literal texts."""

from __future__ import annotations

import ast
import posixpath
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: functions whose first argument is a file to read
_READERS = r"open|read_\w+|load|loadtxt|genfromtxt|imread|from_csv|safe_load"


def search_folders(code: bytes) -> list[str]:
    """What the script adds to ``sys.path``: relative to its own folder, or to the current one."""
    return [
        posixpath.join(*texts)
        for call in _calls(code)
        if ast.unparse(call.func) in ("sys.path.append", "sys.path.insert", "path.append")
        if (texts := _texts(call))
    ]


def read_files(code: bytes) -> list[str]:
    """The files that the script reads, as far as their names are literal."""
    return [
        str(call.args[0].value)
        for call in _calls(code)
        if call.args and isinstance(call.args[0], ast.Constant)
        if isinstance(call.args[0].value, str)
        if re.fullmatch(_READERS, _name(call.func)) and not _writes(call)
    ]


def _calls(code: bytes) -> Iterator[ast.Call]:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node


def _name(function: ast.expr) -> str:
    return str(getattr(function, "attr", None) or getattr(function, "id", ""))


def _texts(call: ast.Call) -> list[str]:
    constants = [node for node in ast.walk(call) if isinstance(node, ast.Constant)]
    constants.sort(key=lambda node: (node.lineno, node.col_offset))
    return [node.value for node in constants if isinstance(node.value, str)]


def _writes(call: ast.Call) -> bool:
    """Whether the mode of an ``open`` is one that writes, or not known."""
    modes = [*call.args[1:2], *(word.value for word in call.keywords if word.arg == "mode")]
    if _name(call.func) != "open" or not modes:
        return False
    mode = modes[0]
    return not isinstance(mode, ast.Constant) or not str(mode.value).startswith("r")

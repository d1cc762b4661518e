"""Numbers that may only fall, until the rule behind each holds everywhere.

``python tests/ratchets.py`` writes those that have fallen to ratchets.json; it raises none.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src" / "scriptrun"
FILE = Path(__file__).with_name("ratchets.json")


def measured() -> dict[str, int]:
    """Each number as it is now."""
    files = {path: path.read_text("utf-8") for path in sorted(SOURCE.rglob("*.py"))}
    return {name: count(files) for name, count in COUNTED.items()}


def allowed() -> dict[str, int]:
    """Each number as it may be at most."""
    return json.loads(FILE.read_text("utf-8"))


Files = dict[Path, str]


def functions_of_the_runtime_without_annotations(files: Files) -> int:
    inside = {path: text for path, text in files.items() if SOURCE / "runtime" in path.parents}
    return sum(not _is_annotated(each) for each in _functions(inside))


def uses_of_any(files: Files) -> int:
    """As a name, or in quotes where an annotation is a text, as those of runtime/ are."""
    nodes = list(_nodes(files))
    names = sum(isinstance(node, ast.Name) and node.id == "Any" for node in nodes)
    texts = [text for node in nodes for text in _quoted(_annotation(node))]
    return names + sum(len(re.findall(r"\bAny\b", text)) for text in texts)


def _annotation(node: ast.AST) -> ast.expr | None:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.returns
    return node.annotation if isinstance(node, ast.arg | ast.AnnAssign) else None


def _quoted(annotation: ast.expr | None) -> list[str]:
    inside = ast.walk(annotation) if annotation is not None else ()
    found = [node.value for node in inside if isinstance(node, ast.Constant)]
    return [value for value in found if isinstance(value, str)]


def _in_text(pattern: str) -> Callable[[Files], int]:
    return lambda files: sum(len(re.findall(pattern, text)) for text in files.values())


def _nodes(files: Files) -> Iterator[ast.AST]:
    for text in files.values():
        yield from ast.walk(ast.parse(text))


def _functions(files: Files) -> Iterator[ast.FunctionDef]:
    for node in _nodes(files):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _is_annotated(function: ast.FunctionDef) -> bool:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [each for each in (arguments.vararg, arguments.kwarg) if each]
    named = [each for each in every if each.arg not in ("self", "cls")]
    return function.returns is not None and all(each.annotation for each in named)


COUNTED: dict[str, Callable[[Files], int]] = {
    "functions of runtime/ without annotations": functions_of_the_runtime_without_annotations,
    "uses of Any": uses_of_any,
    "type: ignore": _in_text(r"# type: ignore"),
    "later(...)": _in_text(r"\blater\("),
    "dataclasses": _in_text(r"(?m)^\s*@(?:dataclasses\.)?dataclass\b"),
}


def main() -> int:
    """Lower what has fallen; 1 where something has risen."""
    now, most = measured(), allowed() if FILE.exists() else {}
    lowest = {name: min(count, most.get(name, count)) for name, count in now.items()}
    FILE.write_text(json.dumps(lowest, indent=2) + "\n", "utf-8")
    return int(lowest != now)


if __name__ == "__main__":
    sys.exit(main())

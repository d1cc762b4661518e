"""Merge a program's imports from one module into one statement, sorted and wrapped."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from scriptrun.migration.code import imports, line_lengths
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program

_PACKAGES = ("azureml", "scriptrun")

_IMPORT_START = re.compile(r"\bfrom\s+(?:azureml|scriptrun)\b")
#: an import in the form that needs no merging if its names are unique
_IMPORT = re.compile(
    r"^[ \t]*from[ \t]+((?:azureml|scriptrun)[\w.]*)[ \t]+import[ \t]*"
    r"(?:\(([\w\s,]*)\)|([\w \t,]*))[ \t]*\r?$",
    re.M,
)


def may_merge(text: str, limit: int) -> bool:
    """Whether ``merge`` may have edits for the program ``text``: quick, and never wrongly False."""
    imports_found = list(_IMPORT.finditer(text))
    modules = [match[1] for match in imports_found]
    if len(modules) < len(_IMPORT_START.findall(text)) or len(set(modules)) < len(modules):
        return True
    return any(_is_long_or_repeats(match, limit) for match in imports_found)


def _is_long_or_repeats(match: re.Match[str], limit: int) -> bool:
    names = [" ".join(name.split()) for name in (match[2] or match[3] or "").split(",")]
    is_long = any(len(line) > limit for line in match[0].splitlines())
    return is_long or len(set(names)) < len(names)


def merge(program: Program, limit: int, boundaries: list[int]) -> list[Edit]:
    """The edits that merge imports of one block between which there are only imports.

    ``limit`` is the longest line; no statements are merged across ``boundaries``, the offsets at
    which a notebook's cells begin.
    """
    edits = [
        edit for line in program.nodes(cst.SimpleStatementLine) for edit in _joined(program, line)
    ]
    for run in _runs(program, boundaries):
        by_module: dict[str, list[cst.ImportFrom]] = {}
        for statement in run:
            module = program.source(statement.module) if statement.module is not None else ""
            if module.split(".")[0] not in _PACKAGES or _has_comment(program, statement):
                continue
            if module not in by_module or not _follows_comment(program, statement):
                by_module.setdefault(module, []).append(statement)
        for module, statements in by_module.items():
            edits += _merge_statements(program, module, statements, limit)
    return edits


def _runs(program: Program, boundaries: list[int]) -> Iterator[list[cst.ImportFrom]]:
    """The imports with ``from`` of each row of imports in a block."""
    blocks: list[cst.Module | cst.IndentedBlock] = [program.module]
    for block in [*blocks, *program.nodes(cst.IndentedBlock)]:
        run: list[cst.ImportFrom] = []
        end = 0
        for line in block.body:
            statement = line.body[0] if isinstance(line, cst.SimpleStatementLine) else None
            start = program.span(line)[0]
            if any(end < boundary <= start for boundary in boundaries):
                yield run
                run = []
            end = program.span(line)[1]
            if not isinstance(statement, cst.Import | cst.ImportFrom):
                yield run
                run = []
            elif isinstance(statement, cst.ImportFrom) and _is_plain(program, line, statement):
                run.append(statement)
        yield run


def _is_plain(program: Program, line: cst.CSTNode, statement: cst.ImportFrom) -> bool:
    assert isinstance(line, cst.SimpleStatementLine)
    is_star = isinstance(statement.names, cst.ImportStar) or bool(statement.relative)
    return len(line.body) == 1 and not is_star and program.indent(statement) is not None


def _joined(program: Program, line: cst.SimpleStatementLine) -> list[Edit]:
    """The edit that merges imports of one module that share a line with nothing else."""
    modules = {
        program.source(statement.module)
        for statement in line.body
        if isinstance(statement, cst.ImportFrom)
        and statement.module is not None
        and not (statement.relative or isinstance(statement.names, cst.ImportStar))
    }
    statements = [part for part in line.body if isinstance(part, cst.ImportFrom)]
    if len(modules) != 1 or len(line.body) < 2 or len(statements) < len(line.body):
        return []
    module = modules.pop()
    if module.split(".")[0] not in _PACKAGES:
        return []
    names = {item for statement in statements for item in _items(program, statement)}
    text = f"from {module} import {', '.join(sorted(names, key=_sort_key))}"
    return [Edit(program.span(statements[0])[0], program.span(statements[-1])[1], text)]


def _has_comment(program: Program, statement: cst.ImportFrom) -> bool:
    start, end = program.span(statement)[0], program.line_end(statement)
    return "#" in program.text[start:end]


def _follows_comment(program: Program, statement: cst.ImportFrom) -> bool:
    before = program.text[: program.line_start(statement)].rstrip("\r\n")
    return before.rpartition("\n")[2].lstrip().startswith("#")


def _merge_statements(
    program: Program, module: str, statements: list[cst.ImportFrom], limit: int
) -> list[Edit]:
    """The edits that put the names of all ``statements`` into the first of them."""
    first = statements[0]
    items = [item for statement in statements for item in _items(program, statement)]
    is_long = any(
        len(line) > limit for line in program.text[slice(*program.span(first))].splitlines()
    )
    if len(statements) == 1 and len(set(items)) == len(items) and not is_long:
        return []
    names = sorted(set(items), key=_sort_key)
    indent = program.indent(first) or ""
    text = line_lengths.import_text(program, module, names, indent, limit)
    edits = [Edit(*program.span(first), text)]
    removed = (statement for statement in statements[1:] if program.indent(statement) is not None)
    return [*edits, *(imports.remove_import(program, statement) for statement in removed)]


def _items(program: Program, statement: cst.ImportFrom) -> list[str]:
    assert not isinstance(statement.names, cst.ImportStar)
    names = []
    for alias in statement.names:
        local_name, name = imports.local_name(alias), alias.evaluated_name
        names.append(
            name if local_name == name and alias.asname is None else f"{name} as {local_name}"
        )
    return names


def _sort_key(item: str) -> tuple[int, str]:
    """Constants, then classes, then functions, as isort and ruff sort them."""
    name = item.split(maxsplit=1)[0]
    return (0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2, item)

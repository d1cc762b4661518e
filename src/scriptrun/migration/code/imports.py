"""Add and remove imports next to the existing ones."""

from __future__ import annotations

from collections.abc import Iterable

import libcst as cst
from libcst import metadata

from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program

#: the SDK modules of the names that rewritten code needs
SDK_MODULES = {
    "ScriptRunConfig": "azureml.core",
    "Dataset": "azureml.core",
    "Environment": "azureml.core",
    "CondaDependencies": "azureml.core.conda_dependencies",
    "MpiConfiguration": "azureml.core.runconfig",
    "PyTorchConfiguration": "azureml.core.runconfig",
    "TensorflowConfiguration": "azureml.core.runconfig",
    "DockerConfiguration": "azureml.core.runconfig",
    "DataReferenceConfiguration": "azureml.core.runconfig",
    "DEFAULT_GPU_IMAGE": "azureml.core.environment",
    "HyperDriveConfig": "azureml.train.hyperdrive",
    "PythonScriptStep": "azureml.pipeline.steps",
    "InferenceConfig": "azureml.core.model",
    "Model": "azureml.core.model",
    "os": "",
}


_BLOCKS = (cst.IndentedBlock, cst.SimpleStatementSuite, cst.Module)


class Imports:
    """Collects changes to a program's imports."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._dropped: dict[cst.ImportFrom, set[str]] = {}
        self._added: dict[cst.CSTNode, set[str]] = {}

    def find_conflicts(self, names: Iterable[str]) -> list[str]:
        """The ``names`` that the program uses for something else."""
        scope = self.program.scope(self.program.module)
        conflicts = []
        for name in names:
            qualified_names: set[metadata.QualifiedName] = set()
            for assignment in scope[name] if scope is not None else ():
                qualified_names |= assignment.get_qualified_names_for(name)
            if not all(_is_same(candidate, name) for candidate in qualified_names):
                conflicts.append(name)
        return conflicts

    def need(self, name: str, before: cst.CSTNode, anchor: cst.CSTNode) -> None:
        """Import ``name`` at ``anchor``, unless it is already available at the node ``before``."""
        scope = self.program.scope(self.program.module)
        for assignment in scope[name] if scope is not None else ():
            node = getattr(assignment, "node", None)
            if node is not None and self._reaches(node, before):
                return
        for other, names in self._added.items():
            if name in names and (other is anchor or self._reaches(other, before)):
                return
        self._added.setdefault(anchor, set()).add(name)

    def _reaches(self, binding: cst.CSTNode, user: cst.CSTNode) -> bool:
        """Whether ``binding`` is certain to have run before ``user`` does.

        It precedes ``user`` in the same or an enclosing block. A top-level binding reaches all
        function bodies.
        """
        blocks = (
            ancestor
            for ancestor in self.program.ancestors(binding)
            if isinstance(ancestor, _BLOCKS)
        )
        block = next(blocks, self.program.module)
        enclosing = list(self.program.ancestors(user))
        if block not in enclosing:
            return False
        runs_later = isinstance(block, cst.Module) and any(
            isinstance(node, cst.FunctionDef) for node in enclosing
        )
        return runs_later or self.program.span(binding)[0] < self.program.span(user)[0]

    def drop(self, statement: cst.ImportFrom, name: str) -> None:
        """Remove ``name`` (the local name) from the import ``statement``."""
        if name in self.program.hidden:
            return
        self._dropped.setdefault(statement, set()).add(name)

    def is_dropped_from(self, statement: cst.ImportFrom) -> bool:
        """Whether a name is removed from the import ``statement``."""
        return statement in self._dropped

    def edits(self) -> list[Edit]:
        """The edits that make the collected changes."""
        result: list[Edit] = []
        self._drop_duplicates()
        statements: list[cst.CSTNode] = [*self._dropped, *self._added]
        for statement in dict.fromkeys(statements):
            lines = _lines(self._added.get(statement, set()))
            dropped = (
                self._dropped.get(statement, set())
                if isinstance(statement, cst.ImportFrom)
                else set()
            )
            result += self._edit(statement, lines, dropped)
        return result

    def _drop_duplicates(self) -> None:
        """Import each name only once at the top level: at its first import."""
        top = [statement for statement in self._added if self.program.indent(statement) == ""]
        imported: set[str] = set()
        for anchor in sorted(top, key=self.program.span):
            self._added[anchor] -= imported
            imported |= self._added[anchor]

    def _edit(self, statement: cst.CSTNode, lines: list[str], dropped: set[str]) -> list[Edit]:
        indent = self.program.indent(statement)
        separator = "; " if indent is None else f"{self.program.newline}{indent}"
        start, end = self.program.span(statement)
        if isinstance(statement, cst.ImportFrom) and not isinstance(
            statement.names, cst.ImportStar
        ):
            if {local_name(alias) for alias in statement.names} <= dropped:
                if lines:
                    return [Edit(start, end, separator.join(lines))]
                return [remove_import(self.program, statement)]
            edits = remove_names(self.program, statement, dropped) if dropped else []
        else:
            edits = []
        if lines:
            edits.append(Edit(start, start, separator.join([*lines, ""])))
        return edits


def _is_same(qualified: metadata.QualifiedName, name: str) -> bool:
    """Whether an import binds the name, to what the SDK has under it."""
    package, _, base_name = qualified.name.rpartition(".")
    if qualified.source is not metadata.QualifiedNameSource.IMPORT:
        return False
    is_sdk = package.startswith(("azureml", "scriptrun"))
    return base_name == name and (is_sdk or not (package or SDK_MODULES[name]))


def _lines(names: set[str]) -> list[str]:
    by_module: dict[str, list[str]] = {}
    for name in sorted(names):
        by_module.setdefault(SDK_MODULES[name], []).append(name)
    return [
        f"from {module} import {', '.join(module_names)}" if module else f"import {module_names[0]}"
        for module, module_names in sorted(by_module.items())
    ]


def _removal_span(program: Program, statement: cst.CSTNode) -> tuple[int, int]:
    """The span of the whole line if the statement is alone on it, else of the statement."""
    start, end = program.span(statement)
    number = program.lines.line(end)
    starts = program.lines.starts
    stop = starts[number] if number < len(starts) else len(program.text)
    alone = program.indent(statement) is not None and not program.text[end:stop].strip()
    return (program.line_start(statement), stop) if alone else (start, end)


def remove_import(program: Program, statement: cst.CSTNode) -> Edit:
    """The edit that removes the import."""
    following = _following(program, statement)
    if following is not None:
        return Edit(program.span(statement)[0], program.span(following)[0], "")
    if _needs_placeholder(program, statement):
        return Edit(*program.span(statement), "pass")
    return Edit(*_removal_span(program, statement), "")


def _following(program: Program, statement: cst.CSTNode) -> cst.CSTNode | None:
    """The next statement on the same line, or None."""
    line = program.parent(statement)
    if not isinstance(line, cst.SimpleStatementLine):
        return None
    index = next(number for number, part in enumerate(line.body) if part is statement)
    return line.body[index + 1] if index + 1 < len(line.body) else None


def _needs_placeholder(program: Program, statement: cst.CSTNode) -> bool:
    """Whether removal needs a ``pass``: the import is alone in its block, or shares its line."""
    line = program.parent(statement)
    block = program.parent(line) if line is not None else None
    if isinstance(line, cst.SimpleStatementSuite):
        return True
    assert isinstance(line, cst.SimpleStatementLine)
    return len(line.body) > 1 or (isinstance(block, cst.IndentedBlock) and len(block.body) == 1)


def local_name(alias: cst.ImportAlias) -> str:
    """The local name of the import."""
    if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
        return alias.asname.name.value
    return alias.evaluated_name


def remove_names(program: Program, statement: cst.ImportFrom, dropped: set[str]) -> list[Edit]:
    """The edits that remove some names from an import."""
    assert not isinstance(statement.names, cst.ImportStar)
    aliases = list(statement.names)
    spans = [_alias_span(program, alias) for alias in aliases]
    edits: list[Edit] = []
    remaining = [
        position
        for position, candidate in enumerate(aliases)
        if local_name(candidate) not in dropped
    ]
    for index, imported in enumerate(aliases):
        if local_name(imported) not in dropped:
            continue
        if index < remaining[-1]:
            end = spans[index + 1][0]
            comment = "#" in program.text[spans[index][1] : end]
            if comment:
                end = program.text.index(",", spans[index][1]) + 1
                end += len(program.text[end:]) - len(program.text[end:].lstrip(" \t"))
            edits.append(Edit(spans[index][0], end, ""))
        elif index == remaining[-1] + 1:
            edits.append(Edit(spans[remaining[-1]][1], spans[-1][1], ""))
    return edits


def _alias_span(program: Program, alias: cst.ImportAlias) -> tuple[int, int]:
    start = program.span(alias.name)[0]
    last_node = alias.asname.name if alias.asname is not None else alias.name
    return start, program.span(last_node)[1]

"""Add and remove imports next to the existing ones."""

from __future__ import annotations

from collections.abc import Iterable

import libcst as cst

from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program

#: the SDK modules of the names that rewritten code needs
HOMES = {
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
    "PythonScriptStep": "azureml.pipeline.steps",
    "os": "",
}


_BLOCKS = (cst.IndentedBlock, cst.SimpleStatementSuite, cst.Module)


class Imports:
    """Collects changes to a program's imports."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._dropped: dict[cst.ImportFrom, set[str]] = {}
        self._added: dict[cst.CSTNode, set[str]] = {}

    def taken(self, names: Iterable[str]) -> list[str]:
        """The ``names`` that the program uses for something else."""
        scope = self.program.scope(self.program.module)
        found = []
        for name in names:
            homes = set()
            for each in scope[name] if scope is not None else ():
                homes |= {found.name for found in each.get_qualified_names_for(name)}
            if homes and not all(_is_same(each, name) for each in homes):
                found.append(name)
        return found

    def need(self, name: str, before: cst.CSTNode, anchor: cst.CSTNode) -> None:
        """Import ``name`` at ``anchor``, unless it is already available at the node ``before``."""
        scope = self.program.scope(self.program.module)
        for each in scope[name] if scope is not None else ():
            node = getattr(each, "node", None)
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
        blocks = (each for each in self.program.above(binding) if isinstance(each, _BLOCKS))
        block = next(blocks, self.program.module)
        above = list(self.program.above(user))
        if block not in above:
            return False
        later = isinstance(block, cst.Module) and any(isinstance(a, cst.FunctionDef) for a in above)
        return later or self.program.span(binding)[0] < self.program.span(user)[0]

    def drop(self, statement: cst.ImportFrom, name: str) -> None:
        """Remove ``name`` (the local name) from the import ``statement``."""
        if name in self.program.hidden:
            return
        self._dropped.setdefault(statement, set()).add(name)

    def edits(self) -> list[Edit]:
        """The edits that make the collected changes."""
        made: list[Edit] = []
        self._join()
        statements: list[cst.CSTNode] = [*self._dropped, *self._added]
        for statement in dict.fromkeys(statements):
            lines = _lines(self._added.get(statement, set()))
            gone = (
                self._dropped.get(statement, set())
                if isinstance(statement, cst.ImportFrom)
                else set()
            )
            made += self._edit(statement, lines, gone)
        return made

    def _join(self) -> None:
        """Import each name only once at the top level: at its first import."""
        top = [each for each in self._added if self.program.indent(each) == ""]
        brought: set[str] = set()
        for anchor in sorted(top, key=self.program.span):
            self._added[anchor] -= brought
            brought |= self._added[anchor]

    def _edit(self, statement: cst.CSTNode, lines: list[str], gone: set[str]) -> list[Edit]:
        indent = self.program.indent(statement)
        between = "; " if indent is None else f"{self.program.newline}{indent}"
        start, end = self.program.span(statement)
        if isinstance(statement, cst.ImportFrom) and not isinstance(
            statement.names, cst.ImportStar
        ):
            if {local(each) for each in statement.names} <= gone:
                if lines:
                    return [Edit(start, end, between.join(lines))]
                return [removal(self.program, statement)]
            made = without(self.program, statement, gone) if gone else []
        else:
            made = []
        if lines:
            made.append(Edit(start, start, between.join([*lines, ""])))
        return made


def _is_same(qualified: str, name: str) -> bool:
    package, _, last = qualified.rpartition(".")
    ours = package.startswith(("azureml", "scriptrun"))
    return last == name and (ours or not (package or HOMES[name]))


def _lines(names: set[str]) -> list[str]:
    homes: dict[str, list[str]] = {}
    for name in sorted(names):
        homes.setdefault(HOMES[name], []).append(name)
    return [
        f"from {home} import {', '.join(each)}" if home else f"import {each[0]}"
        for home, each in sorted(homes.items())
    ]


def _line(program: Program, statement: cst.CSTNode) -> tuple[int, int]:
    """The span of the whole line if the statement is alone on it, else of the statement."""
    start, end = program.span(statement)
    number = program.lines.line(end)
    starts = program.lines.starts
    stop = starts[number] if number < len(starts) else len(program.text)
    alone = program.indent(statement) is not None and not program.text[end:stop].strip()
    return (program.line_start(statement), stop) if alone else (start, end)


def removal(program: Program, statement: cst.CSTNode) -> Edit:
    """The edit that removes the import."""
    if _must_stay(program, statement):
        return Edit(*program.span(statement), "pass")
    return Edit(*_line(program, statement), "")


def _must_stay(program: Program, statement: cst.CSTNode) -> bool:
    """Whether removal needs a ``pass``: the import is alone in its block, or shares its line."""
    line = program.parent(statement)
    above = program.parent(line) if line is not None else None
    if isinstance(line, cst.SimpleStatementSuite):
        return True
    assert isinstance(line, cst.SimpleStatementLine)
    return len(line.body) > 1 or (isinstance(above, cst.IndentedBlock) and len(above.body) == 1)


def local(alias: cst.ImportAlias) -> str:
    """The local name of the import."""
    if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
        return alias.asname.name.value
    return alias.evaluated_name


def without(program: Program, statement: cst.ImportFrom, gone: set[str]) -> list[Edit]:
    """The edits that remove some names from an import."""
    assert not isinstance(statement.names, cst.ImportStar)
    aliases = list(statement.names)
    spans = [_own_span(program, each) for each in aliases]
    made: list[Edit] = []
    kept = [at for at, each in enumerate(aliases) if local(each) not in gone]
    for at, each in enumerate(aliases):
        if local(each) not in gone:
            continue
        if at < kept[-1]:
            end = spans[at + 1][0]
            comment = "#" in program.text[spans[at][1] : end]
            if comment:
                end = program.text.index(",", spans[at][1]) + 1
            made.append(Edit(spans[at][0], end, ""))
        elif at == kept[-1] + 1:
            made.append(Edit(spans[kept[-1]][1], spans[-1][1], ""))
    return made


def _own_span(program: Program, alias: cst.ImportAlias) -> tuple[int, int]:
    start = program.span(alias.name)[0]
    last = alias.asname.name if alias.asname is not None else alias.name
    return start, program.span(last)[1]

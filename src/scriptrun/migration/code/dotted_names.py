"""Dotted uses of azureml names: ``azureml.core.Workspace``, ``hd.choice``."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst

from scriptrun.migration.code import imports
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program
from scriptrun.migration.findings import LEFT_ALONE, REWRITTEN
from scriptrun.migration.rewrite_program import ProgramFinding
from scriptrun.spec.values import Value, fresh

FindModule = Callable[[str, str], str]
#: why scriptrun's class cannot replace these uses of azureml's (by its local name), or ""
FindProblem = Callable[[Program, list[cst.CSTNode], str], str]
#: the SDK versions that old code displays, and scriptrun's replacement
_SDK_VERSIONS = ("azureml.core.VERSION", "azureml.core.__version__")
VERSION = "__version__"


class MoveResult(Value, frozen=False):
    """The edits, the findings, and the imports that remain azureml's."""

    edits: list[Edit] = fresh(default_factory=list)
    findings: list[ProgramFinding] = fresh(default_factory=list)
    remaining: list[cst.CSTNode] = fresh(default_factory=list)


def move(program: Program, find_module: FindModule, find_problem: FindProblem) -> MoveResult:
    """Replace ``import azureml...`` with scriptrun where it has the names."""
    return _ImportMover(program, find_module, find_problem).result


def is_displayed_version(program: Program, node: cst.CSTNode) -> bool:
    """Whether ``node`` is the SDK's version, and is only printed or logged."""
    if program.qualified_name(node) not in _SDK_VERSIONS:
        return False
    for ancestor in program.ancestors(node):
        if isinstance(ancestor, cst.Expr):
            return True
        if isinstance(ancestor, cst.BaseSmallStatement | cst.BaseCompoundStatement | cst.Lambda):
            return False
    return False


def _is_dotted_name(node: cst.BaseExpression) -> bool:
    while isinstance(node, cst.Attribute):
        node = node.value
    return isinstance(node, cst.Name)


class _ImportMover:
    def __init__(
        self, program: Program, find_module: FindModule, find_problem: FindProblem
    ) -> None:
        self.program, self.find_module, self.find_problem = program, find_module, find_problem
        self.result = MoveResult()
        statements = [
            candidate for candidate in program.nodes(cst.Import) if self._azureml_aliases(candidate)
        ]
        if not statements:
            return
        self.uses = self._find_uses()
        self.needed_modules: set[str] = set()
        dotted_uses = [node for node in self.uses if program.source(node).startswith("azureml")]
        problems = self._rewrite_uses(dotted_uses)
        for statement in statements:
            self._move_statement(statement, problems)

    def _azureml_aliases(self, statement: cst.Import) -> list[cst.ImportAlias]:
        names = list(statement.names)
        return [alias for alias in names if alias.evaluated_name.split(".")[0] == "azureml"]

    def _find_uses(self) -> list[cst.Attribute]:
        """The uses of azureml names with dots, each at its longest."""
        uses = []
        for node in self.program.nodes(cst.Attribute):
            if isinstance(self.program.parent(node), cst.Attribute) or not _is_dotted_name(node):
                continue
            in_import = any(
                isinstance(ancestor, cst.Import | cst.ImportFrom)
                for ancestor in self.program.ancestors(node)
            )
            if not in_import and self.program.qualified_name(node).startswith("azureml."):
                uses.append(node)
        return uses

    def _find_class(self, node: cst.Attribute) -> tuple[cst.Attribute, str]:
        """The part of a dotted name that scriptrun has, and its module there, or ""."""
        part: cst.BaseExpression = node
        while isinstance(part, cst.Attribute):
            module, _, name = self.program.qualified_name(part).rpartition(".")
            if self.find_module(module, name):
                return part, self.find_module(module, name)
            part = part.value
        return node, ""

    def _rewrite_uses(self, uses: list[cst.Attribute]) -> list[str]:
        """Replace the names that scriptrun has; return why the others stay."""
        problems: list[str] = []
        if "azureml" in self.program.hidden:
            problems.append("a non-Python line uses it")
        classes: dict[tuple[str, str], list[cst.CSTNode]] = {}
        for node in uses:
            if is_displayed_version(self.program, node) and self._is_free(node):
                self.needed_modules.add("scriptrun")
                self.result.edits.append(Edit(*self.program.span(node), f"scriptrun.{VERSION}"))
                continue
            class_node, module = self._find_class(node)
            text = self.program.source(class_node)
            if module:
                classes.setdefault((text, module), []).append(class_node)
            else:
                problems.append(f"scriptrun has no {text.partition('.')[2]}")
        for (text, module), nodes in classes.items():
            problem = self.find_problem(self.program, nodes, text)
            if not problem and not self._is_free(nodes[0]):
                problem = "the program uses the name scriptrun for something else"
            if problem:
                problems.append(problem)
                continue
            self.needed_modules.add(module)
            new = f"{module}.{text.rpartition('.')[2]}"
            self.result.edits += [Edit(*self.program.span(use), new) for use in nodes]
        return problems

    def _is_free(self, node: cst.CSTNode) -> bool:
        """Whether the name ``scriptrun`` is unused, or only bound by imports."""
        assignments = self.program.assignments("scriptrun", node)
        return all(
            isinstance(getattr(assignment, "node", None), cst.Import) for assignment in assignments
        )

    def _move_statement(self, statement: cst.Import, class_problems: list[str]) -> None:
        problems = [
            self._import_problem(azureml_alias, class_problems)
            for azureml_alias in self._azureml_aliases(statement)
        ]
        subject = f"import {self._azureml_aliases(statement)[0].evaluated_name}"
        line = self.program.line(statement)
        reason = next(filter(None, problems), "")
        if reason:
            self.result.findings.append(ProgramFinding(line, LEFT_ALONE, subject, reason))
            self.result.remaining.append(statement)
            self._insert_before(statement)
            return
        self.result.findings.append(ProgramFinding(line, REWRITTEN, subject, "replaced or removed"))
        for alias in self._azureml_aliases(statement):
            if alias.asname is not None:
                self.result.edits.append(Edit(*self.program.span(alias.name), "scriptrun"))
                self._replace_versions(alias)
        if all(imported.asname is None for imported in statement.names):
            self._replace(statement)

    def _import_problem(self, alias: cst.ImportAlias, class_problems: list[str]) -> str:
        """Why the import cannot be replaced, or ""."""
        if alias.asname is None:
            return class_problems[0] if class_problems else ""
        local_name = imports.local_name(alias)
        for user in self.program.references(local_name, alias):
            node = self.program.parent(user)
            if not isinstance(node, cst.Attribute):
                return f"{local_name} is used as a value"
            if is_displayed_version(self.program, node):
                continue
            module, _, name = self.program.qualified_name(node).rpartition(".")
            problem = self.find_problem(self.program, [node], self.program.source(node))
            if self.find_module(module, name) != "scriptrun" or problem:
                return problem or f"scriptrun has no {name}"
        return ""

    def _replace_versions(self, alias: cst.ImportAlias) -> None:
        for user in self.program.references(imports.local_name(alias), alias):
            node = self.program.parent(user)
            if isinstance(node, cst.Attribute) and is_displayed_version(self.program, node):
                self.result.edits.append(Edit(*self.program.span(node.attr), VERSION))

    def _import_lines(self) -> list[str]:
        lines = [f"import {module}" for module in sorted(self.needed_modules)]
        self.needed_modules = set()
        return lines

    def _insert_before(self, statement: cst.Import) -> None:
        indent = self.program.indent(statement)
        separator = "; " if indent is None else f"{self.program.newline}{indent}"
        start = self.program.span(statement)[0]
        text = "".join(line + separator for line in self._import_lines())
        if text:
            self.result.edits.append(Edit(start, start, text))

    def _replace(self, statement: cst.Import) -> None:
        azureml = self._azureml_aliases(statement)
        others = [alias.evaluated_name for alias in statement.names if alias not in azureml]
        lines = [f"import {', '.join(others)}"] if others else []
        lines += self._import_lines()
        indent = self.program.indent(statement)
        separator = "; " if indent is None else f"{self.program.newline}{indent}"
        if lines:
            self.result.edits.append(Edit(*self.program.span(statement), separator.join(lines)))
        else:
            self.result.edits.append(imports.remove_import(self.program, statement))

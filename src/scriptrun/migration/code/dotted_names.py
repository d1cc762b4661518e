"""Dotted uses of azureml names: ``azureml.core.Workspace``, ``hd.choice``."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst

from scriptrun.migration.code import imports
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program
from scriptrun.migration.findings import LEFT, REWRITTEN
from scriptrun.migration.rewrite_program import Told
from scriptrun.spec.values import Value, fresh

Home = Callable[[str, str], str]
#: why scriptrun's class cannot replace these uses of azureml's (by its local name), or ""
Hindrance = Callable[[Program, list[cst.CSTNode], str], str]
#: the SDK versions that old code displays, and scriptrun's replacement
_SHOWN = ("azureml.core.VERSION", "azureml.core.__version__")
VERSION = "__version__"


class Moved(Value, frozen=False):
    """The edits, the findings, and the imports that remain azureml's."""

    edits: list[Edit] = fresh(default_factory=list)
    told: list[Told] = fresh(default_factory=list)
    left: list[cst.CSTNode] = fresh(default_factory=list)


def move(program: Program, home: Home, hindrance: Hindrance) -> Moved:
    """Replace ``import azureml...`` with scriptrun where it has the names."""
    return _Move(program, home, hindrance).made


def is_shown(program: Program, node: cst.CSTNode) -> bool:
    """Whether ``node`` is the SDK's version, and is only printed or logged."""
    if program.qualified(node) not in _SHOWN:
        return False
    for each in program.above(node):
        if isinstance(each, cst.Expr):
            return True
        if isinstance(each, cst.BaseSmallStatement | cst.BaseCompoundStatement | cst.Lambda):
            return False
    return False


class _Move:
    def __init__(self, program: Program, home: Home, hindrance: Hindrance) -> None:
        self.program, self.home, self.hindrance = program, home, hindrance
        self.made = Moved()
        statements = [each for each in program.nodes(cst.Import) if self._aliases(each)]
        if not statements:
            return
        self.uses = self._uses()
        self.needs: set[str] = set()
        plain = [node for node in self.uses if program.source(node).startswith("azureml")]
        stays = self._rewrite(plain)
        for statement in statements:
            self._statement(statement, stays)

    def _aliases(self, statement: cst.Import) -> list[cst.ImportAlias]:
        names = list(statement.names)
        return [each for each in names if each.evaluated_name.split(".")[0] == "azureml"]

    def _uses(self) -> list[cst.Attribute]:
        """The uses of azureml names with dots, each at its longest."""
        found = []
        for node in self.program.nodes(cst.Attribute):
            if isinstance(self.program.parent(node), cst.Attribute):
                continue
            inside = any(
                isinstance(a, cst.Import | cst.ImportFrom) for a in self.program.above(node)
            )
            if not inside and self.program.qualified(node).startswith("azureml."):
                found.append(node)
        return found

    def _class(self, node: cst.Attribute) -> tuple[cst.Attribute, str]:
        """The part of a dotted name that scriptrun has, and its module there, or ""."""
        inner: cst.BaseExpression = node
        while isinstance(inner, cst.Attribute):
            module, _, name = self.program.qualified(inner).rpartition(".")
            if self.home(module, name):
                return inner, self.home(module, name)
            inner = inner.value
        return node, ""

    def _rewrite(self, uses: list[cst.Attribute]) -> list[str]:
        """Replace the names that scriptrun has; return why the others stay."""
        stays: list[str] = []
        if "azureml" in self.program.hidden:
            stays.append("a non-Python line uses it")
        classes: dict[tuple[str, str], list[cst.CSTNode]] = {}
        for node in uses:
            if is_shown(self.program, node) and self._is_free(node):
                self.needs.add("scriptrun")
                self.made.edits.append(Edit(*self.program.span(node), f"scriptrun.{VERSION}"))
                continue
            found, home = self._class(node)
            text = self.program.source(found)
            if home:
                classes.setdefault((text, home), []).append(found)
            else:
                stays.append(f"scriptrun has no {text.partition('.')[2]}")
        for (text, home), nodes in classes.items():
            problem = self.hindrance(self.program, nodes, text)
            if not problem and not self._is_free(nodes[0]):
                problem = "the program uses the name scriptrun for something else"
            if problem:
                stays.append(problem)
                continue
            self.needs.add(home)
            new = f"{home}.{text.rpartition('.')[2]}"
            self.made.edits += [Edit(*self.program.span(each), new) for each in nodes]
        return stays

    def _is_free(self, node: cst.CSTNode) -> bool:
        """Whether the name ``scriptrun`` is unused, or only bound by imports."""
        bound = self.program.assignments("scriptrun", node)
        return all(isinstance(getattr(each, "node", None), cst.Import) for each in bound)

    def _statement(self, statement: cst.Import, stays: list[str]) -> None:
        reasons = [self._reason(each, stays) for each in self._aliases(statement)]
        others = len(reasons) < len(statement.names)
        what = f"import {self._aliases(statement)[0].evaluated_name}"
        line = self.program.line(statement)
        told = next(filter(None, reasons), "")
        if told or (others and not any(each.asname for each in statement.names)):
            told = told or "it is imported with other names"
            self.made.told.append(Told(line, LEFT, what, told))
            self.made.left.append(statement)
            self._before(statement)
            return
        self.made.told.append(Told(line, REWRITTEN, what, "replaced or removed"))
        for alias in self._aliases(statement):
            if alias.asname is not None:
                self.made.edits.append(Edit(*self.program.span(alias.name), "scriptrun"))
                self._versions(alias)
        if all(each.asname is None for each in statement.names):
            self._replace(statement)

    def _reason(self, alias: cst.ImportAlias, stays: list[str]) -> str:
        """Why the import cannot be replaced, or ""."""
        if alias.asname is None:
            return stays[0] if stays else ""
        local = imports.local(alias)
        for user in self.program.references(local, alias):
            node = self.program.parent(user)
            if not isinstance(node, cst.Attribute):
                return f"{local} is used as a value"
            if is_shown(self.program, node):
                continue
            module, _, name = self.program.qualified(node).rpartition(".")
            problem = self.hindrance(self.program, [node], self.program.source(node))
            if self.home(module, name) != "scriptrun" or problem:
                return problem or f"scriptrun has no {name}"
        return ""

    def _versions(self, alias: cst.ImportAlias) -> None:
        for user in self.program.references(imports.local(alias), alias):
            node = self.program.parent(user)
            if isinstance(node, cst.Attribute) and is_shown(self.program, node):
                self.made.edits.append(Edit(*self.program.span(node.attr), VERSION))

    def _lines(self) -> list[str]:
        lines = [f"import {each}" for each in sorted(self.needs)]
        self.needs = set()
        return lines

    def _before(self, statement: cst.Import) -> None:
        indent = self.program.indent(statement)
        between = "; " if indent is None else f"{self.program.newline}{indent}"
        start = self.program.span(statement)[0]
        text = "".join(line + between for line in self._lines())
        if text:
            self.made.edits.append(Edit(start, start, text))

    def _replace(self, statement: cst.Import) -> None:
        lines = self._lines()
        indent = self.program.indent(statement)
        between = "; " if indent is None else f"{self.program.newline}{indent}"
        if lines:
            self.made.edits.append(Edit(*self.program.span(statement), between.join(lines)))
        else:
            self.made.edits.append(imports.removal(self.program, statement))

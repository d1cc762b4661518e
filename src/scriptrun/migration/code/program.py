"""A program as LibCST sees it, with its positions, scopes and the names that its imports bind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import libcst as cst
from libcst import metadata

from scriptrun.migration.code.edits import Lines

Span = tuple[int, int]
_PROVIDERS = (metadata.PositionProvider, metadata.ParentNodeProvider, metadata.ScopeProvider)


def check(text: str) -> None:
    """Raise libcst.ParserSyntaxError for what is no Python 3."""
    cst.parse_module(text)


class Program:
    """The parsed ``text``. Raises libcst.ParserSyntaxError for what is no Python 3.

    ``hidden`` are names that something outside of the text may use.
    """

    def __init__(self, text: str, hidden: Iterable[str] = ()) -> None:
        self.text, self.hidden = text, frozenset(hidden)
        self.lines = Lines(text)
        wrapper = metadata.MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
        self.module = wrapper.module
        known: Any = wrapper.resolve_many(_PROVIDERS)  # all at once: each would walk the tree
        self._positions: Mapping[cst.CSTNode, metadata.CodeRange] = known[metadata.PositionProvider]
        self._parents: Mapping[cst.CSTNode, cst.CSTNode] = known[metadata.ParentNodeProvider]
        self._scopes: Mapping[cst.CSTNode, metadata.Scope | None] = known[metadata.ScopeProvider]
        self.newline = self.module.default_newline
        self._names: dict[tuple[cst.CSTNode, str], tuple[str, cst.CSTNode | None]] = {}
        self.calls = [node for node in self._positions if isinstance(node, cst.Call)]

    # where things are

    def span(self, node: cst.CSTNode) -> Span:
        """Where ``node`` stands, without parentheses and space around it."""
        found = self._positions[node]
        start = self.lines.offset(found.start.line, found.start.column)
        return start, self.lines.offset(found.end.line, found.end.column)

    def line(self, node: cst.CSTNode) -> int:
        """The line that ``node`` begins in."""
        return self._positions[node].start.line

    def source(self, node: cst.CSTNode) -> str:
        """The text of ``node``, with the parentheses around it."""
        return self.module.code_for_node(node)

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """What ``node`` is a part of."""
        return self._parents.get(node)

    def above(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """All that ``node`` is a part of, from the inside out."""
        found = self.parent(node)
        while found is not None:
            yield found
            found = self.parent(found)

    def statement(self, node: cst.CSTNode) -> cst.SimpleStatementLine | None:
        """The line of simple statements that ``node`` stands in, or None."""
        for each in self.above(node):
            if isinstance(each, cst.SimpleStatementLine):
                return each
            if isinstance(each, cst.BaseCompoundStatement | cst.SimpleStatementSuite):
                return None
        return None

    def line_start(self, node: cst.CSTNode) -> int:
        """The offset of the beginning of the line that ``node`` begins in."""
        return self.lines.starts[self.line(node) - 1]

    def line_end(self, node: cst.CSTNode) -> int:
        """The offset of the end of the line that ``node`` ends in, before what ends that line."""
        starts, number = self.lines.starts, self.lines.line(self.span(node)[1])
        if number == len(starts):
            return len(self.text)
        line = self.text[starts[number - 1] : starts[number]]
        return starts[number - 1] + len(line.rstrip("\r\n"))

    def indent(self, node: cst.CSTNode) -> str | None:
        """The space before ``node`` on its line; None where something else stands there."""
        before = self.text[self.line_start(node) : self.span(node)[0]]
        return None if before.strip() else before

    def name_for(self, node: cst.CSTNode, wanted: str, among: cst.CSTNode | None = None) -> str:
        """A new name for what is made of ``node``: ``wanted``, or that with a number after it.

        No name of the program is it, nor one that was given before; with ``among``, none that was
        given before for the same ``among``. Asked again, it gives the same.
        """
        if (node, wanted) not in self._names:
            used = {each.value for each in self.nodes(cst.Name)} | self.hidden
            rivals = [n for n, where in self._names.values() if among is None or where is among]
            name, number = wanted, 2
            while name in used or name in rivals:
                name, number = f"{wanted}_{number}", number + 1
            self._names[node, wanted] = name, among
        return self._names[node, wanted][0]

    # what names mean

    def scope(self, node: cst.CSTNode) -> metadata.Scope | None:
        """The scope that ``node`` stands in."""
        for each in (node, *self.above(node)):
            found = self._scopes.get(each)
            if found is not None:
                return found
        return None

    def qualified(self, node: cst.CSTNode) -> str:
        """The dotted name that imports give ``node``, or "" where it comes from no import."""
        scope = self.scope(node)
        if scope is None:
            return ""
        found = {
            each.name
            for each in scope.get_qualified_names_for(node)
            if each.source is metadata.QualifiedNameSource.IMPORT
        }
        return found.pop() if len(found) == 1 else ""

    def assignments(self, name: str, node: cst.CSTNode) -> list[metadata.BaseAssignment]:
        """What binds ``name`` as ``node`` sees it."""
        scope = self.scope(node)
        return list(scope[name]) if scope is not None else []

    def references(self, name: str, node: cst.CSTNode) -> list[cst.CSTNode]:
        """Where the ``name`` that ``node`` sees is read or changed, but for its bindings."""
        found: dict[cst.CSTNode, None] = {}
        for assignment in self.assignments(name, node):
            found.update((each, None) for each in self.read(assignment))
        return list(found)

    def read(self, assignment: metadata.BaseAssignment) -> list[cst.CSTNode]:
        """Where what ``assignment`` binds may be read: the names there, without attributes."""
        return [_whole(each.node, assignment.name) for each in assignment.references]

    def all_scopes(self) -> set[metadata.Scope]:
        """Every scope of the program."""
        return {each for each in self._scopes.values() if each is not None}

    def imported(self, wanted: str) -> Iterator[tuple[str, cst.CSTNode]]:
        """Local names that imports at the top give to the dotted name ``wanted``, and where."""
        scope = self.scope(self.module)
        if scope is None:
            return
        for assignment in scope.assignments:
            if isinstance(assignment, metadata.ImportAssignment):
                names = assignment.get_qualified_names_for(assignment.name)
                if wanted in {each.name for each in names}:
                    yield assignment.name, assignment.node

    def nodes(self, *kinds: Any) -> list[Any]:
        """All nodes of the given classes, as they stand in the text."""
        found = [each for each in self._positions if isinstance(each, kinds)]
        return sorted(found, key=self.span)


def _whole(node: cst.CSTNode, name: str) -> cst.CSTNode:
    """The Name that an access is about: accesses of dotted names give the whole attribute."""
    while isinstance(node, cst.Attribute):
        node = node.value
    return node

"""A program parsed by LibCST, with positions, scopes and imported names."""

from __future__ import annotations

import ast
import dataclasses
import functools
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import libcst as cst
from libcst import metadata

from scriptrun.migration.code.edits import Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    Node = TypeVar("Node", bound=cst.CSTNode)

Span = tuple[int, int]
#: what a module may have at most: more is data, and LibCST needs a thousand times its size
MOST_CHARACTERS = 2 << 20


class TooLong(Exception):
    """The text of a program that is too long to be parsed."""


def check(text: str) -> None:
    """Raise libcst.ParserSyntaxError if ``text`` is not valid Python 3."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the program's literals
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        _parse_module(text)


def _parse_module(text: str) -> cst.Module:
    """Parse ``text``. Raises RecursionError if it is nested too deeply.

    LibCST's parser ends the process when deep nesting overflows its stack, so Python's own parser,
    which has limits, reads the text first.
    """
    if len(text) > MOST_CHARACTERS:
        raise TooLong
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the program's literals
            depth = _depth(ast.parse(text))
    except (RecursionError, MemoryError):
        depth = _MOST_LEVELS + 1
    except SyntaxError as error:
        depth = _MOST_LEVELS + 1 if "too many" in str(error) else 0
    except ValueError:  # null bytes
        depth = 0
    if depth > _MOST_LEVELS:
        raise RecursionError(f"it is nested more than {_MOST_LEVELS} levels deep")
    return cst.parse_module(text)


#: the levels of syntax that LibCST's visitors can follow within Python's recursion limit
_MOST_LEVELS = 200


def _depth(tree: ast.AST) -> int:
    depth, level = 0, [tree]
    while level:
        depth += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


class Program:
    """The parsed ``text``. Raises libcst.ParserSyntaxError if it is not valid Python 3.

    ``hidden`` holds names that code outside the text (e.g. notebook magics) may use. A notebook's
    program is ``in_cells``.
    """

    def __init__(self, text: str, hidden: Iterable[str] = (), in_cells: bool = False) -> None:
        self.text, self.hidden, self.in_cells = text, frozenset(hidden), in_cells
        self.lines = Lines(text)
        wrapper = _Wrapper(_parse_module(text), unsafe_skip_copy=True)
        self.module = wrapper.module
        self._wrapper = wrapper
        self._positions: Mapping[cst.CSTNode, metadata.CodeRange] = wrapper.resolve(
            metadata.PositionProvider
        )
        self._parents = _parents(self.module)
        self.newline = self.module.default_newline
        self._names: dict[tuple[cst.CSTNode, str], tuple[str, cst.CSTNode | None]] = {}
        self._nodes: dict[type[cst.CSTNode], list[cst.CSTNode]] = {}
        for node in self._positions:
            self._nodes.setdefault(type(node), []).append(node)
        self.calls = [node for node in self._nodes.get(cst.Call, ()) if isinstance(node, cst.Call)]

    @functools.cached_property
    def _scopes(self) -> Mapping[cst.CSTNode, metadata.Scope | None]:
        scopes: Mapping[cst.CSTNode, metadata.Scope | None]
        scopes = self._wrapper.resolve(metadata.ScopeProvider)
        return scopes

    # positions and structure

    def span(self, node: cst.CSTNode) -> Span:
        """The offsets of ``node``, without surrounding parentheses and whitespace."""
        code_range = self._positions[node]
        start = self.lines.offset(code_range.start.line, code_range.start.column)
        return start, self.lines.offset(code_range.end.line, code_range.end.column)

    def line(self, node: cst.CSTNode) -> int:
        """The line on which ``node`` begins."""
        return self._positions[node].start.line

    def source(self, node: cst.CSTNode) -> str:
        """The source of ``node``, including parentheses around it."""
        return self.module.code_for_node(node)

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The node that directly contains ``node``."""
        return self._parents.get(node)

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes that contain ``node``, innermost first."""
        ancestor = self.parent(node)
        while ancestor is not None:
            yield ancestor
            ancestor = self.parent(ancestor)

    def enclosing(self, node: cst.CSTNode, *kinds: type[Node]) -> Node | None:
        """The innermost node of the classes ``kinds`` that contains ``node``, if any does."""
        return next((outer for outer in self.ancestors(node) if isinstance(outer, kinds)), None)

    def statement(self, node: cst.CSTNode) -> cst.SimpleStatementLine | None:
        """The line of simple statements that contains ``node``, or None."""
        for ancestor in self.ancestors(node):
            if isinstance(ancestor, cst.SimpleStatementLine):
                return ancestor
            if isinstance(ancestor, cst.BaseCompoundStatement | cst.SimpleStatementSuite):
                return None
        return None

    def line_start(self, node: cst.CSTNode) -> int:
        """The offset at which the line of ``node``'s first character begins."""
        return self.lines.starts[self.line(node) - 1]

    def line_end(self, node: cst.CSTNode) -> int:
        """The offset at which the line of ``node``'s last character ends, before its newline."""
        starts, number = self.lines.starts, self.lines.line(self.span(node)[1])
        if number == len(starts):
            return len(self.text)
        line = self.text[starts[number - 1] : starts[number]]
        return starts[number - 1] + len(line.rstrip("\r\n"))

    def indent(self, node: cst.CSTNode) -> str | None:
        """The whitespace before ``node`` on its line, or None if other code precedes it."""
        before = self.text[self.line_start(node) : self.span(node)[0]]
        return None if before.strip() else before

    def name_for(self, node: cst.CSTNode, base: str, group: cst.CSTNode | None = None) -> str:
        """A new name for the code that replaces ``node``: ``base``, numbered if necessary.

        It differs from the program's names and from earlier results (with ``group``: only from
        earlier results for the same ``group``). Repeated calls return the same name.
        """
        if (node, base) not in self._names:
            used = {name_node.value for name_node in self.nodes(cst.Name)} | self.hidden
            earlier_names = [
                n
                for n, other_group in self._names.values()
                if group is None or other_group is group
            ]
            name, number = base, 2
            while name in used or name in earlier_names:
                name, number = f"{base}_{number}", number + 1
            self._names[node, base] = name, group
        return self._names[node, base][0]

    # what names mean

    def scope(self, node: cst.CSTNode) -> metadata.Scope | None:
        """The scope that contains ``node``."""
        for candidate in (node, *self.ancestors(node)):
            result = self._scopes.get(candidate)
            if result is not None:
                return result
        return None

    def qualified_name(self, node: cst.CSTNode) -> str:
        """The dotted name that ``node`` refers to through imports, or ""."""
        scope = self.scope(node)
        if scope is None:
            return ""
        names = {
            candidate.name
            for candidate in scope.get_qualified_names_for(node)
            if candidate.source is metadata.QualifiedNameSource.IMPORT
        }
        return names.pop() if len(names) == 1 else ""

    def assignments(self, name: str, node: cst.CSTNode) -> list[metadata.BaseAssignment]:
        """The assignments of ``name`` that are visible at ``node``."""
        scope = self.scope(node)
        return list(scope[name]) if scope is not None else []

    def references(self, name: str, node: cst.CSTNode) -> list[cst.CSTNode]:
        """The uses of the ``name`` visible at ``node``, without its bindings."""
        nodes: dict[cst.CSTNode, None] = {}
        for assignment in self.assignments(name, node):
            nodes.update((use, None) for use in self.read_nodes(assignment))
        return list(nodes)

    def read_nodes(self, assignment: metadata.BaseAssignment) -> list[cst.CSTNode]:
        """The Name nodes that may read what ``assignment`` binds."""
        return [_root_name(access.node, assignment.name) for access in assignment.references]

    def all_scopes(self) -> set[metadata.Scope]:
        """Every scope of the program."""
        return {scope for scope in self._scopes.values() if scope is not None}

    def local_names(self, qualified_name: str) -> Iterator[tuple[str, cst.CSTNode]]:
        """The local names of the dotted name ``qualified_name``, with their top-level imports."""
        scope = self.scope(self.module)
        if scope is None:
            return
        for assignment in scope.assignments:
            if isinstance(assignment, metadata.ImportAssignment):
                names = assignment.get_qualified_names_for(assignment.name)
                if qualified_name in {candidate.name for candidate in names}:
                    yield assignment.name, assignment.node

    def nodes(self, *kinds: type[Node]) -> list[Node]:
        """All nodes of the classes ``kinds``, in source order."""
        matches: list[Any] = [
            node for kind, nodes in self._nodes.items() if issubclass(kind, kinds) for node in nodes
        ]
        return sorted(matches, key=self.span)


class _Wrapper(metadata.MetadataWrapper):
    """Resolves the providers that are used here without LibCST's own walk of the tree.

    Each walks the tree itself when it visits the module, and has nothing to do at other nodes.
    """

    def visit_batched(
        self, visitors: Iterable[cst.BatchableCSTVisitor], *_: object, **__: object
    ) -> cst.CSTNode:
        for visitor in visitors:
            with visitor.resolve(self):
                visitor.visit_Module(self.module)
        return self.module


def _parents(module: cst.Module) -> dict[cst.CSTNode, cst.CSTNode]:
    """The parent of each node: much faster than LibCST's own provider."""
    parents: dict[cst.CSTNode, cst.CSTNode] = {}
    pending: list[cst.CSTNode] = [module]
    while pending:
        node = pending.pop()
        for name in _field_names(type(node)):
            value = getattr(node, name)
            for child in value if isinstance(value, list | tuple) else (value,):
                if isinstance(child, cst.CSTNode):
                    parents[child] = node
                    pending.append(child)
    return parents


@functools.cache
def _field_names(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _root_name(node: cst.CSTNode, name: str) -> cst.CSTNode:
    """The first Name of an access: LibCST reports dotted names as whole attributes."""
    while isinstance(node, cst.Attribute):
        node = node.value
    return node

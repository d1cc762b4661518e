"""A parsed query: conditions, joined by and, or and not."""

from __future__ import annotations

from collections.abc import Iterator

from scriptrun.query.fields import Field
from scriptrun.query.moments import Moment
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Node: TypeAlias = "Comparison | Has | Word | And | Or | Not"

#: the operators of comparisons
EQUAL, UNEQUAL, CONTAINS, LACKS = "=", "!=", "~", "!~"
ORDERS = ("<", "<=", ">", ">=")
OPERATORS = (EQUAL, UNEQUAL, *ORDERS, CONTAINS, LACKS)


class Comparison(Value):
    """A field compared with a value: ``number`` or ``moment`` if it is one, and its ``text``.

    False for a run that does not have the field, whatever the operator.
    """

    field: Field
    operator: str
    text: str
    number: float | None = None
    moment: Moment | None = None


def flag(field: Field, is_on: bool) -> Comparison:
    """The condition that the field, a flag, is true, or that it is false."""
    return Comparison(field, EQUAL, "true" if is_on else "false", float(is_on))


class Has(Value):
    """Whether a run has the field at all."""

    field: Field


class Word(Value):
    """A word by itself: in the ID, name, experiment or script, in any case."""

    text: str


class And(Value):
    """All of ``items``; of none, true."""

    items: tuple[Node, ...] = ()


class Or(Value):
    """Any of ``items``."""

    items: tuple[Node, ...] = ()


class Not(Value):
    """The opposite of ``item``."""

    item: Node


def fields_of(node: Node) -> Iterator[Field]:
    """The fields that the query names, in order."""
    return (leaf.field for leaf in _leaves(node) if isinstance(leaf, Comparison | Has))


def words_of(node: Node) -> Iterator[str]:
    """The words by themselves, in order."""
    return (leaf.text for leaf in _leaves(node) if isinstance(leaf, Word))


def _leaves(node: Node) -> Iterator[Comparison | Has | Word]:
    """The conditions that contain no other, in order."""
    if isinstance(node, Not):
        yield from _leaves(node.item)
    elif isinstance(node, And | Or):
        for item in node.items:
            yield from _leaves(item)
    else:
        yield node

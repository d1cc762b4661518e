"""Which runs a command line asks for: its query, its filters and its order."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from scriptrun.cli import common_arguments
from scriptrun.cli.runs import columns
from scriptrun.cli.terminal import spinner
from scriptrun.query import fields, numbers, tree
from scriptrun.query.fields import Field
from scriptrun.query.problem import QueryException
from scriptrun.runs.search import FoundRun, Search, sort_keys
from scriptrun.spec import states, suggestion
from scriptrun.spec.control_characters import one_line
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.values import Value
from scriptrun.tracking import run_marks
from scriptrun.tracking.index_search import SortKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from scriptrun.cli.parsers import Parser
    from scriptrun.core.workspace import Workspace
    from scriptrun.query.tree import Node

    T = TypeVar("T")


#: spaces whose values are numbers, and how many values a hint lists
_NUMBERS = (fields.METRICS, fields.LOWEST, fields.HIGHEST)
_MAX_LISTED = 10


class Question(Value):
    """What is asked for: a condition, an order, and the fields that are named on the way.

    ``columns`` are those to show, ``group_by`` is the field to group by.
    """

    node: Node
    sort: tuple[SortKey, ...] = ()
    mentioned: tuple[Field, ...] = ()
    columns: tuple[Field, ...] = ()
    group_by: Field | None = None

    @property
    def is_all(self) -> bool:
        """Whether every run matches."""
        return self.node == tree.And()


def arguments(parser: Parser) -> None:
    """Add the arguments that select runs."""
    parser.words_argument = "query"
    add = parser.add_argument
    add("query", metavar="QUERY", nargs="*", default=[], help="list only runs that match")
    add("-e", "--experiment", metavar="E", help="list only runs of this experiment")
    add(
        "-s",
        "--state",
        "--status",
        metavar="S",
        help=f"list only runs in this state: {', '.join(states.ORDER)}",
    )
    add("--tag", metavar="NAME[=VALUE]", action="append", help="list only runs with this tag")


@contextmanager
def open_search(workspace: Workspace) -> Iterator[Search]:
    """Search the workspace's runs; a terminal shows it if they have to be indexed for long."""
    with spinner.show_status(common_arguments.INDEXING):
        index = Search(workspace)
    with index:
        yield index


def parse(index: Search, args: argparse.Namespace) -> Question:
    """The question in ``args``. Raises UserErrorException with all that is wrong with it."""
    errors: list[UserErrorException] = []

    def parsed(function: Callable[[], T]) -> T | None:
        try:
            return function()
        except UserErrorException as error:
            errors.append(error)
            return None

    query = parsed(lambda: index.parse(" ".join(args.query)))
    filters = parsed(lambda: _filters(args)) or []
    given = [
        parsed(lambda: index.fields(args.sort, "sort order", signed=True)) if args.sort else [],
        parsed(lambda: index.fields(args.columns, "columns")) if args.columns else [],
        parsed(lambda: index.fields(args.group_by, "group")) if args.group_by else [],
    ]
    _raise(errors)
    sort, columns, group = (mentions or [] for mentions in given)
    if len(group) > 1:
        raise UserErrorException(f"--group-by takes one field, not {len(group)}.")
    items = [*([query.node] if query is not None else []), *filters]
    items = [item for item in items if item != tree.And()]
    mentions = [*(query.mentions if query is not None else ()), *sort]
    return Question(
        items[0] if len(items) == 1 else tree.And(tuple(items)),
        tuple(sort_keys(sort)),
        tuple(mention.field for mention in mentions),
        tuple(mention.field for mention in columns),
        group[0].field if group else None,
    )


def _raise(errors: list[UserErrorException]) -> None:
    """Raise ``errors`` as one."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        messages = [
            f"{error.message}\n    {error.hint}".rstrip()
            if isinstance(error, QueryException)
            else f"{error.message} {error.hint}".rstrip()
            for error in errors
        ]
        raise UserErrorException("\n".join(messages))


def _filters(args: argparse.Namespace) -> list[Node]:
    """The conditions of --experiment, --state and --tag."""
    found: list[Node] = []
    if args.experiment:
        found.append(_equal("experiment", args.experiment))
    if args.state is not None:
        found.append(_equal("state", _parse_state(args.state)))
    for tag in args.tag or ():
        name, equals, value = tag.partition("=")
        field = Field(fields.TAGS, name)
        has_value = tree.Comparison(field, tree.EQUAL, value)
        found.append(has_value if equals else tree.Has(field))
    given = [name for name in run_marks.NAMES if getattr(args, name, False)]
    return [*found, *(tree.flag(fields.known(name), True) for name in given)]


def _equal(name: str, value: str) -> Node:
    return tree.Comparison(fields.known(name), tree.EQUAL, value)


def _parse_state(word: str) -> str:
    names = {state.lower(): state for state in states.ORDER}
    if word.lower() not in names:
        raise UserErrorException(
            f"Unknown state {word!r}.",
            suggestion.hint(word, states.ORDER, "Valid states"),
        )
    return names[word.lower()]


def check_limit(limit: int) -> None:
    """Raise UserErrorException for a limit below 1."""
    if limit < 1:
        raise UserErrorException(f"--limit must be at least 1, not {limit}.")


def no_match(index: Search, question: Question, children: bool) -> str:
    """What to say when no run matches."""
    is_empty = question.is_all or not index.runs(tree.And(), limit=1, children=True)
    for name in (run_marks.ARCHIVED, run_marks.REMOVED):
        node = tree.And((question.node, tree.flag(fields.known(name), True)))
        if index.runs(node, limit=1, children=children):
            none = "No runs" if is_empty else "No matching runs"
            return f"{none}, but {name} runs match: to list them, use --{name}."
    if is_empty:
        return "No runs."
    if not children and index.runs(question.node, limit=1, children=True):
        return "No matching runs, but child runs match: to list them, use --children."
    words = dict.fromkeys(tree.words_of(question.node))
    hints = [*_filter_hints(index, question.node), *(_word_hint(index, word) for word in words)]
    return "\n  ".join(["No matching runs.", *hints])


def _word_hint(index: Search, word: str) -> str:
    """How a word by itself is searched, and what it may have been meant as."""
    given = [
        Field(space, fields.canonical(space, word))
        for space in (fields.PARAMS, fields.METRICS, fields.TAGS)
    ]
    having = [field.text for field in given if index.index.has_name(field)]
    hint = f"{word!r} is searched in IDs, names, experiments and scripts."
    if having:
        return f"{hint} For the runs that have it, write {having[0]}."
    return f"{hint} {suggestion.question(word, map(str.lower, states.ORDER))}".rstrip()


def _filter_hints(index: Search, node: Node) -> Iterator[str]:
    """Hints about tags and values in the question that no run has."""
    for item in _required(node):
        is_tag = isinstance(item, tree.Has | tree.Comparison) and item.field.space == fields.TAGS
        if is_tag and not index.index.has_name(item.field):
            known = index.index.names(fields.TAGS)
            hint = suggestion.hint(item.field.name, known, "Tags")
            yield f"No run has a tag named {item.field.name!r}. {hint}"
        elif isinstance(item, tree.Comparison) and item.operator == tree.EQUAL:
            yield from _value_hints(index, item)


def _required(node: Node) -> Iterator[tree.Has | tree.Comparison]:
    """The conditions that have to be true, or one of which has to be."""
    if isinstance(node, tree.Has | tree.Comparison):
        yield node
    for item in node.items if isinstance(node, tree.And | tree.Or) else ():
        yield from _required(item)


def _value_hints(index: Search, item: tree.Comparison) -> Iterator[str]:
    """What a text may have been meant as that no run has as the value of its field."""
    is_other = item.number is not None and item.field.space not in (fields.PARAMS, fields.TAGS)
    if is_other or item.moment is not None or item.field.space in _NUMBERS:
        return
    groups = index.groups(tree.And(), item.field, children=True)
    values = [each.value for each in groups if each.value not in (None, "")]
    known = [*map(_text, sorted(values) if all(map(_is_number, values)) else values)]
    if not known or any(_equals(item, value) for value in known):
        return
    label = "Experiments" if item.field == fields.known("experiment") else "Values"
    near = [] if item.number is not None else suggestion.nearest(item.text, known)
    if len(known) > _MAX_LISTED and not near:
        return
    hint = f"Did you mean {near[0]!r}? " if near else ""
    if len(known) <= _MAX_LISTED:
        hint += f"{label}: {', '.join(map(one_line, known))}."
    what = f"the experiment {item.text!r}" if label == "Experiments" else _shown(item)
    yield f"No run has {what}. {hint}".rstrip()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _text(value: object) -> str:
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _equals(item: tree.Comparison, value: str) -> bool:
    number = None if item.number is None else numbers.parse_number(value)
    return item.text == value or (number is not None and number == item.number)


def _shown(item: tree.Comparison) -> str:
    text = item.text if fields.is_plain(item.text) else repr(item.text)
    return f"{item.field.text}={one_line(text)}"


def handles(index: Search, found: list[FoundRun]) -> columns.Handles:
    """How to type the runs."""
    prefixes = {
        run.row.id: index.index.unique_prefix(run.row.id, run.row.parent is not None)
        for run in found
    }
    return columns.Handles(prefixes, all(_is_found_by_name(index, run) for run in found))


def _is_found_by_name(index: Search, run: FoundRun) -> bool:
    """Whether the run's name finds it; one that is too long to be shown whole does not count."""
    name = run.row.name
    ids = index.index.ids_named(name, limit=1) or index.index.ids_short_named(name, limit=2)
    return ids == [run.row.id] and len(name) <= columns.MAX_LENGTH

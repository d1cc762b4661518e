"""Search runs with a query, and get their parameters and metrics with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from scriptrun.query import fields, language, moments, numbers, tree
from scriptrun.query.fields import Field
from scriptrun.query.language import UNKNOWN, Mention, Query
from scriptrun.query.problem import Problem, refuse
from scriptrun.runs import find
from scriptrun.spec import states, suggestion
from scriptrun.spec.control_characters import one_line
from scriptrun.spec.run_kinds import run_kind
from scriptrun.spec.values import Value
from scriptrun.tracking import index_search
from scriptrun.tracking.index import Index, RunRow
from scriptrun.tracking.index_facts import Metric, NamedValues
from scriptrun.tracking.index_groups import RunGroup
from scriptrun.tracking.index_search import SortKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from scriptrun.query.tree import Node
    from scriptrun.registry.workspace_files import WorkspaceFiles

    FieldValue = str | float | None

#: the word for what is in a space, in messages
_NOUNS = {
    fields.PARAMS: "parameter",
    fields.METRICS: "metric",
    fields.LOWEST: "metric",
    fields.HIGHEST: "metric",
    fields.TAGS: "tag",
    fields.PROPERTIES: "property",
}
#: the spaces of a name without one; tags count where no parameter or metric has the name, as
#: sweeps tag their runs with the parameters
_GUESSED = (fields.PARAMS, fields.METRICS, fields.TAGS)
#: how properties begin that not every run has, such as those of Git
_OWN_PROPERTIES = ("azureml.", "mlflow.")
_MAX_LISTED = 10


class FoundRun(Value):
    """A run that a search found: its row in the index, and its named values."""

    row: RunRow
    named: NamedValues

    def value(self, field: Field, now: float) -> FieldValue:
        """The run's value of ``field``; None if it has none. Times are seconds since 1970."""
        if not field.space:
            return _VALUES[field.name](self.row, now)
        if field.space in _TEXTS:
            return _TEXTS[field.space](self, field.name)
        metric = self.named.metrics.get(field.name, Metric())
        extremes = {fields.LOWEST: metric.low, fields.HIGHEST: metric.high}
        return extremes.get(field.space, metric.value)

    def typed(self, field: Field, now: float) -> FieldValue | bool:
        """As ``value``, with the texts of numbers, ``true`` and ``false`` as what they mean."""
        value = self.value(field, now)
        if not isinstance(value, str) or not field.space:
            return value
        if value in ("true", "false"):
            return value == "true"
        if value == "nan":
            return float(value)
        number = numbers.parse_number(value)
        if number is None:
            return value
        return int(value) if re.fullmatch(r"[+-]?\d+", value, re.ASCII) else number

    def _param(self, name: str) -> str | None:
        return self.named.params.get(name, self.named.logged.get(name))

    def _tag(self, name: str) -> str | None:
        return (self.row.tags[name] or "") if name in self.row.tags else None

    def _property(self, name: str) -> str | None:
        return self.named.properties.get(name)


#: the spaces of texts
_TEXTS: dict[str, Callable[[FoundRun, str], str | None]] = {
    fields.PARAMS: FoundRun._param,
    fields.TAGS: FoundRun._tag,
    fields.PROPERTIES: FoundRun._property,
}


def _duration(row: RunRow, now: float) -> float | None:
    ended = row.ended if states.is_terminal(row.state) else now
    return None if row.began is None or ended is None else ended - row.began


def _flag(since: float | None) -> str:
    return "false" if since is None else "true"


def _waited(row: RunRow, now: float) -> float | None:
    started = row.began if row.began is not None else None if states.is_terminal(row.state) else now
    return None if started is None else started - moments.epoch_seconds(row.created)


_VALUES: dict[str, Callable[[RunRow, float], FieldValue]] = {
    "id": lambda row, now: row.id,
    "name": lambda row, now: row.name,
    "short_name": lambda row, now: row.short_name,
    "experiment": lambda row, now: row.experiment,
    "state": lambda row, now: row.state,
    "reason": lambda row, now: row.reason or None,
    "exit_code": lambda row, now: row.exit_code,
    "submitted": lambda row, now: moments.epoch_seconds(row.created),
    "started": lambda row, now: row.began,
    "ended": lambda row, now: row.ended,
    "duration": _duration,
    "waited": _waited,
    "script": lambda row, now: row.script,
    "arguments": lambda row, now: row.arguments or None,
    "target": lambda row, now: row.target,
    "user": lambda row, now: row.user or None,
    "kind": lambda row, now: run_kind(row.kind).title,
    "parent": lambda row, now: row.parent,
    "note": lambda row, now: row.note,
    "archived": lambda row, now: _flag(row.archived),
    "pinned": lambda row, now: _flag(row.pinned),
    "removed": lambda row, now: _flag(row.removed),
}


class Search:
    """The workspace's index, refreshed, while it is searched."""

    def __init__(self, workspace: WorkspaceFiles) -> None:
        self.index: Index = find.open_index(workspace)

    def __enter__(self) -> Search:
        return self

    def __exit__(self, *error: object) -> None:
        self.index.close()

    def parse(self, text: str) -> Query:
        """Parse a query. Raises QueryException, also for names that no run has."""
        query, problems = language.analyse(text)
        resolved = [self._resolve(mention) for mention in query.mentions]
        refuse(text, [*problems, *(each for each in resolved if isinstance(each, Problem))])
        found = {
            mention.field: field
            for mention, field in zip(query.mentions, resolved, strict=True)
            if isinstance(field, Field)
        }
        mentions = [mention.replace(field=found[mention.field]) for mention in query.mentions]
        return Query(text, _renamed(query.node, found), tuple(mentions))

    def fields(self, text: str, label: str, signed: bool = False) -> list[Mention]:
        """The fields in a list, such as ``metrics.loss,state``; raises QueryException."""
        mentions = language.parse_fields(text, label, signed)
        known = [self._resolve(mention) for mention in mentions]
        refuse(text, [each for each in known if isinstance(each, Problem)], label)
        return [
            mention.replace(field=field)
            for mention, field in zip(mentions, known, strict=True)
            if isinstance(field, Field)
        ]

    def runs(
        self,
        node: Node,
        sort: Sequence[SortKey] = (),
        limit: int | None = None,
        children: bool = False,
    ) -> list[FoundRun]:
        """The runs for which ``node`` is true, in the order ``sort``, then newest first.

        Child runs are left out unless ``children``, or if the query is about ``parent``; archived
        and removed runs unless it is about them.
        """
        children = children or _is_about_children(node)
        return self._with_values(
            self.index.search(index_search.visible(node), sort, limit, children)
        )

    def run(self, run_id: str) -> FoundRun:
        """The run with this ID, which is there, hidden or not."""
        node = tree.Comparison(fields.known("id"), tree.EQUAL, run_id)
        (found,) = self._with_values(self.index.search(node, limit=1))
        return found

    def _with_values(self, found: list[tuple[int, RunRow]]) -> list[FoundRun]:
        named = self.index.named_values([run for run, _ in found])
        return [FoundRun(row, named[run]) for run, row in found]

    def groups(self, node: Node, by: Field, children: bool = False) -> list[RunGroup]:
        """The runs for which ``node`` is true, by the values of a field; see ``runs``."""
        children = children or _is_about_children(node)
        return self.index.group(index_search.visible(node), by, children)

    def names(self, *spaces: str) -> list[str]:
        """All names in ``spaces``, as a query has them."""
        return [Field(space, name).text for space in spaces for name in self.index.names(space)]

    def _resolve(self, mention: Mention) -> Field | Problem:
        """The field that is meant, or why there is none."""
        field = mention.field
        if field.space == UNKNOWN:
            return self._guess(mention)
        if not field.space or self.index.has_name(field):
            return field
        known = self.index.names(field.space)
        near = suggestion.nearest(field.name, known)
        if not known or (field.space in (fields.TAGS, fields.PROPERTIES) and not near):
            return field  # no run has any yet: nothing to mistype
        if field.space == fields.PROPERTIES and field.name.startswith(_OWN_PROPERTIES):
            return field
        noun = _NOUNS[field.space]
        message = f"No run has a {noun} named {field.name!r}."
        return Problem(message, mention.start, mention.end, _hint(near, known, noun))

    def _guess(self, mention: Mention) -> Field | Problem:
        """The parameter, metric or tag of a name that has no ``params.`` or the like before it."""
        name = mention.field.name
        candidates = [Field(space, fields.canonical(space, name)) for space in _GUESSED]
        found = [field for field in candidates if self.index.has_name(field)]
        found = [field for field in found if field.space != fields.TAGS] or found
        if len(found) == 1 or (found and not self.index.has_name(found[0], given=True)):
            return found[-1]
        if found and not self.index.differs(found[0], found[1]):
            return found[0]
        if not found:
            known = tuple(self.names(*_GUESSED))
            own = [*fields.FIELDS, *fields.ALIASES]
            if not known and "." not in name and not suggestion.nearest(name, own):
                return candidates[0]  # no run has any yet: nothing to mistype
            return language.unknown_field(name, mention.start, mention.end, known)
        choices = " or ".join(field.text for field in found)
        message = f"{name!r} is ambiguous."
        return Problem(message, mention.start, mention.end, f"Write {choices}.")


def search(
    workspace: WorkspaceFiles,
    query: str = "",
    sort: str | None = None,
    limit: int | None = None,
    children: bool = False,
) -> list[FoundRun]:
    """The runs that match ``query``, sorted by the fields in ``sort``, else newest first."""
    with Search(workspace) as index:
        keys = index.fields(sort, "sort order", signed=True) if sort else []
        return index.runs(index.parse(query).node, sort_keys(keys), limit, children)


def sort_keys(mentions: Iterable[Mention]) -> list[SortKey]:
    """The sort keys of the fields in a sort order."""
    return [SortKey(mention.field, mention.descending) for mention in mentions]


def differing_fields(found: Sequence[FoundRun]) -> list[Field]:
    """The parameters, then the metrics, whose values are not equal in all of ``found``.

    Those of the most runs come first, then those logged several times. Those of a single run are
    all that it has. A metric is left out if it only repeats the parameter of that name.
    """
    counts = Counter(Field(fields.PARAMS, name) for run in found for name in run.named.params)
    metrics = Counter(Field(fields.METRICS, name) for run in found for name in run.named.metrics)
    once = Counter(Field(fields.METRICS, name) for run in found for name in run.named.logged)
    names = [
        *sorted(counts, key=lambda field: -counts[field]),
        *sorted(metrics, key=lambda field: (-metrics[field], once[field])),
    ]
    return [
        field
        for field in names
        if not _repeats_parameter(found, field, counts)
        and (len(found) == 1 or len({repr(run.typed(field, 0.0)) for run in found}) > 1)
    ]


def _are_same(first: object, second: object) -> bool:
    return first == second or str(first) == str(second) == "nan"


def _repeats_parameter(found: Sequence[FoundRun], field: Field, params: Container[Field]) -> bool:
    """Whether a metric has the value of the parameter of that name in all of ``found``."""
    param = Field(fields.PARAMS, fields.canonical(fields.PARAMS, field.name))
    return (
        field.space == fields.METRICS
        and param in params
        and all(_are_same(run.typed(field, 0.0), run.typed(param, 0.0)) for run in found)
    )


def _is_about_children(node: Node) -> bool:
    return any(field.name == "parent" and not field.space for field in tree.fields_of(node))


def _renamed(node: Node, names: dict[Field, Field]) -> Node:
    """``node`` with the fields that were resolved."""
    if isinstance(node, tree.Comparison | tree.Has):
        return node.replace(field=names.get(node.field, node.field))
    if isinstance(node, tree.Not):
        return tree.Not(_renamed(node.item, names))
    if isinstance(node, tree.And | tree.Or):
        return type(node)(tuple(_renamed(item, names) for item in node.items))
    return node


def _hint(near: list[str], known: list[str], noun: str) -> str:
    if near:
        return f"Did you mean {near[0]!r}?"
    listed = ", ".join(map(one_line, known[:_MAX_LISTED])) + (
        ", ..." if len(known) > _MAX_LISTED else ""
    )
    plural = {"property": "Properties"}.get(noun, f"{noun.capitalize()}s")
    return f"{plural}: {listed}."

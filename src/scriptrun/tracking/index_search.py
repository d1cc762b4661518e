"""Answer queries from the index: a query's tree as SQL, and the names that runs have."""

from __future__ import annotations

from collections.abc import Sequence

from scriptrun.query import fields, tree
from scriptrun.query.fields import Field
from scriptrun.spec import states
from scriptrun.spec.run_kinds import RUN_KINDS
from scriptrun.spec.values import Value
from scriptrun.tracking import run_marks
from scriptrun.tracking.index_tables import to_sqlite

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

    from scriptrun.query.tree import Comparison, Node
    from scriptrun.tracking.index_tables import SqlValue

_ENDED = ", ".join(f"'{state}'" for state in sorted(states.TERMINAL))
_OTHER_KINDS = " ".join(
    f"when '{kind.name}' then '{kind.title}'" for kind in RUN_KINDS.values() if kind.title != "run"
)
#: the fields that every run has, as expressions on the table ``runs``; ``:now`` is a time
_EXPRESSIONS = {
    "id": "runs.id",
    "name": "(case runs.display_name when runs.id then runs.short_name else runs.display_name end)",
    "short_name": "runs.short_name",
    "experiment": "runs.experiment",
    "state": "runs.state",
    "reason": "nullif(runs.reason, '')",
    "exit_code": "runs.exit_code",
    "submitted": "runs.submitted",
    "started": "runs.began",
    "ended": "runs.ended",
    "duration": f"(case when runs.state in ({_ENDED}) then runs.ended else :now end - runs.began)",
    "waited": f"(case when runs.began is not null then runs.began when runs.state in ({_ENDED}) "
    "then null else :now end - runs.submitted)",
    "script": "runs.script",
    "arguments": "nullif(runs.arguments, '')",
    "target": "runs.target",
    "user": "nullif(runs.user, '')",
    "kind": f"(case runs.kind {_OTHER_KINDS} else 'run' end)",
    "parent": "runs.parent",
    "note": "runs.note",
    **{
        name: f"(case when runs.{name} is null then 'false' else 'true' end)"
        for name in run_marks.NAMES
    },
}
#: of min.NAME and max.NAME: the column of the metric
_EXTREMES = {fields.LOWEST: "low", fields.HIGHEST: "high"}
#: the fields that a word by itself is looked for in
WORD_FIELDS = ("id", "name", "experiment", "script")


class SortKey(Value):
    """A field to sort by; runs that do not have it come last."""

    field: Field
    descending: bool = False


class _Sql(Value, frozen=False):
    """A condition in the making, with the values of its placeholders."""

    now: float
    values: dict[str, SqlValue]

    def value(self, value: SqlValue) -> str:
        """A placeholder for ``value``."""
        name = f"v{len(self.values)}"
        self.values[name] = to_sqlite(value) if isinstance(value, str) else value
        return f":{name}"

    def condition(self, node: Node) -> str:
        """``node`` as an expression that is 0 or 1, and never null."""
        if isinstance(node, tree.And | tree.Or):
            is_and = isinstance(node, tree.And)
            parts = [self.condition(item) for item in node.items]
            return f"({(' and ' if is_and else ' or ').join(parts)})" if parts else str(int(is_and))
        if isinstance(node, tree.Not):
            return f"(not {self.condition(node.item)})"
        if isinstance(node, tree.Word):
            looked_in = (self._contains(_EXPRESSIONS[name], node.text) for name in WORD_FIELDS)
            return f"({' or '.join(looked_in)})"
        if isinstance(node, tree.Has):
            return self._of_fact(node.field, "1")
        if node.field.space:
            return self._of_fact(node.field, self._fact_condition(node))
        return self._of_run(node)

    def _of_run(self, node: Comparison) -> str:
        expression = _EXPRESSIONS[node.field.name]
        if node.field.kind == fields.FLAG:
            return f"(runs.{node.field.name} is {'not ' if node.number else ''}null)"
        if node.moment is not None:
            compared = self._moment_condition(expression, node)
        elif node.operator in (tree.CONTAINS, tree.LACKS):
            negation = "not " if node.operator == tree.LACKS else ""
            compared = f"{negation}{self._contains(expression, node.text)}"
        else:
            value = node.text if node.number is None else node.number
            compared = f"{expression} {node.operator} {self.value(value)}"
        return f"({expression} is not null and {compared})"

    def _moment_condition(self, expression: str, node: Comparison) -> str:
        assert node.moment is not None
        start, end = (self.value(value) for value in (node.moment.start, node.moment.end))
        inside = f"({expression} >= {start} and {expression} < {end})"
        if node.moment.start == node.moment.end:
            inside = f"{expression} = {start}"
        return {
            "=": inside,
            "!=": f"not {inside}",
            "<": f"{expression} < {start}",
            "<=": f"({expression} < {end} or {expression} = {start})",
            ">": f"({expression} >= {end} and {expression} != {start})",
            ">=": f"{expression} >= {start}",
        }[node.operator]

    def _contains(self, expression: str, part: str) -> str:
        """Whether a text contains ``part``, in any case; SQLite's own ``lower`` knows ASCII."""
        if part.isascii():
            return f"(ifnull(instr(lower({expression}), {self.value(part.lower())}), 0) > 0)"
        return f"contains({expression}, {self.value(part.lower())})"

    def _of_fact(self, field: Field, condition: str) -> str:
        """Whether the run is among those with the field for which ``condition`` is true."""
        column = _EXTREMES.get(field.space)
        space = self.value(fields.METRICS if column else field.space)
        known = f" and {column} is not null" if column else ""
        return (
            f"runs.run in (select run from facts where space = {space} "
            f"and key = {self.value(field.name)}{known} and {condition})"
        )

    def _fact_condition(self, node: Comparison) -> str:
        column = _EXTREMES.get(node.field.space, "number")
        text = "null" if node.field.space in _EXTREMES else "text"
        if node.operator in (tree.CONTAINS, tree.LACKS):
            found = self._contains(text, node.text)
            return found if node.operator == tree.CONTAINS else f"not {found}"
        compared, value = (text, node.text) if node.number is None else (column, node.number)
        operator = {"=": "is", "!=": "is not"}.get(node.operator, node.operator)
        return f"{compared} {operator} {self.value(value)}"


def visible(node: Node) -> Node:
    """``node`` without the runs that are hidden: removed and archived ones.

    Unless it is about them. A query for removed runs finds those that are archived, too.
    """
    named = {field.name for field in tree.fields_of(node) if not field.space}
    hidden = [] if run_marks.REMOVED in named else [run_marks.REMOVED]
    if not named & {run_marks.REMOVED, run_marks.ARCHIVED}:
        hidden.append(run_marks.ARCHIVED)
    conditions = [tree.flag(fields.known(name), False) for name in hidden]
    return tree.And((node, *conditions)) if conditions else node


def select(
    database: sqlite3.Connection,
    columns: Sequence[str],
    node: Node,
    sort: Sequence[SortKey],
    limit: int | None,
    now: float,
) -> list[tuple[SqlValue, ...]]:
    """``columns`` of the runs for which ``node`` is true, in the order ``sort``, newest first."""
    sql = _Sql(now, {"now": now})
    joins, order = _order(sql, sort)
    selected = ", ".join(f"runs.{name}" for name in columns)
    query = f"select {selected} from runs{joins} where {sql.condition(node)} order by {order}"
    if limit is not None:
        query += f" limit {sql.value(limit)}"
    used = {name: value for name, value in sql.values.items() if f":{name}" in query}
    return database.execute(query, used).fetchall()


def _order(sql: _Sql, sort: Sequence[SortKey]) -> tuple[str, str]:
    """The joins that the order needs, and the order."""
    joins, order = "", []
    for number, key in enumerate(sort):
        direction = "desc" if key.descending else "asc"
        expressions = [_EXPRESSIONS.get(key.field.name, "")]
        if key.field.space:
            column = _EXTREMES.get(key.field.space, "")
            space = sql.value(fields.METRICS if column else key.field.space)
            name = f"sorted{number}"
            joins += (
                f" left join facts {name} on {name}.space = {space} "
                f"and {name}.key = {sql.value(key.field.name)} and {name}.run = runs.run"
            )
            expressions = [f"{name}.{column}"] if column else [f"{name}.number", f"{name}.text"]
        order += [f"{each} is null, {each} {direction}" for each in expressions]
    return joins, ", ".join([*order, "runs.created desc", "runs.id desc"])


def grouping(by: Field) -> tuple[str, str, dict[str, SqlValue]]:
    """The value of a field as an expression, with the join that it needs and its values."""
    if not by.space:
        return _EXPRESSIONS[by.name], "", {}
    column = _EXTREMES.get(by.space, "")
    join = (
        " left join facts as by_field on by_field.space = :by_space "
        "and by_field.key = :by_key and by_field.run = runs.run"
    )
    values: dict[str, SqlValue] = {
        "by_space": fields.METRICS if column else by.space,
        "by_key": to_sqlite(by.name),
    }
    found = f"by_field.{column}" if column else "coalesce(by_field.number, by_field.text, '')"
    return f"(case when by_field.run is null then null else {found} end)", join, values


def insert_matching(
    database: sqlite3.Connection,
    node: Node,
    expression: str,
    join: str,
    values: dict[str, SqlValue],
    now: float,
) -> None:
    """Fill the table ``grouped`` with the runs for which ``node`` is true."""
    sql = _Sql(now, {"now": now, **values})
    query = (
        f"insert into temp.grouped select runs.run, {expression}, runs.state "
        f"from runs{join} where {sql.condition(node)}"
    )
    used = {name: value for name, value in sql.values.items() if f":{name}" in query}
    database.execute(query, used)


def names(database: sqlite3.Connection, space: str) -> list[str]:
    """The names in ``space`` that any run has, in order; each costs one look into the index."""
    query = """
        with recursive found(key) as (
            select min(key) from facts where space = :space
            union all
            select (select min(key) from facts where space = :space and key > found.key)
            from found where found.key is not null
        )
        select key from found where key is not null
    """
    source = fields.METRICS if space in _EXTREMES else space
    return [name for (name,) in database.execute(query, {"space": source})]


def has_name(database: sqlite3.Connection, field: Field, given: bool) -> bool:
    """Whether any run has the field; ``given``: as an argument, not logged as a metric."""
    source = fields.METRICS if field.space in _EXTREMES else field.space
    query = "select 1 from facts where space = ? and key = ?"
    query += " and count = 0 limit 1" if given else " limit 1"
    return database.execute(query, (source, to_sqlite(field.name))).fetchone() is not None


def differs(database: sqlite3.Connection, param: Field, metric: Field) -> bool:
    """Whether any run logged the metric several times, or as another value than the parameter's."""
    query = """
        select 1 from facts as logged where space = :metrics and key = :metric and (
            count > 1 or exists (
                select 1 from facts as given
                where given.run = logged.run and given.space = :params and given.key = :param
                and (given.number is not logged.number
                     or given.number is null and given.text is not logged.text)
            )
        ) limit 1
    """
    values = {
        **{"metrics": metric.space, "metric": to_sqlite(metric.name)},
        **{"params": param.space, "param": to_sqlite(param.name)},
    }
    return database.execute(query, values).fetchone() is not None


def unique_prefix(database: sqlite3.Connection, run_id: str, is_child: bool, at_least: int) -> str:
    """The shortest prefix of ``run_id`` that names this run, of ``at_least`` characters.

    That of a run without a parent may begin the IDs of child runs, too.
    """
    among = "" if is_child else "and parent is null "
    neighbours = [
        database.execute(
            f"select id from runs where id {sign} ? {among}order by id {direction} limit 1",
            (run_id,),
        ).fetchone()
        for sign, direction in (("<", "desc"), (">", "asc"))
    ]
    length = at_least
    for neighbour in neighbours:
        if neighbour is not None:
            length = max(length, _common(run_id, neighbour[0]) + 1)
    return run_id[:length]


def _common(first: str, second: str) -> int:
    """How many characters two texts have in common at their start."""
    count = 0
    for a, b in zip(first, second, strict=False):
        if a != b:
            break
        count += 1
    return count

"""Conditions on a table's columns, as JSON values: ``dataset["age"] > 30``."""

from __future__ import annotations

import datetime
import decimal
import operator
from collections.abc import Callable, Iterable, Mapping

from scriptrun.data.errors import DatasetValidationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pyarrow.compute as pc

Value = object


class Expression:
    """A condition, or a column. ``value`` is JSON: an operation's name, then its operands.

    Combine conditions with ``&`` and ``|``, and negate them with ``~``.
    """

    def __init__(self, value: Value) -> None:
        self.value = value

    def __gt__(self, other: object) -> Expression:
        return self._with("gt", other)

    def __ge__(self, other: object) -> Expression:
        return self._with("ge", other)

    def __lt__(self, other: object) -> Expression:
        return self._with("lt", other)

    def __le__(self, other: object) -> Expression:
        return self._with("le", other)

    # a condition on the rows instead of a truth value, as in pandas
    def __eq__(self, other: object) -> Expression:  # type: ignore[override]
        return self._with("eq", other)

    # like __eq__
    def __ne__(self, other: object) -> Expression:  # type: ignore[override]
        return self._with("ne", other)

    def __and__(self, other: Expression) -> Expression:
        return self._with("and", other)

    def __or__(self, other: Expression) -> Expression:
        return self._with("or", other)

    def __invert__(self) -> Expression:
        return Expression(["not", self.value])

    def is_null(self) -> Expression:
        """Whether the column is null."""
        return Expression(["null", self.value])

    def isin(self, values: Iterable[object]) -> Expression:
        """Whether the column is one of ``values``."""
        return Expression(["in", self.value, [_json_value(item) for item in values]])

    def contains(self, text: str) -> Expression:
        """Whether the column's text contains ``text``."""
        return Expression(["contains", self.value, text])

    def starts_with(self, text: str) -> Expression:
        """Whether the column's text starts with ``text``."""
        return Expression(["starts", self.value, text])

    def __bool__(self) -> bool:
        raise DatasetValidationError(
            "A condition on columns has no truth value.",
            "Combine conditions with & and | (each in parentheses) instead of `and` and `or`.",
        )

    def __hash__(self) -> int:
        return hash(repr(self.value))

    def __repr__(self) -> str:
        return f"Expression({self.value!r})"

    def _with(self, name: str, other: object) -> Expression:
        return Expression([name, self.value, _json_value(other)])


def column(name: str) -> Expression:
    """The column ``name``."""
    return Expression(["column", name])


def column_names(value: Value) -> set[str]:
    """The names of the columns that a condition uses."""
    if not isinstance(value, list) or not value:
        return set()
    if value[0] == "column":
        return {value[1]}
    operands = value[1:2] if value[0] in _FUNCTIONS else value[1:]
    return set().union(*map(column_names, operands)) if operands else set()


def to_arrow(value: Value, exact: Mapping[str, bool] | None = None) -> pc.Expression:
    """The condition as a pyarrow expression.

    ``exact`` are the columns of decimals, and of uint64 (true), which pyarrow does not compare with
    all whole numbers as they are.
    """
    import pyarrow.compute as pc

    if not isinstance(value, list):
        return pc.scalar(_arrow_number(value))
    name, first, *rest = value
    if name == "column":
        return _decimal_column(first) if exact and exact.get(first) else pc.field(first)
    if name == "datetime":
        return pc.scalar(datetime.datetime.fromisoformat(first))
    left = to_arrow(first, exact)
    if name in _FUNCTIONS:
        return _FUNCTIONS[name](left, *rest)
    right = rest[0]
    if type(right) is int and not column_names(first).isdisjoint(exact or ()):
        right = decimal.Decimal(right)
    return getattr(operator, _OPERATORS.get(name, str(name)))(left, to_arrow(right, exact))


def _decimal_column(name: str) -> pc.Expression:
    """A column of uint64; compared as they are, numbers must be of int64."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.field(name).cast(pa.decimal128(20, 0))


def _arrow_number(value: Value) -> Value:
    is_large = isinstance(value, int) and not -(2**63) <= value < 2**63
    return decimal.Decimal(str(value)) if is_large else value


def _contains(left: pc.Expression, text: str) -> pc.Expression:
    import pyarrow.compute as pc

    return pc.match_substring(left, text)


def _starts(left: pc.Expression, text: str) -> pc.Expression:
    import pyarrow.compute as pc

    return pc.starts_with(left, text)


#: operations whose second operand, if any, is a plain value
_FUNCTIONS: dict[str, Callable[..., pc.Expression]] = {
    "not": operator.invert,
    "null": lambda left: left.is_null(),
    "in": lambda left, values: left.isin([_arrow_number(value) for value in values]),
    "contains": _contains,
    "starts": _starts,
}
_OPERATORS = {"and": "and_", "or": "or_"}


def _json_value(other: object) -> Value:
    if isinstance(other, Expression):
        return other.value
    if isinstance(other, datetime.datetime | datetime.date):
        moment = (
            other
            if isinstance(other, datetime.datetime)
            else datetime.datetime(other.year, other.month, other.day)
        )
        return ["datetime", moment.isoformat()]
    item = getattr(other, "item", None)
    plain = item() if callable(item) else other
    if plain is None or isinstance(plain, str | int | float | bool):
        return plain
    raise DatasetValidationError(
        f"A column can only be compared with a plain value, not {other!r}.",
        "Use a number, text, bool, date or time.",
    )

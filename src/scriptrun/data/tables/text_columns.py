"""Columns of delimited text as typed ones: the narrowest type that keeps every value as it is."""

from __future__ import annotations

from scriptrun.data.tables import exact_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pyarrow as pa

#: digits that begin with 0 are not a number but a code (``00501``, ``0x1f``)
_CODE = r"^\s*[+-]?0[0-9xX]."
#: a time with a zone
_ZONE = r":\d\d(\.\d+)?\s*(Z|[+-]\d\d(:?\d\d)?)\s*$"
_WHOLE = r"^\s*[+-]?\d+\s*$"
_DECIMAL = r"^\s*[+-]?(\d+(\.\d*)?|\.\d+)\s*$"


class UnfitValue(Exception):
    """``value`` in ``column`` is not of its type."""

    def __init__(self, column: str, value: str, kind: pa.DataType) -> None:
        super().__init__(column, value, kind)
        self.column, self.value, self.kind = column, value, kind


class Conversion:
    """How the texts of one column become values of the type ``kind``.

    ``is_given``: the user set the type, so texts are taken as it has them; ``formats`` are those
    of dates, and ``decimal_mark`` that of floats.
    """

    def __init__(
        self,
        kind: pa.DataType,
        is_given: bool = False,
        formats: Iterable[str] = (),
        decimal_mark: str = ".",
    ) -> None:
        self.kind, self.is_given, self.formats = kind, is_given, list(formats)
        self.decimal_mark = decimal_mark

    def apply(self, name: str, texts: pa.Array) -> pa.Array:
        """The values. Raises UnfitValue for a text that is none."""
        import pyarrow as pa

        if self.kind == pa.string():
            return texts
        values = self._convert(texts)
        if (values is None and not pa.types.is_null(self.kind)) or _has_nan(values):
            texts = without_nulls(texts)
            values = self._convert(texts)
        if values is None:
            raise UnfitValue(name, self._first_unfit(texts), self.kind)
        return values

    def _convert(self, texts: pa.Array) -> pa.Array | None:
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_timestamp(self.kind) and self.is_given:
            return _given_times(texts, self.kind, self.formats)
        if self.is_given:
            if pa.types.is_floating(self.kind) and self.decimal_mark != ".":
                texts = pc.replace_substring(texts, self.decimal_mark, ".")
            whole = pa.types.is_integer(self.kind)
            return _numbers(texts, self.kind, True, _without_zero_fraction if whole else None)
        return converted(texts, self.kind, spells_nulls=True)

    def _first_unfit(self, texts: pa.Array) -> str:
        """The first text that does not fit, found by halving."""
        while len(texts) > 1:
            half = len(texts) // 2
            first = texts.slice(0, half)
            texts = texts.slice(half) if self._convert(first) is not None else first
        return str(texts[0].as_py())


def without_nulls(texts: pa.Array) -> pa.Array:
    """``texts`` with nulls where they spell one (``NA``, ``NaN``), as in columns of no texts."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    spellings = pa.array(csv.ConvertOptions().null_values, pa.string())
    return pc.if_else(pc.is_in(texts, spellings), pa.scalar(None, pa.string()), texts)


def _has_nan(values: pa.Array | None) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    is_float = values is not None and pa.types.is_floating(values.type)
    return is_float and bool(pc.any(pc.is_nan(values)).as_py())


def converted(
    texts: pa.Array, kind: pa.DataType, may_be_codes: bool = True, spells_nulls: bool = False
) -> pa.Array | None:
    """``texts`` as ``kind``; None if one is not of that type, or would lose a digit.

    ``may_be_codes``: numbers are looked through for codes. ``spells_nulls``: ``NA`` is a null.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    types = pa.types
    if types.is_null(kind):
        return pa.nulls(len(texts)) if texts.null_count == len(texts) else None
    if types.is_time(kind):
        return _times_of_day(texts, kind)
    digits = pa.array(["0", "1"])
    if (may_be_codes and _is_number(kind) and _has_codes(texts)) or (
        types.is_boolean(kind) and pc.any(pc.is_in(texts, digits)).as_py()
    ):
        return None
    values = _numbers(texts, kind, spells_nulls)
    if values is None or not types.is_floating(kind):
        return values
    if exact_numbers.has_large_floats(values):
        large = pc.greater_equal(pc.abs(values), float(exact_numbers.FLOAT_LIMIT))
        if any(map(exact_numbers.loses_digits, texts.filter(large).to_pylist())):
            return None
    return values


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _numbers(
    texts: pa.Array,
    kind: pa.DataType,
    spells_nulls: bool = False,
    last: Callable[[pa.Array], pa.Array] | None = None,
) -> pa.Array | None:
    """``texts`` as ``kind``, as they are and after small changes, of which ``last`` is one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    nulls = [without_nulls] if spells_nulls else []
    changes = (None, *nulls, pc.utf8_trim_whitespace, _without_plus, *([last] if last else []))
    for change in changes:
        texts = texts if change is None else change(texts)
        try:
            return pc.cast(texts, kind)
        except pa.ArrowException:
            continue
    return None


def _without_plus(texts: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.replace_substring_regex(texts, r"^\+(\d|\.)", r"\1")


def _without_zero_fraction(texts: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.replace_substring_regex(texts, r"\.0*$", "")


def _has_codes(texts: pa.Array) -> bool:
    """Whether a text begins with 0 as only codes do; two digits are a month or an hour."""
    import pyarrow.compute as pc

    return bool(pc.any(pc.match_substring_regex(texts, _CODE)).as_py())


def _times_of_day(texts: pa.Array, kind: pa.DataType) -> pa.Array | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    moments = _numbers(
        pc.binary_join_element_wise("1970-01-01", texts, " "), pa.timestamp(kind.unit)
    )
    return None if moments is None else pc.cast(moments, kind)


def _given_times(texts: pa.Array, kind: pa.DataType, formats: list[str]) -> pa.Array | None:
    """Times as the user's ``formats`` or ISO 8601 have them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if formats:
        found = [pc.strptime(texts, format=text, unit="us", error_is_null=True) for text in formats]
        values = pc.coalesce(*found).cast(kind)
        rest = texts.filter(pc.and_(pc.is_null(values), pc.is_valid(texts)))
        if not len(rest):
            return values
        others = _given_times(rest, kind, [])
        if others is None:
            return None
        missing = pc.and_(pc.is_null(values), pc.is_valid(texts))
        return pc.replace_with_mask(values, missing, others)
    has_zone = pc.fill_null(pc.match_substring_regex(texts, _ZONE), False)
    plain = _numbers(texts.filter(pc.invert(has_zone)), kind)
    zoned = _numbers(texts.filter(has_zone), pa.timestamp(kind.unit, "UTC"))
    if plain is None or zoned is None or not len(zoned):
        return None if zoned is None else plain
    if not len(plain):
        return zoned.cast(kind)
    values = pc.replace_with_mask(pa.nulls(len(texts), kind), has_zone, zoned.cast(kind))
    return pc.replace_with_mask(values, pc.invert(has_zone), plain)


def are_whole(texts: pa.Array) -> bool:
    """Whether all texts are whole numbers."""
    import pyarrow.compute as pc

    return bool(pc.all(pc.match_substring_regex(texts, _WHOLE)).as_py())


class ColumnProfile:
    """What all texts of one column have in common, batch by batch; ``kind`` is their type."""

    def __init__(self) -> None:
        self.kinds = _candidates()
        self._has_values = False
        self._are_whole = True

    def add(self, texts: pa.Array) -> None:
        """Take in some of the column's texts."""
        texts = texts.drop_null()
        if not len(texts) or not self.kinds:
            return
        self._has_values = True
        self._are_whole = self._are_whole and are_whole(texts)
        if any(map(_is_number, self.kinds)) and _has_codes(texts):
            self.kinds = [kind for kind in self.kinds if not _is_number(kind)]
        first = texts.slice(0, 1)
        self.kinds = [
            kind
            for kind in self.kinds
            if all(converted(part, kind, False) is not None for part in (first, texts))
        ]

    @property
    def kind(self) -> pa.DataType:
        """The narrowest type that keeps all values; text if there is none."""
        import pyarrow as pa

        if not self._has_values:
            return pa.null()
        kind = self.kinds[0] if self.kinds else pa.string()
        return pa.string() if self._are_whole and pa.types.is_floating(kind) else kind


class DecimalProfile:
    """How many digits the numbers of one column have."""

    def __init__(self) -> None:
        self._are_numbers = True
        self._whole = self._fraction = 0

    def add(self, texts: pa.Array) -> None:
        """Take in some of the column's texts."""
        import pyarrow.compute as pc

        texts = texts.drop_null()
        if not len(texts) or not self._are_numbers:
            return
        is_decimal = pc.all(pc.match_substring_regex(texts, _DECIMAL)).as_py()
        if not is_decimal or _has_codes(texts):
            self._are_numbers = False
            return
        whole, fraction = (
            pc.max(pc.utf8_length(pc.replace_substring_regex(texts, pattern, ""))).as_py()
            for pattern in (r"[\s+-]|\..*$", r"^[^.]*\.?|\s")
        )
        self._whole, self._fraction = max(whole, self._whole), max(fraction, self._fraction)

    @property
    def kind(self) -> pa.DataType:
        """A decimal that holds all digits; text if there is none."""
        import pyarrow as pa

        if self._are_numbers and self._whole + self._fraction <= exact_numbers.MOST_DIGITS:
            return pa.decimal128(exact_numbers.MOST_DIGITS, self._fraction)
        return pa.string()


def _candidates() -> list[pa.DataType]:
    import pyarrow as pa

    units = ("s", "us", "ns")
    return [
        pa.int64(),
        pa.uint64(),
        pa.float64(),
        pa.bool_(),
        pa.time32("s"),
        *(pa.timestamp(unit) for unit in units),
        *(pa.timestamp(unit, "UTC") for unit in units),
    ]


def profile(
    read: Callable[[list[str]], Iterable[pa.RecordBatch]],
    names: list[str],
) -> dict[str, pa.DataType]:
    """The types of the columns ``names`` in all batches that ``read`` gives of them."""
    import pyarrow as pa

    kinds = _profile({name: ColumnProfile() for name in names}, read)
    texts = [name for name, kind in kinds.items() if kind == pa.string()]
    return kinds | _profile({name: DecimalProfile() for name in texts}, read)


def _profile(
    profiles: Mapping[str, ColumnProfile | DecimalProfile],
    read: Callable[[list[str]], Iterable[pa.RecordBatch]],
) -> dict[str, pa.DataType]:
    for batch in read(list(profiles)) if profiles else ():
        for name, column in profiles.items():
            column.add(without_nulls(batch.column(name)))
    return {name: column.kind for name, column in profiles.items()}

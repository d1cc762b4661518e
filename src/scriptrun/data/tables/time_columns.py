"""Tables with a timestamp column: select rows by a time range."""

from __future__ import annotations

import datetime
from typing import Self

from scriptrun.data.errors import DatasetValidationError
from scriptrun.data.tables import partitions
from scriptrun.data.tables.expressions import Expression, column

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.data.datasets.content import Content
    from scriptrun.runtime.hints import Json


class TimeColumns:
    """A mixin for tables; these have the attributes and methods that it declares."""

    _options: Json
    _content: Content

    if TYPE_CHECKING:

        def _with(self, files: Content, **options: object) -> Self: ...

        def filter(self, expression: Expression) -> Self:
            """The rows for which ``expression`` is true."""

        def keep_columns(self, columns: str | list[str], validate: bool = False) -> Self:
            """Keep only these columns."""

    def with_timestamp_columns(
        self,
        timestamp: str | None = None,
        partition_timestamp: str | None = None,
        validate: bool = False,
        **kwargs: str | None,
    ) -> Self:
        """A copy of the table with ``timestamp`` as its timestamp column.

        ``partition_timestamp`` is a column from the files' paths: whole files are skipped by it.
        ``validate`` checks now that the columns exist.
        """
        v1_names = kwargs.get("fine_grain_timestamp"), kwargs.get("coarse_grain_timestamp")
        names = [timestamp or v1_names[0], partition_timestamp or v1_names[1]]
        table = self._with(self._content, timestamps=names)
        if validate:
            table.keep_columns([name for name in names if name], validate=True)
        return table

    @property
    def timestamp_columns(self) -> tuple[str | None, str | None]:
        """The timestamp column, and the one from the files' paths; None if not set."""
        fine, coarse = self._options.get("timestamps") or (None, None)
        return fine, coarse

    def time_before(
        self, end_time: datetime.datetime, include_boundary: bool = True, validate: bool = True
    ) -> Self:
        """The rows up to ``end_time``. Raises DatasetValidationError without a timestamp column."""
        return self._between(None, end_time, include_boundary)

    def time_after(
        self, start_time: datetime.datetime, include_boundary: bool = True, validate: bool = True
    ) -> Self:
        """The rows since ``start_time``."""
        return self._between(start_time, None, include_boundary)

    def time_between(
        self,
        start_time: datetime.datetime,
        end_time: datetime.datetime,
        include_boundary: bool = True,
        validate: bool = True,
    ) -> Self:
        """The rows from ``start_time`` up to ``end_time``."""
        return self._between(start_time, end_time, include_boundary)

    def time_recent(
        self, time_delta: datetime.timedelta, include_boundary: bool = True, validate: bool = True
    ) -> Self:
        """The rows of the last ``time_delta``, by this machine's clock in UTC."""
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        return self._between(now - time_delta, None, include_boundary)

    def _between(
        self, start: datetime.datetime | None, end: datetime.datetime | None, inclusive: bool
    ) -> Self:
        fine, coarse = self.timestamp_columns
        if fine is None and coarse is None:
            raise DatasetValidationError(
                "The table has no timestamp column.",
                "Set it first: dataset.with_timestamp_columns(timestamp='when').",
            )
        table = self
        if coarse is not None and fine is None:
            table = table._where(coarse, start, end, True)
        elif coarse is not None:
            table = table._files_between(coarse, start, end)
        if fine is not None:
            table = table._where(fine, start, end, inclusive)
        return table

    def _files_between(
        self, name: str, start: datetime.datetime | None, end: datetime.datetime | None
    ) -> Self:
        """The files that may have rows of this span: each begins at the time in its path."""
        path_format = self._options.get("partition_format")
        columns = partitions.compile_format(path_format).columns if path_format else {}
        date_format = columns.get(name) or ""
        if "%Y" not in date_format:
            return self
        if start is not None:
            begin = datetime.datetime.strptime(start.strftime(date_format), date_format)
            start = begin.replace(tzinfo=start.tzinfo)
        return self._where(name, start, end, True)

    def _where(
        self,
        name: str,
        start: datetime.datetime | None,
        end: datetime.datetime | None,
        inclusive: bool,
    ) -> Self:
        conditions: list[Expression] = []
        if start is not None:
            conditions.append(column(name) >= start if inclusive else column(name) > start)
        if end is not None:
            conditions.append(column(name) <= end if inclusive else column(name) < end)
        table = self
        for condition in conditions:
            table = table.filter(condition)
        return table

"""RunList: the runs that match a query, as a list and as a table."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from pathlib import Path

from scriptrun.core.run import Run
from scriptrun.query import fields
from scriptrun.query.fields import Field
from scriptrun.runs import search
from scriptrun.runs.search import FoundRun
from scriptrun.spec import library_values
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pandas

    from scriptrun.core.workspace import Workspace


class RunList(list[Run]):
    """The runs that ``Workspace.runs`` found: a list of ``Run`` with ``to_pandas``."""

    def __init__(self, workspace: Workspace, found: list[FoundRun]) -> None:
        super().__init__(Run.at(workspace, Path(each.row.folder)) for each in found)
        self._found = found

    def to_dicts(self) -> list[dict[str, object]]:
        """A dict for each run: the fields of a query, and ``params.NAME``, ``metrics.NAME``, ...

        Times are ``datetime`` values in UTC, and durations seconds.
        """
        now = time.time()
        return [_as_dict(each, now) for each in self._found]

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame with a row for each run and the columns of ``to_dicts``.

        Raises UserErrorException if pandas is not installed.
        """
        pandas = library_values.require("pandas", "to_pandas()", "Or use to_dicts().")
        columns = None if self._found else list(fields.FIELDS)
        return pandas.DataFrame(self.to_dicts(), columns=columns)

    to_frame = to_pandas

    def __repr__(self) -> str:
        return f"<{len(self)} run{'' if len(self) == 1 else 's'}: {super().__repr__()}>"


def find(
    workspace: Workspace, query: str, sort: str | None, limit: int | None, children: bool
) -> RunList:
    """The runs that match ``query``; see ``Workspace.runs``."""
    for name, text in (("query", query), ("sort", "" if sort is None else sort)):
        if not isinstance(text, str):
            hint = "Separate fields by commas: sort='-loss,name'." if name == "sort" else ""
            raise UserErrorException(f"{name} must be a string, not {text!r}.", hint)
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int)):
        raise UserErrorException(f"limit must be an integer, not {limit!r}.")
    if limit is not None and limit < 1:
        raise UserErrorException(f"limit must be at least 1, not {limit}.")
    return RunList(workspace, search.search(workspace, query, sort, limit, children))


def _as_dict(found: FoundRun, now: float) -> dict[str, object]:
    named = found.named
    spaces: dict[str, Mapping[str, object]] = {
        fields.PARAMS: named.params,  # what was logged once is there as a metric
        fields.METRICS: named.metrics,
        fields.TAGS: found.row.tags,
        fields.PROPERTIES: named.properties,
    }
    values: dict[str, object] = {
        name: _converted(found.value(Field("", name), now), known.kind)
        for name, known in fields.FIELDS.items()
    }
    for space, names in spaces.items():
        for name in names:
            values[f"{space}.{name}"] = found.typed(Field(space, name), now)
    return values


def _converted(value: object, kind: str) -> object:
    if kind == fields.TIME and isinstance(value, int | float):
        return datetime.datetime.fromtimestamp(value, datetime.UTC)
    if kind == fields.FLAG:
        return value == "true"
    return value

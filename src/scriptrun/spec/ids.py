"""Ids and timestamps for records."""

from __future__ import annotations

import time

from scriptrun.runtime import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


def new_id(experiment: str) -> str:
    """A run id in the SDK v1's format: experiment, seconds, eight hex digits."""
    return f"{experiment}_{int(time.time())}_{files.unique(8)}"


def now_to_the_second() -> str:
    """The time as ISO 8601 in UTC, without fractions of a second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def now() -> str:
    """The time as ISO 8601 in UTC, to the microsecond."""
    return utc(time.time())


def utc(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, to the microsecond."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1e6):06d}Z"


def with_iso_times(record: Json, *names: str) -> Json:
    """A copy of ``record`` in which ``names``, in seconds since 1970, are ISO 8601 in UTC.

    Files hold seconds, to compare; whatever is printed or returned as JSON does not.
    """
    seconds = {name: record[name] for name in names if isinstance(record.get(name), int | float)}
    return {**record, **{name: utc(value) for name, value in seconds.items()}}

"""Ids and timestamps for records."""

from __future__ import annotations

import time

from scriptrun.runtime import files


def new_id(experiment: str) -> str:
    """A run id in the SDK v1's format: experiment, seconds, eight hex digits."""
    return f"{experiment}_{int(time.time())}_{files.unique(8)}"


def now_to_the_second() -> str:
    """The time as ISO 8601 in UTC, without fractions of a second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def now() -> str:
    """The time as ISO 8601 in UTC, to the microsecond."""
    seconds = time.time()
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1e6):06d}Z"

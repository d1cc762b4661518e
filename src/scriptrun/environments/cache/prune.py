"""Prune the environment cache by age, number or size; environments in use stay."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence

from scriptrun.environments.builder import Log
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.cache import limit as cache_limit
from scriptrun.environments.cache import listing as cache_listing
from scriptrun.environments.cache.listing import Entry
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.values import Value
from scriptrun.store import paths

#: seconds for which a used environment counts as in use, even if no process runs in it yet
FRESH = 60.0


class Pruned(Value):
    """The removed environments, and those that could not be removed, each with the reason."""

    removed: tuple[Entry, ...]
    kept: tuple[tuple[Entry, str], ...]

    @property
    def freed(self) -> int:
        """The bytes that were freed."""
        return sum(entry.size for entry in self.removed)


def prune(
    *,
    older_than: float | None = None,
    keep: int | None = None,
    max_size: int | None = None,
    dry: bool = False,
) -> Pruned:
    """Remove built environments, the longest unused first.

    ``older_than``: those unused for this many seconds. ``keep``: all but this many last used.
    ``max_size``: until the rest is at most this many bytes. An environment goes if any of them
    selects it; without any, all go. ``dry`` only reports what would be removed.
    """
    entries = cache_listing.listing()
    if older_than is None and keep is None and max_size is None:
        chosen = entries
    else:
        chosen = list(_chosen(entries, older_than, keep, max_size))
    return _remove(sorted(chosen, key=lambda entry: entry.used), dry)


def _chosen(
    entries: Sequence[Entry], older_than: float | None, keep: int | None, max_size: int | None
) -> Iterator[Entry]:
    """The ``entries`` to remove; they are sorted by last use, newest first."""
    total = 0
    for number, entry in enumerate(entries):
        total += entry.size
        old = older_than is not None and cache_listing.age(entry) > older_than
        if old or (keep is not None and number >= keep) or _over(total, max_size):
            yield entry


def _over(total: int, limit: int | None) -> bool:
    return limit is not None and total > limit


def _remove(entries: Iterable[Entry], dry: bool = False) -> Pruned:
    removed, kept = [], []
    for entry in entries:
        reason = _in_use(entry)
        if not reason and not dry:
            try:
                cache_listing.remove(entry.key)
            except EnvironmentException as error:
                reason = error.message
        if reason:
            kept.append((entry, reason))
        else:
            removed.append(entry)
    return Pruned(tuple(removed), tuple(kept))


def _in_use(entry: Entry) -> str:
    if cache_listing.age(entry) < FRESH:
        return "built or used less than a minute ago"
    pids = cache_listing.users(cache_folders.of_key(entry.key))
    return f"in use by process {', '.join(map(str, pids))}" if pids else ""


def limit(entries: Sequence[Entry]) -> int:
    """The maximum size of the cache in bytes; ``entries`` are its current contents.

    Raises UserErrorException if the variable that sets it is not a size.
    """
    named = cache_limit.given()
    if named is not None:
        return named
    used = sum(entry.size for entry in entries)
    return (used + shutil.disk_usage(paths.cache_root()).free) // 2


def keep_within(place: str, log: Log) -> None:
    """After a build in ``place``: remove others until the cache is within its size limit."""
    entries = cache_listing.listing()
    own = sum(entry.size for entry in entries if entry.place == place)
    others = [entry for entry in entries if entry.place != place]
    over = list(_chosen(others, None, None, max(0, limit(entries) - own)))
    for entry in _remove(reversed(over)).removed:
        since = time.strftime("%Y-%m-%d", time.localtime(entry.used))
        names = ", ".join(entry.names) or entry.key[:12]
        gone = f"Removed environment {names} from the cache, unused since {since}"
        log(f"{gone} (see {cache_limit.LIMIT}).")

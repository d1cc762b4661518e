"""Prune the environment cache by age, number or size; environments in use stay."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence

from scriptrun.environments.builder import Log
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.cache import limit as cache_limit
from scriptrun.environments.cache import listing as cache_listing
from scriptrun.environments.cache.listing import BuiltEnvironment
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.values import Value
from scriptrun.store import paths

#: seconds for which a used environment counts as in use, even if no process runs in it yet
FRESH = 60.0


class PruneResult(Value):
    """The removed environments, and those that could not be removed, each with the reason."""

    removed: tuple[BuiltEnvironment, ...]
    skipped: tuple[tuple[BuiltEnvironment, str], ...]

    @property
    def freed(self) -> int:
        """The bytes that were freed."""
        return sum(entry.size for entry in self.removed)


def prune(
    *,
    older_than: float | None = None,
    keep: int | None = None,
    max_size: int | None = None,
    dry_run: bool = False,
) -> PruneResult:
    """Remove built environments, the longest unused first.

    ``older_than``: those unused for this many seconds. ``keep``: all but this many last used.
    ``max_size``: until the rest is at most this many bytes. An environment goes if any of them
    selects it; without any, all go. ``dry_run`` only reports what would be removed.
    """
    entries = cache_listing.list_environments()
    if older_than is None and keep is None and max_size is None:
        selected = entries
    else:
        selected = list(_select(entries, older_than, keep, max_size))
    return _remove(sorted(selected, key=lambda entry: entry.used), dry_run)


def _select(
    entries: Sequence[BuiltEnvironment],
    older_than: float | None,
    keep: int | None,
    max_size: int | None,
) -> Iterator[BuiltEnvironment]:
    """The ``entries`` to remove; they are sorted by last use, newest first."""
    total = 0
    for number, entry in enumerate(entries):
        total += entry.size
        old = older_than is not None and cache_listing.age(entry) > older_than
        if old or (keep is not None and number >= keep) or _exceeds(total, max_size):
            yield entry


def _exceeds(total: int, limit: int | None) -> bool:
    return limit is not None and total > limit


def _remove(entries: Iterable[BuiltEnvironment], dry_run: bool = False) -> PruneResult:
    removed, skipped = [], []
    for entry in entries:
        reason = _why_in_use(entry)
        if not reason and not dry_run:
            try:
                cache_listing.remove(entry.key)
            except EnvironmentException as error:
                reason = error.message
        if reason:
            skipped.append((entry, reason))
        else:
            removed.append(entry)
    return PruneResult(tuple(removed), tuple(skipped))


def _why_in_use(entry: BuiltEnvironment) -> str:
    if cache_listing.age(entry) < FRESH:
        return "built or used less than a minute ago"
    pids = cache_listing.pids_using(cache_folders.key_folder(entry.key))
    return f"in use by process {', '.join(map(str, pids))}" if pids else ""


def size_limit(entries: Sequence[BuiltEnvironment]) -> int:
    """The maximum size of the cache in bytes; ``entries`` are its current contents.

    Raises UserErrorException if the variable that sets it is not a size.
    """
    configured = cache_limit.read_limit()
    if configured is not None:
        return configured
    used = sum(entry.size for entry in entries)
    return (used + shutil.disk_usage(paths.cache_root()).free) // 2


def enforce_limit(folder: str, log: Log) -> None:
    """After a build in ``folder``: remove others until the cache is within its size limit."""
    entries = cache_listing.list_environments()
    new_size = sum(entry.size for entry in entries if entry.place == folder)
    others = [entry for entry in entries if entry.place != folder]
    excess = list(_select(others, None, None, max(0, size_limit(entries) - new_size)))
    for entry in _remove(reversed(excess)).removed:
        last_used = time.strftime("%Y-%m-%d", time.localtime(entry.used))
        names = ", ".join(entry.names) or entry.key[:12]
        message = f"Removed environment {names} from the cache, unused since {last_used}"
        log(f"{message} (see {cache_limit.LIMIT_VARIABLE}).")

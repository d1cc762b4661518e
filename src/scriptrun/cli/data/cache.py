"""``scriptrun data cache``: the dataset cache that all runs on this machine share."""

from __future__ import annotations

import argparse
import time

from scriptrun.cli.terminal import output
from scriptrun.core.workspace import Workspace
from scriptrun.data.cache import files as cache_files
from scriptrun.spec.errors import UserErrorException
from scriptrun.store import sizes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.common_arguments import VerbResult


def cache(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Show the size of the dataset cache, or prune it."""
    dataset_cache = cache_files.Cache()
    if args.do == "prune":
        return _prune(dataset_cache, args)
    if args.max_size or args.older_than:
        raise UserErrorException(
            "--max-size and --older-than require `prune`.",
            "Run: scriptrun data cache prune ...",
        )
    used, limit = dataset_cache.total_size(), _limit(dataset_cache)
    pairs = [
        ("folder", str(dataset_cache.folder)),
        ("size", output.size(used)),
        ("limit", f"{output.size(limit)} (change with {cache_files.LIMIT})"),
    ]
    value = {"folder": str(dataset_cache.folder), "size": used, "limit": limit}
    return value, lambda: output.print_facts(pairs)


def _limit(dataset_cache: cache_files.Cache) -> int:
    dataset_cache.folder.mkdir(parents=True, exist_ok=True)  # its disk determines the default limit
    return dataset_cache.limit()


def _prune(dataset_cache: cache_files.Cache, args: argparse.Namespace) -> VerbResult:
    """Prune the cache; without a size or an age, remove everything that no run uses."""
    freed = 0
    if args.older_than:
        freed += dataset_cache.prune(time.time() - sizes.age(args.older_than, "--older-than"))
    if args.max_size:
        freed += cache_files.Cache(
            dataset_cache.folder, sizes.size(args.max_size, "--max-size")
        ).make_room(0)
    if not args.older_than and not args.max_size:
        freed = dataset_cache.clear()
    remaining = dataset_cache.total_size()
    message = (
        f"Removed {output.size(freed)}; {output.size(remaining)} remain in {dataset_cache.folder}."
    )
    return {"freed": freed, "remaining": remaining}, message

"""Delete removed runs for good, and what nothing refers to.

Deletes removed runs for good, with snapshots and lists of dataset files that no run uses, and
leftovers of interrupted processes. With --query or --older-than, it also deletes runs that were not
removed. Active runs, pinned runs and runs that a model came from are always kept. Shows what it
would free, and asks first.

examples:
  scriptrun prune --dry-run
  scriptrun prune --older-than 90d
  scriptrun prune -q "state=failed and submitted<-30d" --yes
"""

from __future__ import annotations

import argparse
import sys

from scriptrun.cleanup import prune
from scriptrun.cleanup.report import Freed, PrunedRun, PruneReport
from scriptrun.cleanup.selection import Criteria
from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli.terminal import output
from scriptrun.core.workspace import Workspace
from scriptrun.environments.cache import listing as cache_listing
from scriptrun.spec.control_characters import one_line
from scriptrun.spec.errors import UserErrorException
from scriptrun.store import sizes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: how many names and kept runs are listed
_LISTED_NAMES, _LISTED_KEPT = 3, 10


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add(
        "-q",
        "--query",
        metavar="QUERY",
        default="",
        help="also delete ended runs that match a query",
    )
    add(
        "--older-than",
        metavar="AGE",
        help="also delete runs that ended at least this long ago, e.g. 90d",
    )
    add(
        "--removed-before",
        metavar="AGE",
        help="keep runs removed less than this long ago, e.g. 7d",
    )
    add("--dry-run", "--plan", action="store_true", help="show what would be deleted")
    add("-y", "--yes", action="store_true", help="delete without asking")
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Prune the workspace and return the exit code."""
    workspace = workspace_here.require()
    criteria = Criteria(
        args.query,
        sizes.age(args.older_than, "--older-than") if args.older_than else None,
        sizes.age(args.removed_before, "--removed-before") if args.removed_before else 0.0,
    )
    if args.yes and not args.dry_run:
        report = prune.prune(workspace, criteria)
    else:
        report = prune.plan(workspace, criteria)
        if not args.dry_run and not report.is_empty:
            return _ask(workspace, criteria, report, args.json)
    _show(report, args.json)
    if not args.json:
        _show_caches()
    return 1 if report.has_failed and not report.dry_run else 0


def _ask(workspace: Workspace, criteria: Criteria, plan: PruneReport, as_json: bool) -> int:
    """Show the plan, and carry it out if the user agrees; returns the exit code."""
    if as_json or not (sys.stdin is not None and sys.stdin.isatty() and output.is_terminal()):
        if not as_json:
            _show(plan)
        raise UserErrorException(
            "Nothing was deleted: there is no terminal to ask for confirmation.",
            "To delete without confirmation, use --yes. To see the plan, use --dry-run.",
        )
    _show(plan)
    print("Delete for good? [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        print("Nothing was deleted.")
        return 1
    report = prune.prune(workspace, criteria, [run.id for run in plan.runs])
    _show(report)
    _show_caches()
    return 1 if report.has_failed else 0


def _show(report: PruneReport, as_json: bool = False) -> None:
    if as_json:
        output.print_json(_as_json(report))
        return
    has_failed = report.has_failed and not report.dry_run
    if report.is_empty:
        print("Nothing was deleted." if has_failed else "Nothing to prune.")
    else:
        print("Would delete:" if report.dry_run else "Deleted:")
        output.print_table(("WHAT", "COUNT", "SIZE", "RUNS"), _rows(report), indent="  ")
        verb = "Would free" if report.dry_run else "Freed"
        print(f"{verb} {output.size(report.size)}.")
    _show_kept(report)
    if report.recent:
        which = "1 snapshot" if report.recent == 1 else f"{report.recent} snapshots"
        print(f"Kept until a day after the last use: {which} that no run needs.")
    for problem in report.problems:
        print(f"{one_line(problem)}.")


def _rows(report: PruneReport) -> list[tuple[str, str, str, str]]:
    by_reason: dict[str, list[PrunedRun]] = {}
    for run in report.runs:
        by_reason.setdefault(run.reason, []).append(run)
    rows = [
        (f"runs: {reason}", Freed(len(runs), sum(run.size for run in runs)), _names(runs))
        for reason, runs in by_reason.items()
    ]
    rows += [
        ("unused snapshots", report.snapshots, ""),
        ("unused lists of dataset files", report.manifests, ""),
        ("leftovers of interrupted processes", report.leftovers, ""),
    ]
    return [
        (what, f"{freed.count:,}", output.size(freed.size), names)
        for what, freed, names in rows
        if freed.count or freed.size
    ]


def _names(runs: list[PrunedRun]) -> str:
    names = [f"{run.name} (on {run.host})" if run.host else run.name for run in runs]
    more = f" and {len(names) - _LISTED_NAMES} more" if len(names) > _LISTED_NAMES else ""
    return ", ".join(names[:_LISTED_NAMES]) + more


def _show_kept(report: PruneReport) -> None:
    if report.kept:
        print("Kept:")
    for run in report.kept[:_LISTED_KEPT]:
        print(f"  {one_line(f'{run.name} ({run.id})')}: {one_line(run.reason)}")
    if len(report.kept) > _LISTED_KEPT:
        print(f"  and {len(report.kept) - _LISTED_KEPT} more")
    for user, count in report.other_users.items():
        print(f"Kept: {count} run{'' if count == 1 else 's'} of {user}, who can prune them.")


def _show_caches() -> None:
    size = sum(environment.size for environment in cache_listing.list_environments())
    print(
        f"Caches are pruned separately: environments, {output.size(size)} (scriptrun env prune), "
        "and datasets (scriptrun data cache prune)."
    )


def _as_json(report: PruneReport) -> Json:
    stored = {name: getattr(report, name).as_dict() for name in ("snapshots", "manifests")}
    return {
        "dry_run": report.dry_run,
        "runs": [run.as_dict() for run in report.runs],
        "kept": [run.as_dict() for run in report.kept],
        "other_users": report.other_users,
        **stored,
        "leftovers": report.leftovers.as_dict(),
        "recent_snapshots": report.recent,
        "freed": report.size,
        "problems": report.problems,
    }

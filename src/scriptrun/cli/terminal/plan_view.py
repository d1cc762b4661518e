"""The output of ``scriptrun run --plan``."""

from __future__ import annotations

from collections.abc import Mapping

from scriptrun.cli.terminal import output
from scriptrun.core.workspace import Workspace
from scriptrun.history import dry_run
from scriptrun.submission.check import Submission

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: maximum number of lines per section; --json has all
SHOWN = 20


def show(
    submission: Submission,
    workspace: Workspace,
    as_json: bool,
    more: Mapping[str, list[str]] | None = None,
) -> int:
    """Print the plan, then the sections in ``more`` by title; return the exit code."""
    plan = dry_run.plan(submission, workspace)
    if as_json:
        output.as_json({**plan.as_dict(), **(more or {})})
        return 0
    files = f"{len(plan.files):,} file{'' if len(plan.files) == 1 else 's'}"
    print(f"snapshot of {plan.source}: {files}, {output.size(plan.size)}")
    _listed([f"{output.size(each):>9}  {path}" for path, each in sorted(plan.files.items())])
    if plan.ignored:
        print(f"\nignored: {len(plan.ignored)}")
        _listed([f"{path}  ({why})" for path, why in sorted(plan.ignored.items())])
    print("\nenvironment")
    _listed(_environment(plan.environment))
    if plan.data:
        print("\ndata")
        _listed([f"{name}: {each}" for name, each in plan.data.items()])
    print(f"\nexecution: {plan.execution}")
    for title, lines in {**(more or {}), "notes": plan.notes, "warnings": plan.warnings}.items():
        if lines:
            print(f"\n{title}")
            _listed(lines)
    print("\nPlan only: nothing was written or started.")
    return 0


def _environment(found: dict[str, Any]) -> list[str]:
    if found["kind"] == "interpreter":
        return [f"interpreter {found['interpreter']}, unchanged"]
    packages = [*found["requirements"], *found["conda"]]
    lines = [f"packages: {', '.join(packages) or 'none'}"]
    if found["cached"]:
        return [*lines, f"already built in {found['place']}"]
    took = found["last_seconds"]
    return [*lines, *found["steps"], *([f"the last build took {took:.0f} s"] if took else [])]


def _listed(lines: list[str]) -> None:
    for line in lines[:SHOWN]:
        print(f"  {line}")
    if len(lines) > SHOWN:
        print(f"  and {len(lines) - SHOWN} more (use --json to list all)")

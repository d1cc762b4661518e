"""The output of ``scriptrun run --dry-run``."""

from __future__ import annotations

from collections.abc import Mapping

from scriptrun.cli.terminal import output
from scriptrun.core.workspace import Workspace
from scriptrun.history import dry_run
from scriptrun.spec.control_characters import one_line
from scriptrun.submission.check import Submission

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: maximum number of lines per section; --json has all
MAX_LINES = 20


def show(
    submission: Submission,
    workspace: Workspace,
    as_json: bool,
    extra_sections: Mapping[str, list[str]] | None = None,
) -> int:
    """Print the plan, then the sections in ``extra_sections`` by title; return the exit code."""
    return show_plan(dry_run.plan(submission, workspace), as_json, extra_sections or {})


def show_plan(
    plan: dry_run.SubmissionPlan, as_json: bool, extra_sections: Mapping[str, list[str]]
) -> int:
    """Print a plan as ``show`` does."""
    if as_json:
        output.print_json({**plan.as_dict(), **extra_sections})
        return 0
    files = f"{len(plan.files):,} file{'' if len(plan.files) == 1 else 's'}"
    print(f"snapshot of {plan.source}: {files}, {output.size(plan.size)}")
    _print_lines([f"{output.size(size):>9}  {path}" for path, size in sorted(plan.files.items())])
    if plan.ignored:
        print(f"\nignored: {len(plan.ignored)}")
        _print_lines([f"{path}  ({reason})" for path, reason in sorted(plan.ignored.items())])
    print("\nenvironment")
    _print_lines(_environment(plan.environment))
    if plan.data:
        print("\ndata")
        _print_lines([f"{name}: {description}" for name, description in plan.data.items()])
    print(f"\nexecution: {plan.execution}")
    for title, lines in {
        **extra_sections,
        "notes": plan.notes,
        "warnings": plan.warnings,
    }.items():
        if lines:
            print(f"\n{title.replace('_', ' ')}")
            _print_lines(lines)
    print("\nDry run: nothing was written or started.")
    return 0


def _environment(environment: Json) -> list[str]:
    if environment["kind"] == "interpreter":
        return [f"interpreter {environment['interpreter']}, unchanged"]
    packages = [*environment["requirements"], *environment["conda"]]
    lines = [f"packages: {', '.join(packages) or 'none'}"]
    if environment["cached"]:
        return [*lines, f"already built in {environment['place']}"]
    seconds = environment["last_seconds"]
    return [
        *lines,
        *environment["steps"],
        *([f"the last build took {seconds:.0f} s"] if seconds else []),
    ]


def _print_lines(lines: list[str]) -> None:
    for line in lines[:MAX_LINES]:
        print(one_line(f"  {line}"))
    if len(lines) > MAX_LINES:
        print(f"  and {len(lines) - MAX_LINES} more (use --json to list all)")

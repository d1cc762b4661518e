"""Remove runs; --undo restores them.

Removed runs, with their child runs, vanish from lists and searches. Their files stay on the disk
until `scriptrun prune`, and until then --undo restores them. Active runs are refused; so are pinned
runs and runs that a model came from, without --force. A query skips them.

examples:
  scriptrun remove RUN
  scriptrun remove --query "failed submitted=yesterday" --dry-run
  scriptrun remove --query "failed submitted=yesterday"
  scriptrun list --removed
  scriptrun remove --undo RUN
"""

from __future__ import annotations

import argparse
import sys

from scriptrun.cli import errors as cli_errors
from scriptrun.cli import workspace_here
from scriptrun.cli.runs import columns
from scriptrun.cli.terminal import output
from scriptrun.cli.tidy import selection
from scriptrun.runs.marks import Family
from scriptrun.runs.search import FoundRun
from scriptrun.spec.errors import UserErrorException
from scriptrun.tracking import run_marks
from scriptrun.tracking.index_facts import NamedValues

_WORDS = selection.Words("remove", "removed", "restored")
#: how many runs are shown before the question
_SHOWN = 5


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    selection.arguments(parser, _WORDS, "restore removed runs")
    add = parser.add_argument
    add("--dry-run", "--plan", action="store_true", help="show the runs; remove nothing")
    add("-y", "--yes", action="store_true", help="do not ask for confirmation")
    add("--force", action="store_true", help="also remove pinned runs, and those of models")


def run(args: argparse.Namespace) -> int:
    """Remove or restore the runs and return the exit code: 1 if the answer is no."""
    selected = selection.select(
        workspace_here.require(), args, run_marks.REMOVED, _WORDS, force=args.force
    )
    if args.dry_run:
        _print_plan(selected, args)
        return 0
    is_large = args.query is not None and len(selected.families) > 1
    if is_large and not (args.undo or args.yes) and not _confirms(selected.families, args):
        print("Nothing removed.")
        return 1
    selection.carry_out(selected, args, run_marks.REMOVED, _WORDS, _say_where)
    return 0


def _say_where(changed: list[Family]) -> None:
    its = "Its files stay" if len(changed) == 1 else "Their files stay"
    cli_errors.say(f"{its} on the disk until: scriptrun prune")


def _print_plan(selected: selection.Selected, args: argparse.Namespace) -> None:
    verb = "restore" if args.undo else "remove"
    if args.json:
        plan = [selection.outcome(each, f"would {verb}") for each in selected.families]
        skipped = [
            selection.outcome(each, f"would skip: {why.why}") for each, why in selected.refused
        ]
        output.print_json({"runs": [*plan, *skipped]})
        return
    print(f"Would {verb} {_summary(selected.families)}{':' if selected.families else '.'}")
    _print_table(selected.families)
    for family, objection in selected.refused:
        print(f"Would skip {family.run.title}: {objection.why}.")


def _summary(families: list[Family]) -> str:
    below = sum(len(family.below) for family in families)
    return selection.count(len(families), "run") + selection.children(below)


def _print_table(families: list[Family]) -> None:
    if families:
        found = [FoundRun(family.run, NamedValues()) for family in families]
        columns.table(found, [], columns.Handles()).print()


def _confirms(families: list[Family], args: argparse.Namespace) -> bool:
    """Show the first runs and ask. Raises UserErrorException where nobody can answer."""
    is_terminal = sys.stdin is not None and sys.stdin.isatty() and output.is_terminal()
    if args.json or not is_terminal:
        raise UserErrorException(
            f"The query matches {_summary(families)}; removing them needs confirmation.",
            "To see them, use --dry-run. To remove them without confirmation, use --yes.",
        )
    _print_table(families[:_SHOWN])
    if len(families) > _SHOWN:
        print(f"and {len(families) - _SHOWN:,} more")
    print(f"Remove {_summary(families)}? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")

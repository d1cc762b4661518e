"""Rerun with the same snapshot and environment, with or without changes.

Uses the snapshot, lockfile, arguments and variables of the original. Arguments after -- replace
those with the same name, in place; new ones are appended; all others stay. Changes are shown before
the run starts.

--verify waits for the new run and compares its metrics and outputs/ with the original's. The
verdict is "same" (exit code 0), "drifted" (1) or "cannot" (2: it could not be verified).

examples:
  scriptrun rerun best:accuracy -- --seed 2
  scriptrun rerun RUN --remove-arg fast --env THREADS=4
  scriptrun rerun RUN --replace-args -- --alpha 0.5 data.csv
  scriptrun rerun RUN --compute gpu --dry-run
  scriptrun rerun RUN --verify
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from scriptrun.cli import common_arguments
from scriptrun.cli import errors as cli_errors
from scriptrun.cli.options import run as run_options
from scriptrun.cli.options import run_name, set_field, target_options
from scriptrun.cli.runs import after_submit
from scriptrun.cli.terminal import attach, output
from scriptrun.core.run import Run
from scriptrun.engines.local import engine as local_engine
from scriptrun.history import job_changes
from scriptrun.history import rerun as rerun_runs
from scriptrun.history.job_changes import Changes
from scriptrun.history.rerun import PreparedRerun
from scriptrun.registry import compute_targets
from scriptrun.registry.settings import reader
from scriptrun.runs import details
from scriptrun.spec.control_characters import one_line
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.parsers import Parser

_EXIT_CODES = {"same": 0, "drifted": 1, "cannot": 2}


def arguments(parser: Parser) -> None:
    """Add the command's arguments."""
    parser.takes_rest, parser.subject = True, "RUN"
    parser.usage = "scriptrun rerun [options] [RUN] [-- ARGS]"
    parser.signed_options = ("--remove-arg", *target_options.SIGNED)
    common_arguments.run_argument(parser)
    add = parser.add_argument
    add("--replace-args", action="store_true", help="replace all arguments by those after --")
    add(
        "--remove-arg",
        metavar="NAME",
        action="append",
        default=[],
        help="remove an argument and its values (repeatable)",
    )
    add("-e", "--experiment", metavar="E", default="", help="experiment for the new run")
    add("-n", "--name", metavar="NAME", default="", help="display name for the new run")
    add("--compute", "--target", metavar="T", help="compute target for the new run")
    add(
        "--env",
        metavar="NAME[=VALUE]",
        action="append",
        default=[],
        help="set an environment variable, or pass one through",
    )
    add(
        "--set",
        metavar="PATH=VALUE",
        action="append",
        default=[],
        dest="settings",
        help="set a run configuration field, e.g. max_run_duration_seconds=600",
    )
    add("--tag", metavar="NAME[=VALUE]", action="append", default=[], dest="tags", help="add a tag")
    target_options.arguments(add)
    add("-d", "--detach", action="store_true", help="print the new run's ID and return immediately")
    add("--dry-run", "--plan", dest="plan", action="store_true", help="show what would happen")
    add("--verify", action="store_true", help="compare metrics and outputs with the original run")
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Rerun the run and return the exit code."""
    local_engine.allow_fork()
    original = common_arguments.find_run(args)
    run_name.check_option(original.workspace, args.name)
    changes = _changes(args, original)
    if args.verify and changes.change_outcome(original.job):
        raise UserErrorException(
            "--verify cannot be combined with other arguments, variables, nodes or processes.",
            "Such a run has other results. To compare them, run: scriptrun diff",
        )
    prepared = rerun_runs.prepare(original, changes)
    if args.plan:
        return _show_plan(args, original, prepared)
    if prepared.changes:
        cli_errors.say(one_line(f"Changed: {'; '.join(prepared.changes)}"))
    settings = reader.read(Path.cwd(), original.workspace)
    rerun = rerun_runs.start_prepared(prepared)
    after_submit.notify(original.workspace, rerun.run.path, settings.notify)
    if not args.verify:
        return after_submit.finish(original.workspace, rerun.run.path, rerun.warnings, args)
    for message in rerun.warnings:
        attach.warn(message)
    attach.stream(rerun.run, quiet=args.json)
    verdict = rerun_runs.verify(original, rerun.run)
    if args.json:
        output.print_json({"run": rerun.run.id, "rerun_of": original.id, **verdict.as_dict()})
    else:
        print(verdict.answer)
        for line in verdict.what:
            print(one_line(f"  {line}"))
    return _EXIT_CODES[verdict.answer]


def _changes(args: argparse.Namespace, original: Run) -> Changes:
    if args.replace_args and args.rest is None:
        raise UserErrorException(
            "--replace-args needs the new arguments.", "Give them after --, or -- alone for none."
        )
    variables, passed = run_options.parse_variables(args.env)
    options = _target_options(args, original)
    configuration = None
    if args.settings or options.seconds is not None:
        configuration = job_changes.configuration_of(original.job)
        for text in args.settings:
            set_field.apply(configuration, text)
        if options.seconds is not None:
            configuration.max_run_duration_seconds = options.seconds
    return Changes(
        display_name=args.name,
        arguments=tuple(args.rest or ()),
        replace_arguments=args.replace_args,
        remove_arguments=tuple(args.remove_arg),
        variables=variables,
        passed=passed,
        experiment=args.experiment,
        tags=run_options.parse_tags(args.tags),
        compute_target=args.compute,
        configuration=configuration,
        target_options=options.options,
    )


def _target_options(args: argparse.Namespace, original: Run) -> target_options.RunOptions:
    if args.compute is None:
        engine = compute_targets.engine_of(original.job.target)
    else:
        engine = compute_targets.resolve(original.workspace, args.compute)
    return target_options.parse(args, engine)


def _show_plan(args: argparse.Namespace, original: Run, prepared: PreparedRerun) -> int:
    plan_view = importlib.import_module("scriptrun.cli.terminal.plan_view")
    dry_run = importlib.import_module("scriptrun.history.dry_run")
    plan = dry_run.plan_rerun(prepared.job, prepared.workspace, prepared.warnings)
    original_id = original.id if args.json else [details.title(original)]
    extra = {"rerun_of": original_id, "changes": prepared.changes}
    return int(plan_view.show_plan(plan, args.json, extra))

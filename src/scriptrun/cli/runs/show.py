"""Show a run.

A failed run's exception and the end of its log come first; a queued run says what it waits for.
Where the time went is listed if it is worth a look, and always with --times.

examples:
  scriptrun show
  scriptrun show best:accuracy
  scriptrun show RUN --times
  scriptrun show RUN --json | jq .metrics
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from scriptrun.cli import common_arguments
from scriptrun.cli.runs import metric_table, record
from scriptrun.cli.terminal import output
from scriptrun.core.run import Run
from scriptrun.data import summary
from scriptrun.runs import details as run_details
from scriptrun.runs import failed_log, phases, service_facts
from scriptrun.runtime import identity
from scriptrun.spec import states
from scriptrun.spec.control_characters import one_line
from scriptrun.spec.run_kinds import run_kind
from scriptrun.tracking import artifacts, events, metric_summary, run_marks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runs.phases import Attempt
    from scriptrun.runtime.hints import Json
    from scriptrun.spec.job import JobSpec
    from scriptrun.tracking.run_state import RunState

_MAX_FILES, _MAX_METRICS = 15, 30
#: seconds of a run, or of a phase other than its script, from which on its times are shown
_LONG_RUN, _LONG_PHASE = 10.0, 1.0
#: seconds of the phases that are left out
_SHORT_PHASE = 0.1
_LABEL_WIDTH = max(map(len, phases.LABELS.values()))
#: the label of the script's phase, for runs that have none
_WORK_LABELS = {"sweep": "running its runs", "service": "serving"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    common_arguments.run_argument(parser)
    parser.add_argument("--times", action="store_true", help="always list how long each phase took")
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the run's details and return the exit code."""
    selected = common_arguments.find_run(args)
    if args.json:
        output.print_json(record.in_full(selected))
    else:
        _print(selected, args.times)
    return 0


def _print(run: Run, with_times: bool) -> None:
    details, job, status = run.get_details(), run.known_job, run.standing
    name = run_details.shown_name(run)
    if details.get("lastLines"):
        _print_failure(status, details["lastLines"])
    output.print_facts(
        [
            ("run", run.id),
            ("name", name),
            ("short name", "" if name == run.short_name else run.short_name),
            ("experiment", job.experiment),
            ("state", output.state(status.state)),
            *_marks(run.id, details),
            ("reason", failed_log.reason_of(run, status)),
            *_work(run, status),
            ("target", job.target.name),
            (f"{job.target.kind} options", _target_options(job)),
            (f"{job.target.kind} job", ", ".join(details["jobIds"])),
            ("nodes", _nodes(details)),
            ("submitted", _format_time(details["createdTimeUtc"])),
            ("duration", _duration(status)),
            ("environment", _environment(details["environment"])),
            ("snapshot", (job.snapshot or "")[:16]),
            ("commit", _commit(details["properties"])),
            ("rerun of", common_arguments.title_of(run.workspace, job.rerun_of or "")),
            ("parent", common_arguments.title_of(run.workspace, job.parent or "")),
            ("data", "\n".join(summary.delivery_line(entry) for entry in details["data"])),
            ("variables", ", ".join(sorted({*job.variables, *job.passed}))),
            ("note", details["note"] or ""),
            ("tags", ", ".join(_tag(*tag) for tag in details["tags"].items())),
            ("messages", "\n".join(details["notes"])),
            ("warnings", "\n".join(details["warnings"])),
            ("folder", str(run.path)),
        ]
    )
    _print_times(run, status, with_times)
    _print_metrics(run)
    _print_files(run)


def _work(run: Run, status: RunState) -> list[tuple[str, str]]:
    """What the run runs: its command, or what a service serves and where."""
    job, service = run.known_job, service_facts.of_run(run, status)
    if service is not None:
        server = service_facts.server_line(service, identity.host())
        return [
            ("service", one_line(service.name)),
            ("models", "\n".join(map(one_line, service.models)) or "none"),
            ("entry script", one_line(service.entry_script or "none (chosen by the model's type)")),
            ("address", service.url),
            ("server", server),
        ]
    kind = run_kind(job.kind)
    command = job.command or " ".join([job.script or "", *map(_quote, job.arguments)])
    command = f"{kind.title} of {command}" if kind.has_children else command
    return [("command", command if command.strip() else "none (interactive run)")]


def _marks(run_id: str, details: Json) -> list[tuple[str, str]]:
    """Since when the run is archived, pinned or removed, and how a removed one is restored."""
    since = [(name, details[name]) for name in run_marks.NAMES if details[name]]
    restore = f"; to restore it: scriptrun remove --undo {run_id}"
    return [
        (name, f"since {_format_time(iso)}{restore if name == run_marks.REMOVED else ''}")
        for name, iso in since
    ]


def _print_failure(status: RunState, last_lines: Sequence[str]) -> None:
    """Print why the run failed, and the end of its log, before everything else."""
    rank = (status.result or {}).get("rank")
    whose = "its log" if rank is None else f"the log of rank {rank}"
    print(f"{output.state(states.FAILED)}: {status.reason}\n\nlast lines of {whose}")
    for line in last_lines:
        print(f"  {line}")
    print()


def _quote(text: str) -> str:
    import shlex

    return shlex.quote(text)


def _format_time(iso: str) -> str:
    return f"{iso[:10]} {iso[11:19]} UTC"


def _target_options(job: JobSpec) -> str:
    """The options of the target that the run itself set."""
    options = job.target.run_options.items()
    texts = {n: " ".join(v) if isinstance(v, list | tuple) else str(v) for n, v in options}
    return ", ".join(text if name == "extra" else f"{name}={text}" for name, text in texts.items())


def _nodes(details: Json) -> str:
    """The nodes that a cluster's job ran on, and those of a job of several nodes."""
    nodes = details["nodes"]
    return ", ".join(nodes) if details["jobIds"] or len(nodes) > 1 else ""


def _duration(status: RunState) -> str:
    if status.began is None:
        return ""
    ended = status.ended if states.is_terminal(status.state) else None
    return output.duration((time.time() if ended is None else ended) - status.began)


def _environment(environment: Json | None) -> str:
    if not environment:
        return ""
    build_time = "" if not environment.get("seconds") else f" ({environment['seconds']:.1f} s)"
    return f"{environment.get('place') or environment.get('python')}" + (
        build_time if not environment["cached"] else ""
    )


def _commit(properties: dict[str, str]) -> str:
    commit = properties.get("azureml.git.commit", "")[:12]
    branch = properties.get("azureml.git.branch", "")
    dirty = " (uncommitted changes)" if properties.get("azureml.git.dirty") == "True" else ""
    return f"{commit} on {branch}{dirty}" if commit else ""


def _tag(name: str, value: str | None) -> str:
    return name if value is None else f"{name}={value}"


def _print_times(run: Run, status: RunState, always: bool) -> None:
    """Print the phases of each attempt; by default, if something other than the script took long.

    Short phases are left out unless ``always``.
    """
    attempts = phases.attempts(run.path, run.known_job, events.read(run.path), status)
    others = [s for each in attempts for name, s in each.seconds.items() if name != phases.SCRIPT]
    total = sum(attempt.total for attempt in attempts)
    if not always and total < _LONG_RUN and max(others, default=0.0) < _LONG_PHASE:
        return
    for attempt in attempts:
        of_attempt = f" of attempt {attempt.number}" if len(attempts) > 1 else ""
        print(f"\ntimes{of_attempt}" + (f" ({attempt.state or status.state})" * bool(of_attempt)))
        _print_attempt(attempt, _WORK_LABELS.get(run_kind(run.type).title, ""), always)
    if run_kind(run.type).has_children:
        print(f'\nOf each run: scriptrun list --columns id,waited,duration "parent={run.id}"')


def _print_attempt(attempt: Attempt, work_label: str, with_short: bool) -> None:
    rows = [
        (name, seconds)
        for name, seconds in attempt.seconds.items()
        if with_short or seconds >= _SHORT_PHASE
    ]
    for name, seconds in rows:
        label = (name == phases.SCRIPT and work_label) or phases.LABELS[name]
        share = f"{seconds / attempt.total:6.0%}" if attempt.total else ""
        so_far = " so far" if name == attempt.current else ""
        print(f"  {label:<{_LABEL_WIDTH}}  {output.duration(seconds):>12}{share}{so_far}")
    if len(rows) > 1:
        print(f"  {'total':<{_LABEL_WIDTH}}  {output.duration(attempt.total):>12}")


def _print_metrics(run: Run) -> None:
    summaries = metric_summary.summarize(run.path)  # of a sweep: its own metrics
    if run_kind(run.type).has_children:
        print(f"\nTo show its runs: scriptrun sweep show {run.short_name}")
    if summaries:
        goals = _goals(run)
        print("\nmetrics" + (" (*: best)" if goals.keys() & summaries.keys() else ""))
        shown = sorted(summaries.values(), key=lambda it: (it.name not in goals, it.count < 2))
        metric_table.print_summaries(shown[:_MAX_METRICS], goals, "  ")
        if len(shown) > _MAX_METRICS:
            rest = len(shown) - _MAX_METRICS
            print(f"  and {rest} more (to list all: scriptrun metrics {run.short_name})")


def _goals(run: Run) -> dict[str, bool]:
    """Whether to maximize the metric of the sweep that the run belongs to, by its name."""
    parent = run.parent
    if parent is None or not hasattr(parent, "sweep"):
        return {}
    return {parent.sweep.metric: parent.sweep.maximizes}


def _print_files(run: Run) -> None:
    names = run.get_file_names()
    if names:
        print("\nfiles")
    for name in names[:_MAX_FILES]:
        path = artifacts.path_of(run.path, name)
        print(f"  {output.size(path.stat().st_size) if path else '':>9}  {one_line(name)}")
    if len(names) > _MAX_FILES:
        print(f"  and {len(names) - _MAX_FILES} more (use --json to list all)")
    unchanged = len(artifacts.unchanged_names(run.path))
    if unchanged:
        print(f"  and {unchanged} of the source directory that the run did not change")

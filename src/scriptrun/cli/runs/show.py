"""Show a run."""

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
from scriptrun.runs import failed_log
from scriptrun.spec import states
from scriptrun.spec.control_characters import one_line
from scriptrun.spec.run_kinds import run_kind
from scriptrun.tracking import artifacts, metric_summary, run_marks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.spec.job import JobSpec
    from scriptrun.tracking.run_state import RunState

_MAX_FILES, _MAX_METRICS = 15, 30


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    common_arguments.run_argument(parser)
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the run's details and return the exit code."""
    selected = common_arguments.find_run(args)
    if args.json:
        output.print_json(record.in_full(selected))
    else:
        _print(selected)
    return 0


def _print(run: Run) -> None:
    details, job, status = run.get_details(), run.known_job, run.standing
    kind = run_kind(job.kind)
    command = job.command or " ".join([job.script or "", *map(_quote, job.arguments)])
    command = f"{kind.title} of {command}" if kind.has_children else command
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
            ("command", command if command.strip() else "none (interactive run)"),
            ("target", job.target.name),
            (f"{job.target.kind} options", _target_options(job)),
            (f"{job.target.kind} job", ", ".join(details["jobIds"])),
            ("nodes", _nodes(details)),
            ("submitted", _format_time(details["createdTimeUtc"])),
            ("duration", _duration(status)),
            ("environment", _environment(details["environment"])),
            ("snapshot", (job.snapshot or "")[:16]),
            ("commit", _commit(details["properties"])),
            ("rerun of", job.rerun_of or ""),
            ("parent", job.parent or ""),
            ("data", "\n".join(summary.delivery_line(entry) for entry in details["data"])),
            ("variables", ", ".join(sorted({*job.variables, *job.passed}))),
            ("note", details["note"] or ""),
            ("tags", ", ".join(_tag(*tag) for tag in details["tags"].items())),
            ("messages", "\n".join(details["messages"])),
            ("warnings", "\n".join(details["warnings"])),
            ("folder", str(run.path)),
        ]
    )
    _print_metrics(run)
    _print_files(run)


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


def _print_metrics(run: Run) -> None:
    summaries = metric_summary.summarize(run.path)  # of a sweep: its own, beside those of its runs
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

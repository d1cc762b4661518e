"""Show a run."""

from __future__ import annotations

import argparse
import time

from scriptrun.cli import common_arguments
from scriptrun.cli.terminal import output
from scriptrun.core.run import Run
from scriptrun.data import summary
from scriptrun.spec import states
from scriptrun.spec.run_kinds import run_kind
from scriptrun.tracking import artifacts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SHOWN = 15


def arguments(parser: Any) -> None:
    """Add the command's arguments."""
    common_arguments.run_argument(parser)
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the run's details and return the exit code."""
    found = common_arguments.run_of(args)
    if args.json:
        output.as_json(record(found))
    else:
        _print(found)
    return 0


def record(run: Run) -> dict[str, Any]:
    """Return the run's details with its metrics and files, for --json."""
    return {**run.get_details(), "metrics": run.get_metrics(), "files": run.get_file_names()}


def _print(run: Run) -> None:
    details, job, status = run.get_details(), run.job, run.standing
    kind = run_kind(job.kind)
    what = job.command or " ".join([job.script or "", *map(_word, job.arguments)])
    what = f"{kind.title} of {what}" if kind.has_children else what
    name = details["displayName"]
    output.facts(
        [
            ("run", run.id),
            ("name", "" if name == run.id else name),
            ("experiment", job.experiment),
            ("state", output.state(status.state)),
            ("reason", status.reason),
            ("command", what if what.strip() else "none (interactive run)"),
            ("target", job.target.name),
            ("submitted", _moment(details["createdTimeUtc"])),
            ("duration", _took(status)),
            ("environment", _environment(details["environment"])),
            ("snapshot", (job.snapshot or "")[:16]),
            ("commit", _commit(details["properties"])),
            ("rerun of", job.rerun_of or ""),
            ("parent", job.parent or ""),
            ("data", "\n".join(summary.delivery_line(each) for each in details["data"])),
            ("variables", ", ".join(sorted({*job.variables, *job.passed}))),
            ("tags", ", ".join(_tag(*each) for each in details["tags"].items())),
            ("notes", "\n".join(details["notes"])),
            ("warnings", "\n".join(details["warnings"])),
            ("folder", str(run.path)),
        ]
    )
    _metrics(run)
    _files(run)


def _word(text: str) -> str:
    import shlex

    return shlex.quote(text)


def _moment(iso: str) -> str:
    return f"{iso[:10]} {iso[11:19]} UTC"


def _took(status: Any) -> str:
    if status.began is None:
        return ""
    return output.duration(
        (status.ended if states.is_terminal(status.state) else time.time()) - status.began
    )


def _environment(found: dict[str, Any] | None) -> str:
    if not found:
        return ""
    made = "" if not found.get("seconds") else f" ({found['seconds']:.1f} s)"
    return f"{found.get('place') or found.get('python')}" + (made if not found["cached"] else "")


def _commit(properties: dict[str, str]) -> str:
    commit = properties.get("azureml.git.commit", "")[:12]
    branch = properties.get("azureml.git.branch", "")
    dirty = " (uncommitted changes)" if properties.get("azureml.git.dirty") == "True" else ""
    return f"{commit} on {branch}{dirty}" if commit else ""


def _tag(name: str, value: str | None) -> str:
    return name if value is None else f"{name}={value}"


def _metrics(run: Run) -> None:
    if run_kind(run.type).has_children:
        print(f"\nTo show its runs: scriptrun sweep show {run.id}")
        return
    found = run.get_metrics()
    if found:
        print("\nmetrics")
        wide = max(map(output.width, found))
        for name, value in found.items():
            print(f"  {name:<{wide}}  {output.number(value)}")


def _files(run: Run) -> None:
    names = run.get_file_names()
    if names:
        print("\nfiles")
    for name in names[:_SHOWN]:
        place = artifacts.path_of(run.path, name)
        print(f"  {output.size(place.stat().st_size) if place else '':>9}  {name}")
    if len(names) > _SHOWN:
        print(f"  and {len(names) - _SHOWN} more (use --json to list all)")

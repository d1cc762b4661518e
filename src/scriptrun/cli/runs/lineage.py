"""Trace a model to its origins.

Shows the run, the sweep, the source snapshot, the environment's lockfile and the dataset versions
that the model came from.

examples:
  scriptrun lineage digits:3
"""

from __future__ import annotations

import argparse
import functools
import shlex

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli.terminal import output
from scriptrun.core.model import Model
from scriptrun.history import lineage
from scriptrun.spec import states
from scriptrun.spec.control_characters import one_line
from scriptrun.spec.run_kinds import run_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from scriptrun.runtime.hints import Json


#: maximum number of packages to list; --json lists all
MAX_PACKAGES = 8


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("model", metavar="NAME[:VERSION]", help="model to trace")
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the model's lineage and return the exit code."""
    name, _, version = args.model.partition(":")
    workspace = workspace_here.require()
    trace = lineage.model_lineage(Model(workspace, name, version=version or None))
    titled = functools.partial(common_arguments.title_of, workspace)
    if args.json:
        output.print_json(trace)
        return 0
    from_source = set(trace["model"]["from_source"])
    files = [
        f"{one_line(file['path'])}  {output.size(file['size'])}  {file['sha256'][:16]}"
        f"{'  (unchanged from the source)' if file['path'] in from_source else ''}"
        for file in trace["model"]["files"]
    ]
    datasets = [
        f"{role}: {_format_dataset(dataset)}"
        for role, sets in trace["datasets"].items()
        for dataset in sets
    ]
    pairs = [("model", trace["model"]["id"]), ("files", "\n".join(files))]
    output.print_facts(
        [
            *pairs,
            ("registered with", "\n".join(datasets)),
            ("served by", "\n".join(map(_service, trace["services"]))),
            *_run_facts(trace["run"], titled),
            ("warning", _warning(trace)),
        ]
    )
    return 0


def _service(service: Json) -> str:
    run = service["run"] and f" (run {service['run']}, {service['state'] or 'missing'})"
    return f"{one_line(service['name'])}{run or ''}"


def _run_facts(run: Json | None, titled: Callable[[str], str] = str) -> list[tuple[str, str]]:
    """What is shown of the run; ``titled`` adds the name to a run's ID."""
    if run is None:
        return [("run", "none (registered from a local path)")]
    if run.get("gone"):
        return [("run", f"{run['id']} (missing from the workspace)")]
    parent, snapshot = run["parent"] or {}, run["snapshot"]
    kind = run_kind(parent.get("kind", ""))
    parent_label = kind.title if kind.has_children else "parent"
    missing = "" if snapshot["kept"] else " (missing from the workspace)"
    return [
        ("run", f"{titled(run['id'])}, {run['state']}, in {run['experiment']} on {run['target']}"),
        ("removed", _removed(run)),
        (parent_label, titled(parent.get("id", ""))),
        ("rerun of", titled(run["rerun_of"] or "")),
        ("command", " ".join([run["script"] or "", *map(shlex.quote, run["arguments"])])),
        ("snapshot", f"{snapshot['digest']}{missing}" if snapshot["digest"] else ""),
        ("commit", _commit(run) if run["commit"] else ""),
        ("environment", "\n".join(_environment(run["environment"]))),
        (
            "datasets",
            "\n".join(
                f"{dataset['input']}: {_format_dataset(dataset)}" for dataset in run["datasets"]
            ),
        ),
    ]


def _removed(run: Json) -> str:
    """Since when the run is removed, and how to restore it; "" if it is not."""
    since = run["removed"]
    restore = f"to restore it: scriptrun remove --undo {run['id']}"
    return f"since {since[:10]} {since[11:19]} UTC; {restore}" if since else ""


def _warning(trace: Json) -> str:
    """That the run did not complete, or had not when the model was registered; else ""."""
    run, registered_in = trace["run"] or {}, trace["model"]["run_state"] or ""
    state = run.get("state", registered_in)
    if state in (states.FAILED, states.CANCELED):
        outcome = "failed" if state == states.FAILED else "was canceled"
        reason = f": {one_line(run['reason'])}" if run.get("reason") else ""
        return f"the run {outcome}{reason}"
    if registered_in and not states.is_terminal(registered_in):
        return f"registered before the run had ended ({registered_in})"
    return ""


def _commit(run: Json) -> str:
    return f"{run['commit'][:12]}{' (uncommitted changes)' if run['dirty'] else ''}"


def _environment(environment: Json) -> list[str]:
    if not environment["lock"]:
        return ["not locked"]
    packages = [f"{name} {version}" for name, version in sorted(environment["packages"].items())]
    rest = f" and {len(packages) - MAX_PACKAGES} more" if len(packages) > MAX_PACKAGES else ""
    lines = [f"lockfile {environment['lock']}", f"Python {environment['python']}"]
    return [*lines, ", ".join(packages[:MAX_PACKAGES]) + rest]


def _format_dataset(dataset: Json) -> str:
    name = dataset.get("name") or "unregistered"
    return f"{name}:{dataset.get('version')} {dataset.get('id') or ''}".rstrip()

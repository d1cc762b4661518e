"""Trace a model to its origins.

Shows the run, the sweep, the source snapshot, the environment's lockfile and the dataset versions
that the model came from.

example:
  scriptrun lineage digits:3
"""

from __future__ import annotations

import argparse
import shlex
from typing import Any

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli.terminal import output
from scriptrun.core.model import Model
from scriptrun.history import lineage
from scriptrun.spec.run_kinds import run_kind

#: maximum number of packages to list; --json lists all
SHOWN = 8


def arguments(parser: Any) -> None:
    """Add the command's arguments."""
    parser.add_argument("model", metavar="NAME[:VERSION]", help="model to trace")
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the model's lineage and return the exit code."""
    name, _, version = args.model.partition(":")
    found = lineage.model_lineage(Model(workspace_here.existing(), name, version=version or None))
    if args.json:
        output.as_json(found)
        return 0
    files = [
        f"{each['path']}  {output.size(each['size'])}  {each['sha256'][:16]}"
        for each in found["model"]["files"]
    ]
    given = [f"{word}: {_named(each)}" for word, sets in found["datasets"].items() for each in sets]
    pairs = [("model", found["model"]["id"]), ("files", "\n".join(files))]
    output.facts([*pairs, ("registered with", "\n".join(given)), *_of_run(found["run"])])
    return 0


def _of_run(run: dict[str, Any] | None) -> list[tuple[str, str]]:
    if run is None:
        return [("run", "none (registered from a local path)")]
    if run.get("gone"):
        return [("run", f"{run['id']} (missing from the workspace)")]
    parent, snapshot = run["parent"] or {}, run["snapshot"]
    kind = run_kind(parent.get("kind", ""))
    above = kind.title if kind.has_children else "parent"
    kept = "" if snapshot["kept"] else " (missing from the workspace)"
    return [
        ("run", f"{run['id']}, {run['state']}, in {run['experiment']} on {run['target']}"),
        (above, parent.get("id", "")),
        ("rerun of", run["rerun_of"] or ""),
        ("command", " ".join([run["script"] or "", *map(shlex.quote, run["arguments"])])),
        ("snapshot", f"{snapshot['digest']}{kept}" if snapshot["digest"] else ""),
        ("commit", _commit(run) if run["commit"] else ""),
        ("environment", "\n".join(_environment(run["environment"]))),
        ("datasets", "\n".join(f"{each['input']}: {_named(each)}" for each in run["datasets"])),
    ]


def _commit(run: dict[str, Any]) -> str:
    return f"{run['commit'][:12]}{' (uncommitted changes)' if run['dirty'] else ''}"


def _environment(found: dict[str, Any]) -> list[str]:
    if not found["lock"]:
        return ["not locked"]
    packages = [f"{name} {version}" for name, version in sorted(found["packages"].items())]
    more = f" and {len(packages) - SHOWN} more" if len(packages) > SHOWN else ""
    lines = [f"lockfile {found['lock']}", f"Python {found['python']}"]
    return [*lines, ", ".join(packages[:SHOWN]) + more]


def _named(dataset: dict[str, Any]) -> str:
    name = dataset.get("name") or "unregistered"
    return f"{name}:{dataset.get('version')} {dataset.get('id') or ''}".rstrip()

"""``scriptrun data list`` and ``scriptrun data show``."""

from __future__ import annotations

import argparse
import itertools

from scriptrun.cli.options import data_names
from scriptrun.cli.terminal import output
from scriptrun.core.workspace import Workspace
from scriptrun.data.datasets import versions as dataset_versions
from scriptrun.history import dataset_usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: maximum number of files to list without --files
SHOWN = 15


def list_all(workspace: Workspace, args: argparse.Namespace) -> tuple[Any, Any]:
    """List the datasets with their latest versions."""
    found = [dataset_versions.get(workspace, name) for name in dataset_versions.names(workspace)]
    if not found:
        return [], "No datasets. To add one, run: scriptrun data register NAME SOURCE ..."
    rows = [
        (
            each["name"],
            str(each["version"]),
            each["type"],
            f"{each['files']:,}",
            _size(each["bytes"]),
            each["created"][:10],
            each.get("description") or "",
        )
        for each in found
    ]
    heads = ("NAME", "VERSION", "TYPE", "FILES", "SIZE", "CREATED", "DESCRIPTION")
    return [_record(each) for each in found], lambda: output.table(heads, rows)


def _size(size: int) -> str:
    return output.size(size) if size >= 0 else "unknown"


def _record(head: dict[str, Any]) -> dict[str, Any]:
    kept = ("name", "version", "id", "type", "description", "tags", "files", "bytes", "created")
    return {key: head.get(key) for key in kept}


def show(workspace: Workspace, args: argparse.Namespace) -> tuple[Any, Any]:
    """Show a version in full, or the current files of a source."""
    dataset = data_names.any_dataset(workspace, args.name)
    if dataset.name is None:
        return _show_source(dataset, args)
    head = dataset_versions.get(workspace, dataset.name, dataset.version)
    used = dataset_usage.run_ids(workspace, head)
    limit = None if args.files or args.json else SHOWN
    rows = [(row.path, row.size, row.etag) for row in itertools.islice(dataset.listed(), limit)]
    value = {
        **_record(head),
        "versions": dataset.versions(),
        "definition": head["definition"],
        "used_by": used,
        "listed": [{"path": path, "size": size, "etag": etag} for path, size, etag in rows],
    }
    return value, lambda: _print(value, dataset.sources)


def _show_source(dataset: Any, args: argparse.Namespace) -> tuple[Any, Any]:
    rows = list(dataset.listed())
    shown = rows if args.files or args.json else rows[:SHOWN]
    sizes = [row.size for row in rows]
    value = {
        "type": dataset.kind,
        "files": len(rows),
        "bytes": sum(sizes) if min(sizes, default=0) >= 0 else -1,
        "listed": [{"path": row.path, "size": row.size, "etag": row.etag} for row in shown],
    }
    return value, lambda: _print(value, dataset.sources)


def _print(value: dict[str, Any], sources: Any) -> None:
    output.facts(
        [
            *(_kept(value) if "name" in value else [("registered", "no (showing current files)")]),
            ("files", f"{value['files']:,}, {_size(value['bytes'])}"),
            ("from", "\n".join(sources)),
            ("used by", "\n".join(value.get("used_by", ()))),
        ]
    )
    print()
    for each in value["listed"]:
        print(f"  {_size(each['size']):>9}  {each['path']}")
    if value["files"] > len(value["listed"]):
        print(f"  and {value['files'] - len(value['listed']):,} more (use --files to list all)")


def _kept(value: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the printed facts that only a registered version has."""
    options = value["definition"].get("options") or {}
    return [
        ("name", value["name"]),
        ("version", f"{value['version']} of {', '.join(map(str, value['versions']))}"),
        ("id", value["id"]),
        ("type", value["type"]),
        ("description", value["description"] or ""),
        ("tags", ", ".join(f"{name}={each}" for name, each in value["tags"].items())),
        ("created", value["created"]),
        ("read as", ", ".join(f"{name}: {each}" for name, each in options.items())),
    ]

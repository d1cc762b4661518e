"""``scriptrun data list`` and ``scriptrun data show``."""

from __future__ import annotations

import argparse
import itertools

from scriptrun.cli.options import data_names
from scriptrun.cli.terminal import output
from scriptrun.core.workspace import Workspace
from scriptrun.data.datasets import versions as dataset_versions
from scriptrun.history import dataset_usage
from scriptrun.spec.control_characters import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from scriptrun.cli.common_arguments import VerbResult
    from scriptrun.data.datasets.base import AbstractDataset
    from scriptrun.runtime.hints import Json

#: maximum number of files to list without --files
MAX_FILES = 15


def list_all(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """List the datasets with their latest versions."""
    records = dataset_versions.latest(workspace)
    if not records:
        text = "No datasets. To add one, run: scriptrun data register NAME SOURCE ..."
        return {"datasets": []}, text
    rows = [
        (
            dataset["name"],
            str(dataset["version"]),
            dataset["type"],
            f"{dataset['files']:,}",
            _size(known_size(dataset["bytes"])),
            dataset["created"][:10],
            dataset.get("description") or "",
        )
        for dataset in records
    ]
    heads = ("NAME", "VERSION", "TYPE", "FILES", "SIZE", "CREATED", "DESCRIPTION")
    value = {"datasets": [_record(record) for record in records]}
    return value, lambda: output.print_table(heads, rows)


def _size(size: int | None) -> str:
    return "unknown" if size is None else output.size(size)


def _listed(path: str, size: int, etag: str | None) -> Json:
    return {"path": path, "size": known_size(size), "etag": etag}


def _record(record: Json) -> Json:
    fields = ("name", "version", "id", "type", "description", "tags", "files", "created")
    return {**{key: record.get(key) for key in fields}, "size": known_size(record["bytes"])}


def known_size(size: int) -> int | None:
    """The size in bytes; None for -1, with which records say that it is unknown."""
    return size if size >= 0 else None


def show(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Show a version in full, or the current files of a source."""
    dataset = data_names.resolve_dataset(workspace, args.name)
    if dataset.name is None:
        return _show_source(dataset, args)
    record = dataset_versions.get(workspace, dataset.name, dataset.version)
    runs = dataset_usage.run_ids(workspace, record)
    limit = None if args.files or args.json else MAX_FILES
    rows = [(row.path, row.size, row.etag) for row in itertools.islice(dataset.listed(), limit)]
    value = {
        **_record(record),
        "versions": dataset.versions(),
        "definition": record["definition"],
        "used_by": runs,
        "listed": [_listed(*row) for row in rows],
    }
    return value, lambda: _print(value, dataset.sources)


def _show_source(dataset: AbstractDataset, args: argparse.Namespace) -> VerbResult:
    rows = list(dataset.listed())
    visible = rows if args.files or args.json else rows[:MAX_FILES]
    sizes = [row.size for row in rows]
    value = {
        "type": dataset.kind,
        "files": len(rows),
        "size": sum(sizes) if min(sizes, default=0) >= 0 else None,
        "listed": [_listed(row.path, row.size, row.etag) for row in visible],
    }
    return value, lambda: _print(value, dataset.sources)


def _print(value: Json, sources: Iterable[str]) -> None:
    output.print_facts(
        [
            *(
                _version_facts(value)
                if "name" in value
                else [("registered", "no (showing current files)")]
            ),
            ("files", f"{value['files']:,}, {_size(value['size'])}"),
            ("from", "\n".join(sources)),
            ("used by", "\n".join(value.get("used_by", ()))),
        ]
    )
    print()
    for file in value["listed"]:
        print(one_line(f"  {_size(file['size']):>9}  {file['path']}"))
    if value["files"] > len(value["listed"]):
        print(f"  and {value['files'] - len(value['listed']):,} more (use --files to list all)")


def _version_facts(value: Json) -> list[tuple[str, str]]:
    """Return the printed facts that only a registered version has."""
    options = value["definition"].get("options") or {}
    return [
        ("name", value["name"]),
        ("version", f"{value['version']} of {', '.join(map(str, value['versions']))}"),
        ("id", value["id"]),
        ("type", value["type"]),
        ("description", value["description"] or ""),
        ("tags", ", ".join(f"{name}={tag_value}" for name, tag_value in value["tags"].items())),
        ("created", value["created"]),
        ("read as", ", ".join(f"{name}: {setting}" for name, setting in options.items())),
    ]

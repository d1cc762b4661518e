"""``scriptrun data register``."""

from __future__ import annotations

import argparse

from scriptrun.cli import workspace_here
from scriptrun.cli.options import data_names
from scriptrun.cli.options import run as run_options
from scriptrun.cli.terminal import output
from scriptrun.core.dataset import Dataset
from scriptrun.core.workspace import Workspace
from scriptrun.data.datasets import versions as dataset_versions
from scriptrun.spec.errors import refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def register(workspace: Workspace, args: argparse.Namespace) -> tuple[Any, Any]:
    """Register the sources' files as the dataset's next version."""
    _check(args)
    workspace = workspace_here.made(workspace)
    latest = max(dataset_versions.numbers(workspace, args.name), default=0)
    sources = [data_names.source(workspace, text) for text in args.sources]
    made = _described(args, sources).register(
        workspace, args.name, args.description, run_options.tags(args.tags), create_new_version=True
    )
    head = dataset_versions.get(workspace, made.name, made.version)
    files = f"{head['files']:,} file{'' if head['files'] == 1 else 's'}"
    size = f"{files}, {output.size(max(0, head['bytes']))}"
    same = " (unchanged)" if made.version == latest else ""
    value = {key: head[key] for key in ("name", "version", "id", "type", "files", "bytes")}
    return value, f"{made.name}, version {made.version}: {size}{same}"


def _check(args: argparse.Namespace) -> None:
    """Refuse options that do not apply to the format."""
    delimited = args.tabular == "delimited"
    pairs = [
        (args.separator, "--separator", delimited, "--tabular delimited"),
        (args.no_header, "--no-header", delimited, "--tabular delimited"),
        (args.partition_format, "--partition-format", bool(args.tabular), "--tabular"),
    ]
    wrong = [f"{flag} requires {kind}" for value, flag, ok, kind in pairs if value and not ok]
    refuse(wrong, "Cannot register this dataset")


def _described(args: argparse.Namespace, sources: list[Any]) -> Any:
    if args.tabular is None:
        return Dataset.File.from_files(sources)
    if args.tabular == "delimited":
        return Dataset.Tabular.from_delimited_files(
            sources,
            header=not args.no_header,
            separator=args.separator or ",",
            partition_format=args.partition_format,
        )
    make = {
        "parquet": Dataset.Tabular.from_parquet_files,
        "json": Dataset.Tabular.from_json_lines_files,
    }[args.tabular]
    return make(sources, partition_format=args.partition_format)

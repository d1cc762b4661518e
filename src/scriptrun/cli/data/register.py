"""``scriptrun data register``."""

from __future__ import annotations

import argparse

from scriptrun.cli import workspace_here
from scriptrun.cli.data import show
from scriptrun.cli.options import data_names
from scriptrun.cli.options import run as run_options
from scriptrun.cli.terminal import output
from scriptrun.core.dataset import Dataset
from scriptrun.core.workspace import Workspace
from scriptrun.data.datasets import versions as dataset_versions
from scriptrun.spec.errors import UserErrorException, refuse
from scriptrun.store import name_rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.common_arguments import VerbResult
    from scriptrun.data.datasets.base import AbstractDataset
    from scriptrun.data.datastores.classes import AbstractDatastore


def register(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Register the sources' files as the dataset's next version."""
    _check(args)
    _check_name(workspace, args.name)
    workspace = workspace_here.create_if_missing(workspace)
    latest = max(dataset_versions.version_numbers(workspace, args.name), default=0)
    sources = [data_names.resolve_source(workspace, text) for text in args.sources]
    dataset = _build_dataset(args, sources).register(
        workspace,
        args.name,
        args.description,
        run_options.parse_tags(args.tags),
        create_new_version=True,
    )
    record = dataset_versions.get(workspace, args.name, dataset.version)
    files = f"{record['files']:,} file{'' if record['files'] == 1 else 's'}"
    size = f"{files}, {output.size(max(0, record['bytes']))}"
    unchanged = " (unchanged)" if dataset.version == latest else ""
    value = {key: record[key] for key in ("name", "version", "id", "type", "files")}
    value["size"] = show.known_size(record["bytes"])
    return value, f"{dataset.name}, version {dataset.version}: {size}{unchanged}"


def _check(args: argparse.Namespace) -> None:
    """Refuse options that do not apply to the format."""
    delimited = args.tabular == "delimited"
    pairs = [
        (args.separator, "--separator", delimited, "--tabular delimited"),
        (args.no_header, "--no-header", delimited, "--tabular delimited"),
        (args.partition_format, "--partition-format", bool(args.tabular), "--tabular"),
    ]
    problems = [f"{flag} requires {kind}" for value, flag, ok, kind in pairs if value and not ok]
    refuse(problems, "Cannot register this dataset")


def _check_name(workspace: Workspace | None, name: str) -> None:
    """Refuse a new name that the command line could not use as NAME:VERSION; code may use any."""
    is_known = workspace is not None and bool(dataset_versions.version_numbers(workspace, name))
    problem = name_rules.problem(name)
    if problem and not is_known:
        raise UserErrorException(f"Invalid dataset name {name!r}.", problem)


def _build_dataset(
    args: argparse.Namespace, sources: list[tuple[AbstractDatastore, str] | str]
) -> AbstractDataset:
    if args.tabular is None:
        return Dataset.File.from_files(sources)
    if args.tabular == "delimited":
        return Dataset.Tabular.from_delimited_files(
            sources,
            header=not args.no_header,
            separator=args.separator or ",",
            partition_format=args.partition_format,
        )
    from_files = {
        "parquet": Dataset.Tabular.from_parquet_files,
        "json": Dataset.Tabular.from_json_lines_files,
    }[args.tabular]
    return from_files(sources, partition_format=args.partition_format)

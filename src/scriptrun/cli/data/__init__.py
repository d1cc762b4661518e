"""List, register, download, upload and mount datasets.

A source is DATASTORE:PATH, a URL or a local path. * matches within a path segment and ** matches
across folders; a folder includes everything below it. A registered version is an immutable list
of files.

examples:
  scriptrun data register mnist 'photos:mnist/**/*.gz' https://example.org/labels.csv
  scriptrun data register sales sales:2020 --tabular delimited
  scriptrun data show mnist@2
  scriptrun data upload ./images photos:images
  scriptrun data download mnist ./mnist
  scriptrun run --input digits=mnist train.py -- --data '{digits}'
"""

from __future__ import annotations

import argparse

from scriptrun.cli import common_arguments

#: subcommand: its summary, and the module that implements it (imported on use)
_VERBS = {
    "list": ("list registered datasets", "data.show"),
    "show": ("show a dataset's files, sources and runs", "data.show"),
    "register": ("register files as a dataset's next version", "data.register"),
    "download": ("download a dataset or datastore path", "data.transfer"),
    "upload": ("upload files and folders to a datastore", "data.transfer"),
    "mount": ("mount a dataset as a folder until Ctrl-C", "data.mount"),
    "cache": ("show or prune this machine's dataset cache", "data.cache"),
}
TABULAR = ("delimited", "parquet", "json")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    common_arguments.add_verbs(parser, _VERBS, _ADDERS)


def _no_arguments(verb: argparse.ArgumentParser) -> None:
    return None


def _show(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME[@VERSION]", help="dataset or DATASTORE:PATH")
    verb.add_argument("--files", action="store_true", help="list all files")


def _register(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", help="dataset name")
    verb.add_argument(
        "sources", metavar="SOURCE", nargs="+", help="DATASTORE:PATH, URL or local path"
    )
    verb.add_argument(
        "--tabular", metavar="FORMAT", choices=TABULAR, help="tabular format: " + ", ".join(TABULAR)
    )
    verb.add_argument("--separator", metavar="C", help="column separator (default: comma)")
    verb.add_argument("--no-header", action="store_true", help="files have no header line")
    verb.add_argument(
        "--partition-format", metavar="F", help="extract columns from paths, e.g. {country}/{y}"
    )
    verb.add_argument("--description", metavar="TEXT", help="describe the dataset")
    verb.add_argument(
        "--tag",
        metavar="NAME[=VALUE]",
        action="append",
        default=[],
        dest="tags",
        help="tag the dataset (repeatable)",
    )


def _download(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME[@VERSION]", help="dataset or DATASTORE:PATH")
    verb.add_argument("target", metavar="TARGET", help="destination folder")
    verb.add_argument("--overwrite", action="store_true", help="replace existing files")


def _upload(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("paths", metavar="LOCAL", nargs="+", help="local files and folders")
    verb.add_argument(
        "destination", metavar="DATASTORE:PATH", help="destination folder on a datastore"
    )
    verb.add_argument("--overwrite", action="store_true", help="replace existing files")


def _mount(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME[@VERSION]", help="dataset or DATASTORE:PATH")
    verb.add_argument("path", metavar="PATH", help="empty folder, created if missing")


def _cache(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "do",
        metavar="list|prune",
        nargs="?",
        choices=("list", "prune"),
        help="list or prune cached files (default: list)",
    )
    verb.add_argument("--max-size", metavar="SIZE", help="prune to this size, e.g. 50GB")
    verb.add_argument(
        "--older-than", metavar="AGE", help="prune files unused for this long, e.g. 30d"
    )


_ADDERS = {
    "list": _no_arguments,
    "show": _show,
    "register": _register,
    "download": _download,
    "upload": _upload,
    "mount": _mount,
    "cache": _cache,
}


def run(args: argparse.Namespace) -> int:
    """Run the selected subcommand and return the exit code."""
    common_arguments.run_verb(args, _VERBS)
    return 0

"""List, register, download, upload and mount datasets.

A source is DATASTORE:PATH, an address, or a path of this machine; * stays within a name, ** spans
folders, a folder stands for all below it. A registered version is fixed: the list of its files.

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
from scriptrun.spec.hints import Any

#: verb: its line, and the module that does it (loaded when it is used)
_VERBS = {
    "list": ("the registered datasets, in their latest versions", "data.show"),
    "show": ("a dataset: its files, where they come from, which runs used it", "data.show"),
    "register": ("list files and keep that list as the next version of a name", "data.register"),
    "download": ("copy a dataset's files, or a datastore's, here", "data.transfer"),
    "upload": ("copy files and folders to a datastore", "data.transfer"),
    "mount": ("show a dataset's files as a folder, until Ctrl-C", "data.mount"),
    "cache": ("what is kept of datasets on this machine", "data.cache"),
}
TABULAR = ("delimited", "parquet", "json")


def arguments(parser: Any) -> None:
    """Add the command's arguments."""
    common_arguments.add_verbs(parser, _VERBS, _ADD, without_json=("mount",))


def _nothing(verb: Any) -> None:
    return None


def _show(verb: Any) -> None:
    verb.add_argument("name", metavar="NAME[@VERSION]", help="a dataset, or DATASTORE:PATH")
    verb.add_argument("--files", action="store_true", help="all files, not only the first")


def _register(verb: Any) -> None:
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("sources", metavar="SOURCE", nargs="+")
    verb.add_argument("--tabular", metavar="FORMAT", choices=TABULAR, help=" or ".join(TABULAR))
    verb.add_argument("--separator", metavar="C", help="between columns (default: a comma)")
    verb.add_argument("--no-header", action="store_true", help="the files have no line of names")
    verb.add_argument("--partition-format", metavar="F", help="columns from paths: {country}/{y}")
    verb.add_argument("--description", metavar="TEXT")
    verb.add_argument("--tag", metavar="NAME[=VALUE]", action="append", default=[], dest="tags")


def _download(verb: Any) -> None:
    verb.add_argument("name", metavar="NAME[@VERSION]", help="a dataset, or DATASTORE:PATH")
    verb.add_argument("target", metavar="TARGET", help="the folder that the files go to")
    verb.add_argument("--overwrite", action="store_true", help="replace files that are there")


def _upload(verb: Any) -> None:
    verb.add_argument("paths", metavar="LOCAL", nargs="+", help="files and folders")
    verb.add_argument("destination", metavar="DATASTORE:PATH")
    verb.add_argument("--overwrite", action="store_true", help="replace files that are there")


def _mount(verb: Any) -> None:
    verb.add_argument("name", metavar="NAME[@VERSION]", help="a dataset, or DATASTORE:PATH")
    verb.add_argument("path", metavar="PATH", help="an empty folder, which is made if need be")


def _cache(verb: Any) -> None:
    verb.add_argument("do", metavar="list|prune", nargs="?", choices=("list", "prune"))
    verb.add_argument("--max-size", metavar="SIZE", help="prune down to this: 50GB")
    verb.add_argument("--older-than", metavar="AGE", help="prune what was not used since: 30d")


_ADD = {
    "list": _nothing,
    "show": _show,
    "register": _register,
    "download": _download,
    "upload": _upload,
    "mount": _mount,
    "cache": _cache,
}


def run(args: argparse.Namespace) -> int:
    """Do what the verb says; the exit code."""
    common_arguments.do_verb(args, _VERBS)
    return 0

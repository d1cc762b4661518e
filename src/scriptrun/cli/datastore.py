"""List, add, check and remove datastores.

Never pass credentials on the command line. They come from a secret that --secret names (see
`scriptrun secret`), from environment variables, or from the provider's own login.

examples:
  scriptrun datastore add photos --local /data/photos
  scriptrun datastore add blob --azure-blob --account me --container data --secret blob-key
  scriptrun datastore add results --s3 --bucket b --endpoint https://s3.example.org --secret s3
  scriptrun datastore check results
"""

from __future__ import annotations

import argparse

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli import errors as cli_errors
from scriptrun.cli.options import datastore as datastore_options
from scriptrun.cli.terminal import output
from scriptrun.core.workspace import Workspace
from scriptrun.data.datastores import classes as datastore_classes
from scriptrun.data.datastores import records as datastore_records
from scriptrun.data.datastores.classes import AbstractDatastore
from scriptrun.data.stores import probe
from scriptrun.spec.errors import UserErrorException
from scriptrun.store import records as store_records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.common_arguments import VerbResult
    from scriptrun.runtime.hints import Json

_LINES = {
    "list": "list datastores",
    "show": "show a datastore's settings",
    "add": "add a datastore, or replace one with --overwrite",
    "check": "check list, write, read and delete access",
    "default": "show or set the default datastore",
    "remove": "remove a datastore and keep its files",
}
#: exit code of `check` if the datastore denies access or is unreachable
REFUSED = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    common_arguments.json_argument(parser)
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND")
    for name, line in _LINES.items():
        verb = verbs.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        if name != "list":
            optional = name in ("show", "check", "default")
            metavar = "NAME" if name == "add" else "DATASTORE"
            verb.add_argument(
                "name", metavar=metavar, nargs="?" if optional else None, help="datastore name"
            )
        if name == "add":
            datastore_options.arguments(verb)
        if name == "check":
            verb.add_argument("--path", metavar="PATH", default="", help="existing file to read")
            verb.add_argument(
                "--read-only", action="store_true", help="skip the write and delete checks"
            )
        common_arguments.json_argument(verb, is_subcommand=True)


def run(args: argparse.Namespace) -> int:
    """Run the selected subcommand and return the exit code."""
    workspace = workspace_here.current()
    value, text = _VERBS[args.verb or "list"](workspace, args)
    if args.json:
        output.print_json(value)
    elif callable(text):
        text()
    else:
        print(text)
    refused = args.verb == "check" and isinstance(value, dict) and value["reasons"]
    return REFUSED if refused else 0


def _record(workspace: Workspace, name: str) -> Json:
    record = datastore_records.get(workspace, name)
    return {
        "name": name,
        "class": record["class"],
        "default": datastore_records.default(workspace) == name,
        "settings": {key: value for key, value in record.items() if key != "class"},
    }


def _list(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    names = datastore_records.names(workspace)
    records = list(store_records.readable(names, lambda name: _record(workspace, name)))
    rows = [
        (
            record["name"],
            record["class"],
            "yes" if record["default"] else "",
            _format_settings(record),
        )
        for record in records
    ]
    heads = ("NAME", "CLASS", "DEFAULT", "SETTINGS")
    return {"datastores": records}, lambda: output.print_table(heads, rows)


def _format_settings(record: Json) -> str:
    return ", ".join(f"{name}={value}" for name, value in record["settings"].items())


def _get_datastore(workspace: Workspace, args: argparse.Namespace) -> AbstractDatastore:
    return datastore_classes.get(workspace, args.name or datastore_records.default(workspace))


def _show(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    record = _record(workspace, _get_datastore(workspace, args).name)
    facts = {"name": record["name"], "class": record["class"], **record["settings"]}
    facts["default"] = record["default"]
    pairs = [(name, "yes" if value is True else str(value)) for name, value in facts.items()]
    return record, lambda: output.print_facts([pair for pair in pairs if pair[1] != "False"])


def _add(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    register = datastore_options.build_registration(args)
    if args.name in datastore_records.names(workspace) and not args.overwrite:
        raise UserErrorException(
            f"Datastore {args.name!r} already exists.",
            "Choose another name or use --overwrite.",
        )
    store = register(workspace_here.create_if_missing(workspace))
    record = _record(workspace, store.name)
    return (
        record,
        f"{store.name}: {record['class']}\nTo test it, run: scriptrun datastore check {store.name}",
    )


def _check(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    datastore = _get_datastore(workspace, args)
    result = probe.probe(datastore, args.path, not args.read_only)

    def show() -> None:
        output.print_facts(
            [(operation, _access_word(result, operation)) for operation in probe.ACTIONS]
        )
        if result.has_problems:
            cli_errors.report_error(" ".join(dict.fromkeys(result.reasons.values())), result.hint)

    return {"name": datastore.name, **result.as_dict()}, show


def _access_word(result: probe.Probe, operation: str) -> str:
    allowed = result.may[operation]
    if allowed is None:
        return result.notes.get(operation, "skipped")
    return "yes" if allowed else "no"


def _default(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    if args.name:
        datastore_records.get(workspace, args.name)
        datastore_records.set_default(workspace_here.create_if_missing(workspace), args.name)
    name = datastore_records.default(workspace)
    return {"default": name}, name


def _remove(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    datastore_classes.get(workspace, args.name).unregister()
    return {"removed": args.name}, f"Removed {args.name}; its files are kept."


_VERBS = {
    "list": _list,
    "show": _show,
    "add": _add,
    "check": _check,
    "default": _default,
    "remove": _remove,
}

"""List, show, call, change and remove services: models that answer requests.

`scriptrun serve` starts one. A service is a run: `scriptrun show`, `logs` and `cancel` act on it,
too.

examples:
  scriptrun service list
  scriptrun service show digits
  scriptrun service test digits sample.json
  scriptrun service logs digits -f
  scriptrun service reload digits
  scriptrun service remove digits
"""

from __future__ import annotations

import argparse
import importlib

from scriptrun.cli import common_arguments, workspace_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from scriptrun.cli.parsers import Parser

#: the subcommands: what each does, and the module of this package that does it
VERBS = {
    "list": ("list services", "service.show"),
    "show": ("show a service: state, address, models and settings", "service.show"),
    "logs": ("print or follow a service's log", "service.calls"),
    "test": ("send a request to a service, and print the response", "service.calls"),
    "keys": ("show or regenerate a service's keys", "service.calls"),
    "reload": ("replace a service by its source directory as it is now", "service.control"),
    "restart": ("replace a service's processes", "service.control"),
    "stop": ("stop a service; start starts it again", "service.control"),
    "start": ("start a stopped service", "service.control"),
    "remove": ("stop and remove a service; its runs remain", "service.control"),
}


def arguments(parser: Parser) -> None:
    """Add the command's arguments."""
    common_arguments.add_verbs(parser, VERBS, _ADDERS)


def run(args: argparse.Namespace) -> int:
    """Run the selected subcommand and return the exit code."""
    if args.verb == "logs":
        calls = importlib.import_module("scriptrun.cli.service.calls")
        return int(calls.logs(workspace_here.require(), args))
    common_arguments.run_verb(args, VERBS)
    return 0


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of the service")


def _names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="+", help="names of the services")


def _no_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def _logs(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="follow it until it ends")
    parser.add_argument("-t", "--tail", metavar="N", type=int, help="print only the last N lines")


def _test(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("file", metavar="FILE", help="request's body, e.g. sample.json; -: stdin")


def _keys(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--primary", action="store_true", help="print only the primary key")
    which.add_argument("--regenerate", choices=("primary", "secondary"), help="replace this key")


_ADDERS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "list": _no_arguments,
    "show": _name,
    "logs": _logs,
    "test": _test,
    "keys": _keys,
    "reload": _name,
    "restart": _name,
    "stop": _names,
    "start": _name,
    "remove": _names,
}

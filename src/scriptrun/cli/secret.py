"""Keep secrets of yours on this machine, for datastores and scripts to name.

A secret's value is read from a prompt or from standard input, never from the command line, which
other users of the machine can see. It is kept in the system's key store where there is one (and the
package keyring), else in an encrypted file that only you can read, and never gets into a workspace,
a job's record or a log. It is for all your workspaces, or with --workspace for this one alone (as
Keyvault.set_secret keeps it), whose own come first.

examples:
  scriptrun secret set storage-key
  scriptrun secret set s3 < keys.txt
  scriptrun datastore add results --s3 --bucket results --secret s3
"""

from __future__ import annotations

import argparse
import sys

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli.terminal import output
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.hints import Any
from scriptrun.store.secrets import vault

_LINES = {
    "list": "the names of your secrets; never a value",
    "set": "keep a secret: its value comes from a prompt, or from standard input",
    "remove": "forget a secret",
}


def arguments(parser: Any) -> None:
    """Add the command's arguments."""
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND")
    for name, line in _LINES.items():
        verb = verbs.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        if name != "list":
            verb.add_argument("name", metavar="NAME")
            verb.add_argument("--workspace", action="store_true", help="of this workspace alone")
        common_arguments.json_argument(verb)


def run(args: argparse.Namespace) -> int:
    """Do what the verb says; the exit code."""
    value, text = _VERBS[args.verb or "list"](args)
    if getattr(args, "json", False):
        output.as_json(value)
    else:
        print(text)
    return 0


def _list(args: argparse.Namespace) -> tuple[Any, str]:
    place = str(vault.folder())
    found = [{"name": name, "from": place} for name in vault.names()]
    here = workspace_here.here()
    if workspace_here.is_made(here):
        which = f"{place}, of the workspace {here.name}"
        found += [{"name": name, "from": which} for name in vault.names(here.id)]
    found += [{"name": name, "from": "the environment"} for name in vault.variables()]
    lines = [f"{each['name']}  ({each['from']})" for each in found]
    return found, "\n".join(lines) or "There are no secrets of yours on this machine yet."


def _set(args: argparse.Namespace) -> tuple[Any, str]:
    value = _asked(args.name)
    if not value:
        raise UserErrorException(
            f"The secret {args.name!r} has no value.",
            f"Type it at the prompt, or: scriptrun secret set {args.name} < FILE",
        )
    where = vault.keep(_kept_as(args), value)
    told = f"{args.name} is kept in {where}, for you alone."
    variable = vault.variable(args.name)
    if variable in vault.variables():
        told += f"\nThe variable {variable} is set, and comes first while it is."
    return {"name": args.name}, told


def _kept_as(args: argparse.Namespace) -> str:
    """The secret's name, or that of the workspace's own."""
    return (
        vault.owned(workspace_here.existing().id, args.name) if args.workspace else str(args.name)
    )


def _asked(name: str) -> str:
    """The value, from a prompt that does not show it or from standard input, whole."""
    if sys.stdin is None:
        return ""
    if not sys.stdin.isatty():
        return sys.stdin.read().strip()
    import getpass

    try:
        return getpass.getpass(f"The value of {name} (it is not shown): ", sys.stderr).strip()
    except EOFError:
        return ""


def _remove(args: argparse.Namespace) -> tuple[Any, str]:
    owner = workspace_here.existing().id if args.workspace else ""
    if args.name not in vault.names(owner):
        known = ", ".join(vault.names(owner)) or "none"
        where = f"of this workspace in {vault.folder()}" if owner else f"in {vault.folder()}"
        raise UserErrorException(
            f"There is no secret {args.name!r} {where}.",
            f"There are: {known}." + ("" if owner else " --workspace means this workspace's own."),
        )
    vault.forget(_kept_as(args))
    return {"removed": args.name}, f"Forgot {args.name}."


_VERBS = {"list": _list, "set": _set, "remove": _remove}

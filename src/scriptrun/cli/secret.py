"""Store secrets on this machine, for datastores and scripts.

The value is read from a prompt or from standard input, never from the command line, which other
users can see. It is stored in the system keyring if available (requires the keyring package), or
else in an encrypted file that only you can read. It never appears in a workspace, a run's record or
a log. A secret is available in all your workspaces, or with --workspace only in this one (like
Keyvault.set_secret). A workspace secret takes precedence.

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
from scriptrun.spec import suggestion
from scriptrun.spec.errors import UserErrorException
from scriptrun.store.secrets import vault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.common_arguments import VerbResult

_LINES = {
    "list": "list secret names",
    "set": "store a secret, read from a prompt or standard input",
    "remove": "remove a secret",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    common_arguments.json_argument(parser)
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND")
    for name, line in _LINES.items():
        verb = verbs.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        if name != "list":
            verb.add_argument("name", metavar="NAME", help="secret name")
            verb.add_argument(
                "--workspace", action="store_true", help="use this workspace's secrets only"
            )
        common_arguments.json_argument(verb, is_subcommand=True)


def run(args: argparse.Namespace) -> int:
    """Run the selected subcommand and return the exit code."""
    value, text = _VERBS[args.verb or "list"](args)
    if args.json:
        output.print_json(value)
    else:
        print(text)
    return 0


def _list(args: argparse.Namespace) -> VerbResult:
    folder = str(vault.folder())
    secrets = [{"name": name, "from": folder} for name in vault.names()]
    workspace = workspace_here.current()
    if workspace_here.exists(workspace):
        location = f"{folder}, workspace {workspace.name}"
        secrets += [{"name": name, "from": location} for name in vault.names(workspace.id)]
    secrets += [{"name": name, "from": "the environment"} for name in vault.variables()]
    lines = [f"{secret['name']}  ({secret['from']})" for secret in secrets]
    return {"secrets": secrets}, "\n".join(lines) or "No secrets."


def _set(args: argparse.Namespace) -> VerbResult:
    value = _read_value(args.name)
    if not value:
        raise UserErrorException(
            f"Secret {args.name!r} is empty.",
            f"Type the value at the prompt, or run: scriptrun secret set {args.name} < FILE",
        )
    location = vault.store(_stored_name(args), value)
    message = f"Stored {args.name} in {location}, readable only by you."
    variable = vault.variable(args.name)
    if variable in vault.variables():
        message += f"\nThe environment variable {variable} is set and takes precedence."
    return {"name": args.name}, message


def _stored_name(args: argparse.Namespace) -> str:
    """Return the secret's name in the vault; secrets of a workspace have a prefix."""
    return (
        vault.workspace_secret(workspace_here.require().id, args.name)
        if args.workspace
        else str(args.name)
    )


def _read_value(name: str) -> str:
    """Read the value from a prompt that hides it, or all of standard input."""
    if sys.stdin is None:
        return ""
    if not sys.stdin.isatty():
        return sys.stdin.read().strip()
    import getpass

    try:
        return getpass.getpass(f"Value of {name} (hidden): ", sys.stderr).strip()
    except EOFError:
        return ""


def _remove(args: argparse.Namespace) -> VerbResult:
    owner = workspace_here.require().id if args.workspace else ""
    names = vault.names(owner)
    if args.name not in names:
        location = f"{vault.folder()} for this workspace" if owner else str(vault.folder())
        raise UserErrorException(
            f"Secret {args.name!r} not found in {location}.",
            suggestion.hint(args.name, names, "Secrets")
            + ("" if owner else " For a workspace secret, use --workspace."),
        )
    vault.forget(_stored_name(args))
    return {"removed": args.name}, f"Removed {args.name}."


_VERBS = {"list": _list, "set": _set, "remove": _remove}

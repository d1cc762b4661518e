"""What commands print with --json: a JSON Schema for each document.

To declare what a new command prints, add an entry to ``DOCUMENTS`` in the module of its area. The
key is the command with its subcommand: ``env build``. A command that prints one of several
documents has an entry for each, with what leads to it: ``env build (--dry-run)``.
"""

from __future__ import annotations

from scriptrun.cli.schemas import runs, services, tools, workspaces
from scriptrun.cli.schemas.shapes import DIALECT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.schemas.shapes import Document
    from scriptrun.runtime.hints import Json

#: the documents of all commands
DOCUMENTS: dict[str, Document] = {
    **runs.DOCUMENTS,
    **workspaces.DOCUMENTS,
    **services.DOCUMENTS,
    **tools.DOCUMENTS,
}
ERROR = tools.ERROR
#: commands without --json, and the reason
WITHOUT_JSON = {
    "completion": "its output is a script for a shell",
    "config edit": "the editor uses the terminal",
    "shell": "the shell uses the terminal",
}


def documents_of(command: str) -> dict[str, Document]:
    """The documents that a command, such as ``env build``, may print."""
    return {key: each for key, each in DOCUMENTS.items() if key.partition(" (")[0] == command}


def schema_of(command: str) -> Json:
    """The JSON Schema of what a command prints to stdout with --json, errors included."""
    schemas = [each.schema(key) for key, each in documents_of(command).items()]
    schemas.append(ERROR.schema("error"))
    parts = [{key: value for key, value in each.items() if key != "$schema"} for each in schemas]
    return {"$schema": DIALECT, "title": f"scriptrun {command} --json", "anyOf": parts}

"""Named secrets of this user on this machine: never in a workspace, a spec, an event or a log.

A secret NAME is read from the variable ``SCRIPTRUN_SECRET_<NAME>`` (capitals; what is no letter or
digit becomes ``_``), else from a file of that name below ``$SCRIPTRUN_SECRETS``, else below
``~/.config/scriptrun/secrets``, which only its owner may read.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from scriptrun.data.errors import DatastoreException
from scriptrun.runtime import files
from scriptrun.store import yaml_file


def folder() -> Path:
    """Where this user's secrets lie; it is not made here."""
    named = os.environ.get("SCRIPTRUN_SECRETS")
    if named:
        return Path(named).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home()) / "scriptrun" / "secrets"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "scriptrun/secrets"


def variable(name: str) -> str:
    """The variable that holds the secret ``name``, where it is set."""
    return "SCRIPTRUN_SECRET_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def keep(name: str, value: str) -> None:
    """Keep the secret for this user: a file of mode 0600 in a folder of mode 0700."""
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = place / yaml_file.file_name(name)
        files.write_atomic(str(path), value.encode("utf-8"), 0o600)
    except OSError as error:
        raise DatastoreException(
            f"The secret {name!r} cannot be kept in {place}: {error.strerror}.",
            f"Set the variable {variable(name)} instead, or SCRIPTRUN_SECRETS to another folder.",
        ) from None


def find(name: str) -> str:
    """The secret's value. Raises DatastoreException, which says where it was looked for."""
    value = os.environ.get(variable(name))
    if value:
        return value
    path = folder() / yaml_file.file_name(name)
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        raise DatastoreException(
            f"There is no secret {name!r} here.",
            f"Keep it with `scriptrun secret set {name}` (in {path}, for you alone), or set the "
            f"variable {variable(name)}.",
        ) from None


def names() -> list[str]:
    """The names of the secrets in this user's folder, in order."""
    try:
        found = os.listdir(folder())
    except OSError:
        return []
    return sorted(yaml_file.name_of(name) for name in found if not name.endswith(".tmp"))


def variables() -> list[str]:
    """The variables of this process that hold secrets, in order."""
    return sorted(name for name in os.environ if name.startswith("SCRIPTRUN_SECRET_"))


def forget(name: str) -> None:
    """Remove the secret from this user's folder, if it is there."""
    (folder() / yaml_file.file_name(name)).unlink(missing_ok=True)

"""Named secrets of this user on this machine: never in a workspace, a spec, an event or a log.

Some are for one workspace alone (``owned``): while something is done for it (``of_workspace``) they
stand before those for all.

A secret NAME is read from the variable ``SCRIPTRUN_SECRET_<NAME>`` (capitals; what is no letter or
digit becomes ``_``), else from a file of that name below ``$SCRIPTRUN_SECRETS``, else below
``~/.config/scriptrun/secrets``. The file holds the value encrypted, or says that the system's key
store has it (secret_forms.py). A file that something else wrote there, such as a secret that a
container is given as a file, is read as it is.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType

from scriptrun.runtime import files
from scriptrun.spec.errors import SecretException
from scriptrun.spec.later import later
from scriptrun.store import yaml_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.store.secrets import encryption
else:
    encryption = later("scriptrun.store.secrets.encryption")

_PREFIX = "SCRIPTRUN_SECRET_"
_OWNED = "workspace-"
#: for which workspace something is done now, and what is lent for it: many calls lie between who
#: knows that and who needs a value. A thread has its own; one that is started begins without.
_workspace: ContextVar[str] = ContextVar("workspace", default="")
_lent: ContextVar[Mapping[str, str]] = ContextVar("lent", default=MappingProxyType({}))


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
    return _PREFIX + re.sub(r"[^A-Z0-9]", "_", name.upper())


def owned(workspace: str, name: str) -> str:
    """The name under which the secret ``name`` of the workspace with that id is kept."""
    yaml_file.file_name(name)  # refuses what is no name
    return f"{_OWNED}{workspace}-{name}"


@contextmanager
def of_workspace(workspace: str) -> Iterator[None]:
    """For the block, secrets of the workspace with that id stand before the others."""
    token = _workspace.set(workspace)
    try:
        yield
    finally:
        _workspace.reset(token)


def keep(name: str, value: str) -> str:
    """Keep the secret for this user; where it is kept, in words ("a file that ...").

    The system's key store has it where ``keyring`` finds one and no folder is named by
    ``SCRIPTRUN_SECRETS``; else it is encrypted. Raises SecretException where it can't be kept.
    """
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        form, where = encryption.put(place, name, value)
        files.write_atomic(str(place / yaml_file.file_name(name)), form, 0o600)
    except OSError as error:
        raise SecretException(
            f"Cannot store secret {name!r} in {place}: {error.strerror}.",
            f"Set the variable {variable(name)}, or set SCRIPTRUN_SECRETS to another folder.",
        ) from None
    return where


_offered: dict[str, str] = {}


def offer(name: str, value: str) -> None:
    """Let this process know a secret that is not kept: what stands in the code that it runs."""
    _offered[name] = value


@contextmanager
def lent(values: Mapping[str, str]) -> Iterator[None]:
    """For the block, secrets of another machine are known too; nothing is kept."""
    token = _lent.set({**_lent.get(), **values})
    try:
        yield
    finally:
        _lent.reset(token)


def keep_offered() -> None:
    """Keep what was offered, so that later processes find it."""
    for name, value in list(_offered.items()):
        if _kept(name) != value:
            keep(name, value)


def _kept(name: str) -> str | None:
    path = folder() / yaml_file.file_name(name)
    try:
        return encryption.value(path.parent, name, path.read_bytes())
    except (OSError, SecretException):
        return None


def find(name: str) -> str:
    """The secret's value. Raises SecretException, which says where it was looked for."""
    value = os.environ.get(variable(name)) or _offered.get(name) or _lent.get().get(name)
    if value:
        return value
    path = _path(name)
    try:
        content = path.read_bytes()
    except OSError:
        raise SecretException(
            f"Secret {name!r} not found.",
            f"Store it with `scriptrun secret set {name}`, or set the variable {variable(name)}.",
        ) from None
    return encryption.value(path.parent, yaml_file.name_of(path.name), content)


def _path(name: str) -> Path:
    """Where the secret's file is: the workspace's own, where it has one of that name."""
    place = folder()
    if _workspace.get() and name:
        own = place / yaml_file.file_name(owned(_workspace.get(), name))
        if own.is_file():
            return own
    return place / yaml_file.file_name(name)


def known(name: str) -> bool:
    """Whether there is a secret ``name``; no value is read."""
    if os.environ.get(variable(name)) or name in _offered or name in _lent.get():
        return True
    return _path(name).is_file()


def names(workspace: str = "") -> list[str]:
    """This user's secrets for all workspaces, or for the one with that id: the names, sorted."""
    try:
        found = os.listdir(folder())
    except OSError:
        return []
    every = sorted(yaml_file.name_of(name) for name in found if not name.endswith(".tmp"))
    if not workspace:
        return [name for name in every if not name.startswith(_OWNED)]
    own = f"{_OWNED}{workspace}-"
    return [name.removeprefix(own) for name in every if name.startswith(own)]


def variables() -> list[str]:
    """The variables of this process that hold secrets, in order."""
    return sorted(name for name in os.environ if name.startswith(_PREFIX))


def forget(name: str) -> None:
    """Remove the secret from this user's folder and key store, if it is there."""
    path = folder() / yaml_file.file_name(name)
    try:
        encryption.forget(name, path.read_bytes())
    except FileNotFoundError:
        return
    path.unlink(missing_ok=True)

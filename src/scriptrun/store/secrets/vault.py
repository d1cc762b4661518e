"""Named secrets of this user on this machine: never in a workspace, a spec, an event or a log.

Some belong to one workspace (``workspace_secret``): inside ``for_workspace`` they take precedence
over the others.

A secret NAME is read from the variable ``SCRIPTRUN_SECRET_<NAME>`` (capitals; other characters than
letters and digits become ``_``), else from a file of that name below ``$SCRIPTRUN_SECRETS``, else
below ``~/.config/scriptrun/secrets``. The file holds the encrypted value, or a mark that the system
keyring has it (encryption.py). A file from another source, such as a secret mounted into a
container, is read as plain text.
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

from scriptrun.runtime import disks, files
from scriptrun.spec.errors import SecretException
from scriptrun.spec.later import later
from scriptrun.store import yaml_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.store.secrets import encryption
else:
    encryption = later("scriptrun.store.secrets.encryption")

_VARIABLE_PREFIX = "SCRIPTRUN_SECRET_"
_WORKSPACE_PREFIX = "workspace-"
_SERVICE_PREFIX = "scriptrun-service-keys-"
#: the current workspace, and secrets borrowed for the current block. Context variables, as many
#: calls lie between who knows them and who needs them; a new thread starts without.
_workspace: ContextVar[str] = ContextVar("workspace", default="")
_borrowed: ContextVar[Mapping[str, str]] = ContextVar("lent", default=MappingProxyType({}))


def folder() -> Path:
    """The folder of this user's secrets; does not create it."""
    configured = os.environ.get("SCRIPTRUN_SECRETS")
    if configured:
        return Path(configured).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home()) / "scriptrun" / "secrets"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "scriptrun/secrets"


def variable(name: str) -> str:
    """The variable that overrides the secret ``name``."""
    return _VARIABLE_PREFIX + re.sub(r"[^A-Z0-9]", "_", name.upper())


def workspace_secret(workspace: str, name: str) -> str:
    """The name under which the workspace's secret ``name`` is stored; ``workspace`` is its ID."""
    yaml_file.file_name(name)  # raises if the name is invalid
    return f"{_WORKSPACE_PREFIX}{workspace}-{name}"


def service_secret(workspace: str, name: str) -> str:
    """The name under which the keys of the workspace's service ``name`` are stored.

    The lists of secrets and the workspace's own secrets do not include it.
    """
    return f"{_SERVICE_PREFIX}{workspace}-{name}"


@contextmanager
def for_workspace(workspace: str) -> Iterator[None]:
    """Inside the block, secrets of the workspace with that ID take precedence."""
    token = _workspace.set(workspace)
    try:
        yield
    finally:
        _workspace.reset(token)


def store(name: str, value: str) -> str:
    """Store the secret for this user; returns where it is stored, in words.

    In the system keyring if ``keyring`` finds one and ``SCRIPTRUN_SECRETS`` is not set, else in an
    encrypted file. Raises SecretException if it can't be stored.
    """
    directory = folder()
    try:
        files.make_folders(directory, 0o700)
        content, location = encryption.put(directory, name, value)
        files.write_atomic(str(directory / yaml_file.file_name(name)), content, 0o600)
    except OSError as error:
        raise SecretException(
            f"Cannot store secret {name!r} in {directory}: {disks.describe(error, directory)}.",
            f"Set the variable {variable(name)}, or set SCRIPTRUN_SECRETS to another folder.",
        ) from None
    return location


_offered: dict[str, str] = {}


def offer(name: str, value: str) -> None:
    """Register a secret in this process without storing it, e.g. one from the user's code."""
    _offered[name] = value


@contextmanager
def with_secrets(values: Mapping[str, str]) -> Iterator[None]:
    """Inside the block, these secrets (of another machine) are available; none is stored."""
    token = _borrowed.set({**_borrowed.get(), **values})
    try:
        yield
    finally:
        _borrowed.reset(token)


def store_offered() -> None:
    """Store the offered secrets, so that later processes find them."""
    for name, value in list(_offered.items()):
        if _stored_value(name) != value:
            store(name, value)


def _stored_value(name: str) -> str | None:
    path = folder() / yaml_file.file_name(name)
    try:
        content = files.read_bytes(path)
        return None if content is None else encryption.value(path.parent, name, content)
    except (OSError, SecretException):
        return None


def find(name: str) -> str:
    """The secret's value. Raises SecretException if it is not found."""
    value = os.environ.get(variable(name)) or _offered.get(name) or _borrowed.get().get(name)
    if value:
        return value
    path = _path(name)
    try:
        with files.open_record(path) as handle:
            content = handle.read()
    except FileNotFoundError:
        raise SecretException(
            f"Secret {name!r} not found.",
            f"Store it with `scriptrun secret set {name}`, or set the variable {variable(name)}.",
        ) from None
    except OSError as error:
        raise SecretException(
            f"Secret {name!r} cannot be read from {path}: {error.strerror}.",
            f"Remove that, and store the secret again: scriptrun secret set {name}",
        ) from None
    return encryption.value(path.parent, yaml_file.name_from_file(path.name), content)


def _path(name: str) -> Path:
    """The secret's file: the workspace's own if it has one of that name."""
    directory = folder()
    if _workspace.get() and name:
        workspace_path = directory / yaml_file.file_name(workspace_secret(_workspace.get(), name))
        if workspace_path.is_file():
            return workspace_path
    return directory / yaml_file.file_name(name)


def exists(name: str) -> bool:
    """Whether the secret ``name`` exists; does not read its value."""
    if os.environ.get(variable(name)) or name in _offered or name in _borrowed.get():
        return True
    return _path(name).is_file()


def names(workspace: str = "") -> list[str]:
    """The sorted names of this user's secrets, global or of the workspace with that ID."""
    try:
        entries = os.listdir(folder())
    except OSError:
        return []
    all_names = sorted(
        yaml_file.name_from_file(name) for name in entries if not name.endswith(".tmp")
    )
    if not workspace:
        hidden = (_WORKSPACE_PREFIX, _SERVICE_PREFIX)
        return [name for name in all_names if not name.startswith(hidden)]
    prefix = f"{_WORKSPACE_PREFIX}{workspace}-"
    return [name.removeprefix(prefix) for name in all_names if name.startswith(prefix)]


def variables() -> list[str]:
    """The variables of this process that hold secrets, sorted."""
    return sorted(name for name in os.environ if name.startswith(_VARIABLE_PREFIX))


def forget(name: str) -> None:
    """Remove the secret from this user's folder and keyring if it exists."""
    path = folder() / yaml_file.file_name(name)
    try:
        encryption.forget(name, files.read_bytes(path) or b"")
        path.unlink(missing_ok=True)
    except OSError as error:
        raise SecretException(
            f"Secret {name!r} cannot be removed from {path}: {error.strerror}.",
            "Remove that yourself.",
        ) from None

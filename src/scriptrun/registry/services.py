"""The workspace's services: one record a name, and their keys in the user's secret vault."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scriptrun.config.services.deployment import LOCAL
from scriptrun.runtime import files
from scriptrun.spec import ids, suggestion
from scriptrun.spec.errors import SecretException, WebserviceException
from scriptrun.spec.values import Value, fresh
from scriptrun.store import paths, records
from scriptrun.store.locks import flocks
from scriptrun.store.secrets import vault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.runtime.hints import Json

#: the fields of a record that its request has too: those of ``next_request`` count once it serves
METADATA = ("description", "tags", "properties")
_SUFFIX = ".json"
#: a file name and a part of a URL
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class ServiceMissing(WebserviceException):
    """There is no service of that name."""


ServiceMissing.__name__ = WebserviceException.__name__  # which old code prints


class ServiceRecord(Value):
    """A service: ``run`` is the ID of the run that serves it, None while the first one starts.

    ``next`` is the ID of the run that starts in its place, None if none does; ``retired`` are those
    of runs that were replaced, until they have ended. ``request`` is what was asked for, as JSON
    without keys, ``next_request`` the same for ``next``, with the description, the tags and the
    properties that the service gets with it. ``by`` identifies the process that deploys
    ``next``. ``failure`` says why the latest deployment did not replace the one before (``run``,
    ``reason``). Times are ISO 8601.
    """

    name: str
    request: Json
    run: str | None = None
    next: str | None = None
    next_request: Json | None = None
    by: Json | None = None
    retired: list[str] = fresh(default_factory=list)
    created: str = ""
    updated: str = ""
    description: str = ""
    compute_type: str = LOCAL
    tags: dict[str, str] = fresh(default_factory=dict)
    properties: dict[str, str] = fresh(default_factory=dict)
    failure: Json | None = None

    @property
    def newest(self) -> str:
        """The ID of the run that was started last."""
        return self.next or self.run or ""


def name_problem(name: object) -> str:
    """Why ``name`` cannot name a service; "" if it can."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return ""
    return (
        f"invalid service name {name!r:.100}; use letters, digits, '-', '_' and '.', starting with "
        "a letter or digit, at most 100 characters"
    )


def names(workspace: WorkspaceFiles) -> list[str]:
    """The names of all services, sorted."""
    entries = files.names_in(_folder(workspace))
    return sorted(name[: -len(_SUFFIX)] for name in entries if name.endswith(_SUFFIX))


def read(workspace: WorkspaceFiles, name: str) -> ServiceRecord | None:
    """The record of the service ``name``, or None. Raises DamagedRecord."""
    if name_problem(name):
        return None
    try:
        return records.read(_path(workspace, name), ServiceRecord.from_dict)
    except records.DamagedRecord as error:
        raise records.DamagedRecord(
            error.path,
            error.problem.removeprefix(str(error.path)),
            "Restore the file from a backup, or remove the service with its processes: "
            f"scriptrun service remove {name}",
        ) from None


def require(workspace: WorkspaceFiles, name: str) -> None:
    """Raise WebserviceException if there is no service ``name``, be its record damaged or not."""
    if name_problem(name) or not os.path.lexists(_path(workspace, name)):
        raise _missing(workspace, name)


def get(workspace: WorkspaceFiles, name: str) -> ServiceRecord:
    """The record of the service ``name``. Raises WebserviceException, naming near ones, if none."""
    record = read(workspace, name)
    if record is None:
        raise _missing(workspace, name)
    return record


def _missing(workspace: WorkspaceFiles, name: str) -> ServiceMissing:
    return ServiceMissing(
        f"Service {name!r} not found in workspace {workspace.name!r}.",
        hint=suggestion.hint(str(name), names(workspace), "Services"),
    )


def all_records(workspace: WorkspaceFiles) -> Iterator[ServiceRecord]:
    """All services by name; those whose record is damaged are named on stderr."""
    found = records.readable(names(workspace), lambda name: read(workspace, name))
    yield from (record for record in found if record is not None)


def create(workspace: WorkspaceFiles, record: ServiceRecord) -> bool:
    """Record a new service durably; returns False if the name is taken, also at this moment."""
    path = _path(workspace, record.name)
    try:
        with locked(workspace, record.name):
            _make_folder(path.parent)
            return files.publish(str(path), files.to_json(record.as_dict()))
    except OSError as error:
        raise paths.not_writable(path, error) from error


def _make_folder(folder: Path) -> None:
    """Create the folder of the records, private as the runs are: requests hold variables."""
    if folder.is_dir():
        return
    try:
        paths.make_private(folder)
    except FileExistsError:
        return  # another process was quicker
    files.sync_folder(folder.parent)


@contextmanager
def locked(workspace: WorkspaceFiles, name: str) -> Iterator[None]:
    """Hold the service's lock on this machine: changes of its record wait for each other."""
    with flocks.flock(paths.runtime_folder("services", workspace.id) / f"{name}.lock"):
        yield


def change(
    workspace: WorkspaceFiles,
    name: str,
    update: Callable[[ServiceRecord], ServiceRecord | None],
) -> ServiceRecord:
    """Change the record by ``update``, durably; nothing else changes it meanwhile.

    ``update`` returns None to leave it. Raises WebserviceException if there is no such service.
    """
    with locked(workspace, name):
        record = get(workspace, name)
        changed = update(record)
        if changed is None or changed == record:
            return record
        changed = changed.replace(updated=ids.now())
        path = _path(workspace, name)
        try:
            files.write_atomic(str(path), files.to_json(changed.as_dict()))
        except OSError as error:
            raise paths.not_writable(path, error) from error
        return changed


def remove(workspace: WorkspaceFiles, name: str, run: str | None = None) -> None:
    """Remove the record and the keys; with ``run``, only if that is still its newest run."""
    with locked(workspace, name):
        record = None if run is None else read(workspace, name)
        if run is not None and (record is None or record.newest != run):
            return
        _forget_keys(workspace, name)  # first: without the record, nobody would look for them
        path = _path(workspace, name)
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            files.sync_folder(path.parent)


def keys(workspace: WorkspaceFiles, name: str, run_id: str) -> tuple[str, str] | None:
    """The primary and the secondary key of the service's run, or None: this user's secrets.

    Raises SecretException if they cannot be read.
    """
    return _all_keys(workspace, name).get(run_id)


def _all_keys(workspace: WorkspaceFiles, name: str) -> dict[str, tuple[str, str]]:
    secret = _secret(workspace, name)
    if not vault.exists(secret):
        return {}
    try:
        text = vault.find(secret)
    except SecretException as error:
        raise SecretException(
            f"The keys of service {name!r} cannot be read: {error.message}",
            "Make the secrets of this user readable. If the keys are lost, remove the service, "
            "and deploy it again with new ones.",
        ) from None
    lines = (line.split() for line in text.splitlines())
    return {words[0]: (words[1], words[2]) for words in lines if len(words) == 3}


def store_keys(
    workspace: WorkspaceFiles, record: ServiceRecord, run_id: str, keys: tuple[str, str]
) -> None:
    """Store the keys of a run of the service, in addition to those of its current runs.

    Raises SecretException if that is impossible, and ServiceMissing if the service was removed.
    """
    with locked(workspace, record.name):
        current = get(workspace, record.name)
        stored = _all_keys(workspace, record.name)
        kept = {run: pair for run, pair in stored.items() if run in (current.run, current.next)}
        lines = (f"{run} {pair[0]} {pair[1]}" for run, pair in {**kept, run_id: keys}.items())
        vault.store(_secret(workspace, record.name), "\n".join(lines))


def _forget_keys(workspace: WorkspaceFiles, name: str) -> None:
    """Remove the service's keys if it has any."""
    if vault.exists(_secret(workspace, name)):
        vault.forget(_secret(workspace, name))


def new_key() -> str:
    """A key that cannot be guessed."""
    return files.unique(64)


def _secret(workspace: WorkspaceFiles, name: str) -> str:
    return vault.service_secret(workspace.id, name)


def _folder(workspace: WorkspaceFiles) -> Path:
    return workspace.directory / "services"


def _path(workspace: WorkspaceFiles, name: str) -> Path:
    return _folder(workspace) / f"{os.path.basename(name)}{_SUFFIX}"

"""The user's private record of the processes of a run, which alone may aim a signal (Python 3.8+).

A run's own folder may be on a shared file system, written by others, or a copy: what it says about
processes is shown, but nothing is signalled because of it. The guard of each attempt and node
writes a file here, ``<run>.<attempt>.<node>.<pid>.jsonl`` in a folder that only its user can read
or write, before the script starts, and removes it when nothing is left of the run.
"""

import json
import os

from . import events, files, identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json, StrPath
    from scriptrun.runtime.order import LaunchOrder

#: the kinds of lines: who watches the run, its scripts, and its containers
KEEPER, SCRIPT, CONTAINER = "keeper", "script", "container"


class ProcessRecord:
    """What is recorded of one attempt on one node."""

    def __init__(self, path: str, lines: "list[Json]") -> None:
        self.path = path
        #: the run's folder as its processes know it
        self.folder = str(lines[0]["folder"])
        self._inode = lines[0].get("inode")
        self._lines = lines

    def of_kind(self, kind: str) -> "list[Json]":
        """The lines of this kind."""
        return [line for line in self._lines if line.get("kind") == kind]

    def is_of(self, folder: str) -> bool:
        """Whether ``folder`` is the run's: the same directory, not just one of its name."""
        return self._inode == _inode(folder)

    @property
    def is_outdated(self) -> bool:
        """Whether the machine was started again since: nothing of it is alive."""
        return self._lines[0].get("boot") != identity.boot_id()

    @property
    def is_local(self) -> bool:
        """Whether its processes are of this host, boot and PID namespace: they can be checked."""
        return not self.is_outdated and identity.is_local(self._lines[0])

    @property
    def is_kept(self) -> bool:
        """Whether the guard or the launcher is alive, which end what the run leaves."""
        return any(map(identity.is_alive, self.of_kind(KEEPER)))

    @property
    def since(self) -> "str | None":
        """When the run's guard started, as ``identity.start_time`` says it."""
        start: "str | None" = self._lines[0].get("start")
        return start

    def containers(self) -> "list[Json]":
        """The containers of the run, as ``containers/docker.py`` describes them."""
        return [line["container"] for line in self.of_kind(CONTAINER)]

    def living_scripts(self) -> "list[int]":
        """The pids of the scripts that are still alive; each leads a process group."""
        return [line["pid"] for line in self.of_kind(SCRIPT) if identity.is_alive(line)]

    def remove(self) -> None:
        """Remove the record."""
        files.unlink_quietly(self.path)


def path_of(order: "LaunchOrder", guard: int) -> "str | None":
    """The file of the attempt whose guard has the pid ``guard``; None where there is no folder."""
    if not order.processes:
        return None
    run = os.path.basename(order.folder)
    name = "{}.{}.{}.{}.jsonl".format(run, order.attempt, order.node, guard)
    return os.path.join(order.processes, name)


def begin(order: "LaunchOrder", guard: "Json") -> None:
    """Record this process, identified by ``guard``, before anything of the run is started.

    A failure is ignored, as of a full disk: the run starts, and only if its guard and its launcher
    are both killed, nothing of it is signalled.
    """
    path = path_of(order, os.getpid())
    if path is None:
        return
    folder = order.folder
    fields = dict(guard, folder=folder, inode=_inode(folder))
    try:
        _append(path, KEEPER, fields)
    except OSError:
        files.unlink_quietly(path)  # not in part


def add(order: "LaunchOrder", guard: "int | None", kind: str, **fields: object) -> None:
    """Append a line to the record of the attempt whose guard has the pid ``guard``.

    A failure is ignored: the scripts are found by their variables too.
    """
    path = path_of(order, guard or os.getpid())
    if path is None:
        return
    try:
        _append(path, kind, fields)
    except OSError:
        pass  # a full disk


def _append(path: str, kind: str, fields: "Json") -> None:
    line = json.dumps(dict(fields, kind=kind), ensure_ascii=True) + "\n"
    events.append(path, line.encode("ascii"), mode=0o600)


def end(order: "LaunchOrder", guard: int) -> None:
    """Remove the record: nothing is left of the run's processes."""
    path = path_of(order, guard)
    if path is not None:
        files.unlink_quietly(path)


def read(path: str) -> "ProcessRecord | None":
    """The record in the file ``path``; None if it is another user's, or damaged."""
    try:
        if os.stat(path).st_uid != os.geteuid():
            return None
    except OSError:
        return None
    lines = [line for line in events.read(path) if "pid" in line or "container" in line]
    if not lines or not {"folder", "pid", "host"} <= set(lines[0]):
        return None
    return ProcessRecord(path, lines)


def find(processes_folder: "StrPath", folder: str) -> "list[ProcessRecord]":
    """What is recorded of the run in ``folder``, an entry for each attempt and node."""
    prefix = os.path.basename(folder) + "."
    try:
        names = [name for name in os.listdir(processes_folder) if name.startswith(prefix)]
    except OSError:
        return []
    found = [read(os.path.join(str(processes_folder), name)) for name in sorted(names)]
    return [record for record in found if record is not None and record.is_of(folder)]


def _inode(folder: str) -> "list[int] | None":
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return [status.st_dev, status.st_ino]

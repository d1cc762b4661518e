"""Start, watch and clean up launchers that are processes on this machine.

The run's folder decides: the launcher of a node has claimed it there
(``attempts/N/node-0.start.json``), and writes its heartbeat next to that.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from scriptrun.engines.base import ALIVE, ENDED, UNKNOWN, WAITING, View
from scriptrun.runtime import events, files, identity, process_record, processes
from scriptrun.runtime.launcher import collect
from scriptrun.runtime.order import LaunchOrder
from scriptrun.spec.later import later
from scriptrun.store import detached, paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen

    from scriptrun.runtime.hints import Json
    from scriptrun.store.locks import silence
else:
    silence = later("scriptrun.store.locks.silence")

#: seconds without a heartbeat after which a run on another host counts as lost
HEARTBEAT_TIMEOUT = 300.0
#: why nothing was stopped, although something of the run may still be there
_NOT_STOPPED = (
    "nothing was stopped, as you have no private record of its processes: some may still be running"
)
#: starts the launcher whose order is on standard input, from the folder in its first argument
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from scriptrun.runtime.launcher import entry; entry.main()"
)


def start(order: LaunchOrder, runtime: str | None = None) -> Popen[bytes]:
    """Start a launcher in a fresh interpreter: the process, which outlives this one.

    ``runtime`` is the folder that has scriptrun's runtime (default: this scriptrun's own).
    """
    source = runtime or str(Path(__file__).resolve().parents[2])
    if order.processes is None:
        order = order.replace(processes=str(paths.processes_folder()))
    return detached.start(
        [sys.executable, "-I", "-S", "-c", _PROGRAM, source],
        processes.GUARD,
        environ={},
        stdin=json.dumps(order.to_json()).encode("utf-8", "surrogatepass"),
        pass_fds=order.keep,
        new_session=False,
    )


def view(folder: Path) -> View:
    """What is seen of the run at ``folder``, whose launcher is a process of a machine."""
    attempt = _newest_attempt(folder)
    if attempt is None:
        return _view_by_launcher(folder / "attempts", _launcher(folder))
    path = attempt / "node-0.start.json"
    owner, launcher = files.read_object(path), _launcher(folder, attempt.name)
    if owner is None or not identity.is_identity(owner):
        return _view_by_launcher(path, launcher)
    if not identity.is_local(owner):
        return _remote_view(attempt, owner)
    for keeper in (owner, launcher):
        if keeper is not None and identity.is_local(keeper) and identity.is_alive(keeper):
            return View(ALIVE, f"process {keeper['pid']}")
    return _view_without_keeper(folder, attempt, owner, _began_event(folder))


def _view_without_keeper(folder: Path, attempt: Path, owner: Json, began: Json | None) -> View:
    """The view of a run of this host whose guard and launcher are gone as far as it says."""
    records = process_record.find(paths.processes_folder(), str(folder))
    if any(record.is_local and record.is_kept for record in records):
        return View(ALIVE, "its processes are alive")
    if not records and _is_hidden(attempt):
        return _remote_view(attempt, owner)
    gone = f"the launcher (process {owner['pid']} on {owner['host']}) is gone"
    if owner.get("boot") != identity.boot_id():
        return View(ENDED, f"{gone} because the machine rebooted")
    return View(ENDED, gone if records or began is None else f"{gone}; {_NOT_STOPPED}")


def _view_by_launcher(path: Path, launcher: Json | None) -> View:
    """The view of a run without a claim that can be read at ``path``.

    It waits, unless the claim is damaged or the script has begun: then its launcher is known.
    """
    if launcher is None or not identity.is_local(launcher):
        return View(ENDED, f"{path} is damaged") if os.path.lexists(path) else View(WAITING)
    if identity.is_alive(launcher):
        return View(ALIVE, f"process {launcher['pid']}")
    return View(ENDED, f"the launcher (process {launcher['pid']}) is gone, and {path} is damaged")


def clear(folder: Path) -> None:
    """End what a run left alive when its launcher and its guard were both killed.

    Only what this user's private record names is signalled, never what the run's folder says.
    """
    records = process_record.find(paths.processes_folder(), str(folder))
    if any(record.is_local and record.is_kept for record in records):
        return  # the run lives, whatever its folder says
    for record in records:
        if record.is_local:
            processes.end_run(record)
        if record.is_local or record.is_outdated:
            record.remove()
    try:
        _collect(str(folder))
    except OSError:
        pass  # what was written stays where the script wrote it


def _collect(folder: str) -> None:
    """Keep the artifacts of a run whose launchers are gone."""
    from scriptrun.runtime.launcher import output_links

    others = [name for name in os.listdir(folder) if name.startswith("work-node-")]
    nodes = [0, *(int(name[10:]) for name in others if name[10:].isdigit())]
    for node in nodes:
        output_links.keep_content(folder, node, len(nodes))
    collect.collect(folder)
    if others:
        from scriptrun.runtime.multinode import gather

        gather.gather(folder)


def _is_hidden(attempt: Path) -> bool:
    """Whether the run is another user's, and this system shows a user only the own processes."""
    try:
        owner = (attempt / "node-0.start.json").stat().st_uid
    except OSError:
        return False
    return os.path.isdir("/proc/self") and not os.path.isdir("/proc/1") and owner != os.geteuid()


def _newest_attempt(folder: Path) -> Path | None:
    names = files.names_in(folder / "attempts")
    numbers = [int(name) for name in names if name.isascii() and name.isdigit()]
    return folder / "attempts" / str(max(numbers)) if numbers else None


def _began_event(folder: Path) -> Json | None:
    records = events.read(str(folder / "events" / "node-0.jsonl"))
    return next((event for event in reversed(records) if event["kind"] == "began"), None)


def _launcher(folder: Path, attempt: str = "") -> Json | None:
    """The launcher that the newest start of a script names; with ``attempt``, only of that one."""
    began = _began_event(folder) or {}
    if attempt and str(began.get("attempt", attempt)) != attempt:
        return None
    launcher = began.get("launcher")
    return launcher if identity.is_identity(launcher) else None


def _remote_view(attempt: Path, owner: Json) -> View:
    """Judge a run whose processes cannot be seen from here by its heartbeat alone.

    They are on another host, in another PID namespace (a container), or hidden. The clock is this
    machine's.
    """
    try:
        beat = (files.read_bytes(attempt / "node-0.beat") or b"").decode("ascii", "replace")
    except OSError:
        beat = ""
    if silence.seconds(str(attempt), beat) > HEARTBEAT_TIMEOUT:
        host, run_id = owner["host"], attempt.parent.parent.name
        if identity.is_of_this_host(owner):
            where, lost = "in another PID namespace (a container) of this machine", "it"
        else:
            where, lost = f"on {host}", host
        return View(
            ENDED,
            f"its launcher {where} has sent no heartbeat for 5 minutes, so {lost} is considered "
            f"lost; to run it again, run: scriptrun rerun {run_id}",
        )
    return View(UNKNOWN, f"running on {owner['host']}")

"""Start, watch and clean up launchers that are processes on this machine.

What decides is the run's folder: whoever runs the run's node has claimed it there
(``attempts/N/node-0.start.json``), and its heartbeat lies beside that.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from scriptrun.engines.base import ALIVE, ENDED, UNKNOWN, WAITING, View
from scriptrun.runtime import events, files, identity, processes
from scriptrun.runtime.launcher import collect
from scriptrun.runtime.order import LaunchOrder
from scriptrun.spec.later import later
from scriptrun.store import detached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen

    from scriptrun.runtime.hints import Json
    from scriptrun.store.locks import silence
else:
    silence = later("scriptrun.store.locks.silence")

#: seconds without a heartbeat after which a run on another host counts as lost
HEARTBEAT_TIMEOUT = 300.0
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
    if identity.is_alive(owner):
        return View(ALIVE, f"process {owner['pid']}")
    if launcher is not None and identity.is_alive(launcher):
        return View(ALIVE, f"process {launcher['pid']}")
    return View(
        ENDED,
        f"the launcher (process {owner['pid']} on {owner['host']}) is gone{_reboot_note(owner)}",
    )


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
    """End what a run left alive when its launcher and its guard were both killed."""
    processes.end_run(str(folder), _living_scripts(folder))
    try:
        collect.collect(str(folder))
        if any(name.startswith("work-node-") for name in os.listdir(folder)):
            from scriptrun.runtime.multinode import gather

            gather.gather(str(folder))
    except OSError:
        pass  # what was written stays where the script wrote it


def _reboot_note(owner: Json) -> str:
    return " because the machine rebooted" if owner["boot"] != identity.boot_id() else ""


def _newest_attempt(folder: Path) -> Path | None:
    names = files.names_in(folder / "attempts")
    numbers = [int(name) for name in names if name.isascii() and name.isdigit()]
    return folder / "attempts" / str(max(numbers)) if numbers else None


def _began_event(folder: Path) -> Json | None:
    records = events.read(str(folder / "events" / "node-0.jsonl"))
    return next((event for event in reversed(records) if event["kind"] == "began"), None)


def _living_scripts(folder: Path) -> list[int]:
    """The PIDs of the job's scripts that are still alive, on all its nodes."""
    scripts = [
        e["script"] for e in events.read_all(folder) if e["kind"] == "began" and "script" in e
    ]
    return [
        script["pid"]
        for script in scripts
        if identity.is_identity(script) and identity.is_local(script) and identity.is_alive(script)
    ]


def _launcher(folder: Path, attempt: str = "") -> Json | None:
    """The launcher that the newest start of a script names; with ``attempt``, only of that one."""
    began = _began_event(folder) or {}
    if attempt and str(began.get("attempt", attempt)) != attempt:
        return None
    launcher = began.get("launcher")
    return launcher if identity.is_identity(launcher) else None


def _remote_view(attempt: Path, owner: Json) -> View:
    """Judge a run on another host by its heartbeat alone, with this machine's clock."""
    try:
        beat = (attempt / "node-0.beat").read_text()
    except OSError:
        beat = ""
    if silence.seconds(str(attempt), beat) > HEARTBEAT_TIMEOUT:
        host, run_id = owner["host"], attempt.parent.parent.name
        return View(
            ENDED,
            f"its launcher on {host} has sent no heartbeat for 5 minutes, so {host} is considered "
            f"lost; to run it again, run: scriptrun rerun {run_id}",
        )
    return View(UNKNOWN, f"running on {owner['host']}")

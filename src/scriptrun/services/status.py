"""The state of a service: from its run, and from what its server reports."""

from __future__ import annotations

import http.client
from pathlib import Path

from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.runs import status as run_status
from scriptrun.runtime import identity
from scriptrun.runtime.serving import state as server_state
from scriptrun.spec import states
from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.job import JobSpec
from scriptrun.spec.values import Value
from scriptrun.store import records
from scriptrun.tracking import run_folder, run_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: v1's states of a service, and that of one that was stopped
TRANSITIONING, HEALTHY, UNHEALTHY = "Transitioning", "Healthy", "Unhealthy"
FAILED, STOPPED = "Failed", "Stopped"
#: seconds to wait for a server's sign of life
_PROBE_SECONDS = 3.0
_LOOPBACK = ("127.", "::1", "localhost")


class ServiceState(Value):
    """The state of a service's run, with the reason where it does not answer requests.

    ``host`` and ``port`` are where to reach it from here, None before it listens. ``run_state`` is
    the run's own state, "" if the run is missing.
    """

    state: str
    reason: str = ""
    host: str | None = None
    port: int | None = None
    workers: int | None = None
    restarts: int | None = None
    run_state: str = ""

    @property
    def url(self) -> str | None:
        """The address, without a slash at the end."""
        if not self.host or not self.port:
            return None
        return server_state.url(self.host, self.port)

    @property
    def has_ended(self) -> bool:
        """Whether nothing serves any more, and nothing will."""
        return self.state in (FAILED, STOPPED)


def status_of(workspace: WorkspaceFiles, folder: Path, job: JobSpec) -> run_state.RunState:
    """The status of a service's run: that of its process."""
    return run_status.of_script(workspace, folder, job)


def of_run(workspace: WorkspaceFiles, run_id: str, probe: bool = True) -> ServiceState:
    """The state of the service that the run serves; ``probe``: ask the server itself too."""
    folder = workspace.find_run(run_id) if run_id else None
    standing = None if folder is None else _standing(workspace, folder)
    if folder is None or standing is None:
        return ServiceState(STOPPED, f"its run {run_id} was removed")
    facts = server_state.read(str(folder)) or {}
    if standing.is_final:
        return _ended(standing, facts)
    found = _running(standing, facts)
    if probe and found.state == HEALTHY and found.url:
        problem = _probe(str(found.host), int(found.port or 0))
        if problem:
            return found.replace(state=UNHEALTHY, reason=problem)
    return found


def _standing(workspace: WorkspaceFiles, folder: Path) -> run_state.RunState | None:
    """The run's state, None if it is missing; the last known one if its cluster does not answer."""
    try:
        job = run_folder.read_job(folder)
        return None if job is None else run_status.status_of(workspace, folder, job)
    except records.DamagedRecord as error:
        return run_status.of_damaged(folder, error.problem)
    except run_status.RunMissing:
        return None
    except ScriptrunError as error:
        return run_state.read_status(folder).replace(reason=error.message)


def listens(workspace: WorkspaceFiles, run_id: str) -> bool:
    """Whether the run's server takes new requests: not before it is ready, nor once it stops."""
    folder = workspace.find_run(run_id)
    if folder is None:
        return False
    facts = server_state.read(str(folder)) or {}
    is_open = facts.get("state") in (server_state.HEALTHY, server_state.UNHEALTHY)
    return is_open and not of_run(workspace, folder.name, probe=False).has_ended


def _ended(standing: run_state.RunState, facts: Json) -> ServiceState:
    port = facts.get("port")
    reason = standing.reason or "its process ended"
    if standing.state == states.CANCELED:
        return ServiceState(STOPPED, standing.reason, port=port, run_state=standing.state)
    if standing.state == states.COMPLETED:  # as after SIGTERM
        return ServiceState(STOPPED, reason, port=port, run_state=standing.state)
    return ServiceState(FAILED, reason, port=port, run_state=standing.state)


def _running(standing: run_state.RunState, facts: Json) -> ServiceState:
    reported = facts.get("state")
    values = ServiceState(
        TRANSITIONING,
        str(facts.get("reason") or standing.reason or ""),
        _reachable_host(facts),
        facts.get("port"),
        facts.get("workers"),
        facts.get("restarts"),
        standing.state,
    )
    if standing.state != states.RUNNING:
        return values
    if reported == server_state.HEALTHY and values.host is None:
        where = f"{facts.get('host')} of {facts.get('node')}"
        return values.replace(
            state=UNHEALTHY, reason=f"it listens on {where} only: give it another host (--host)"
        )
    if reported == server_state.HEALTHY:
        return values.replace(state=HEALTHY, reason="")
    if reported == server_state.UNHEALTHY:
        return values.replace(state=UNHEALTHY)
    if reported == server_state.STOPPING:
        return values.replace(reason="it is stopping")
    return values


def _reachable_host(facts: Json) -> str | None:
    """Where this machine reaches the server; None for a loopback address of another one."""
    host, node = facts.get("host"), facts.get("node")
    is_elsewhere = bool(node) and node != identity.host()
    if host in server_state.EVERYWHERE:
        return str(node) if is_elsewhere else "127.0.0.1"
    is_loopback = str(host).startswith(_LOOPBACK)
    return None if host is None or (is_loopback and is_elsewhere) else str(host)


def _probe(host: str, port: int) -> str:
    """Why the server does not answer; "" if it does."""
    connection = http.client.HTTPConnection(host, port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/")
        connection.getresponse().read(64)
    except (OSError, http.client.HTTPException) as error:
        return f"{host} port {port} does not answer: {error}"
    finally:
        connection.close()
    return ""

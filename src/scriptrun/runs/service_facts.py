"""What a service's run serves, and what its server reports: from the files in the run's folder."""

from __future__ import annotations

from scriptrun.runtime.serving import order as service_order
from scriptrun.runtime.serving import state as service_state
from scriptrun.spec import states
from scriptrun.spec.control_characters import one_line
from scriptrun.spec.run_kinds import SERVICE
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.run import Run
    from scriptrun.runtime.hints import Json
    from scriptrun.spec.job import JobSpec
    from scriptrun.tracking.run_state import RunState

#: hosts that only the machine itself reaches
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ServiceFacts(Value):
    """A service: its order, and what its server reports while it runs.

    ``state`` is one of ``runtime.serving.state``; "" before the server has reported one, and when
    the run has ended. ``models`` are NAME:VERSION, or the NAME of a file that is not registered.
    """

    name: str
    entry_script: str | None = None
    models: tuple[str, ...] = ()
    auth: str = service_order.OPEN
    workers: int = 1
    restarts: int = 0
    is_test: bool = False
    state: str = ""
    reported: dict[str, object] = fresh(default_factory=dict)

    @property
    def url(self) -> str:
        """The address of the server's root, e.g. ``http://127.0.0.1:8890``; "" while unknown."""
        host, port = str(self.reported.get("host") or ""), self.reported.get("port")
        if not isinstance(port, int) or not port:
            return ""
        if host in service_state.EVERYWHERE:
            host = str(self.reported.get("node") or "127.0.0.1")
        return service_state.url(host, port)

    def as_dict(self) -> Json:
        """The service for JSON."""
        reported = self.reported
        return {
            "name": self.name,
            "entry_script": self.entry_script,
            "models": list(self.models),
            "auth": self.auth,
            "state": self.state or None,
            "url": self.url or None,
            "node": reported.get("node"),
            "workers": {"running": reported.get("workers", 0), "requested": self.workers},
            "restarts": {"used": reported.get("restarts", 0), "allowed": self.restarts},
            "reason": reported.get("reason"),
        }


def of_run(run: Run, status: RunState | None = None) -> ServiceFacts | None:
    """The facts of the service whose run is ``run``; None for a run of another kind."""
    if run.known_job.kind != SERVICE:
        return None
    return read(str(run.path), run.known_job, run.standing if status is None else status)


def read(folder: str, job: JobSpec, status: RunState) -> ServiceFacts:
    """The facts of the service whose run is in ``folder``; a damaged order has a name only."""
    try:
        order = service_order.read(folder)
    except (OSError, ValueError):
        return ServiceFacts(job.display_name or job.id, job.script)
    reported = service_state.read(folder) if status.state == states.RUNNING else None
    return ServiceFacts(
        name=order.name,
        entry_script=order.entry_script,
        models=tuple(map(_title, order.models)),
        auth=order.auth,
        workers=order.workers,
        restarts=order.restarts,
        is_test=order.test is not None,
        state=str((reported or {}).get("state") or ""),
        reported=reported or {},
    )


#: parts of an order that say nothing about how a service answers
_OTHER_PARTS = ("schema", "name", "model_dir", "replaces", "test")


def settings(run: Run) -> dict[str, object]:
    """What decides how a service answers, by name; empty for a run of another kind."""
    if run.known_job.kind != SERVICE:
        return {}
    try:
        order = service_order.read(str(run.path))
    except (OSError, ValueError):
        return {}
    values = {name: value for name, value in order.to_json().items() if name not in _OTHER_PARTS}
    return {**values, "models": ", ".join(map(_title, order.models)) or None}


def _title(model: Json) -> str:
    version = model.get("version")
    return str(model.get("name")) if version is None else f"{model.get('name')}:{version}"


def server_line(facts: ServiceFacts, here: str = "") -> str:
    """The server in one line: its state, workers and restarts; "" if it reports nothing.

    ``here`` is this machine's name: a server that listens only on the loopback address of another
    machine is reached from there.
    """
    if not facts.state:
        return ""
    reported = facts.reported
    parts = [facts.state]
    if reported.get("reason"):
        parts[0] += f": {one_line(str(reported['reason']))}"
    if "workers" in reported:
        parts.append(f"{reported['workers']} of {facts.workers} workers")
    if reported.get("restarts"):
        parts.append(f"{reported['restarts']} of {facts.restarts} restarts used")
    node = str(reported.get("node") or "")
    if here and node and node != here and reported.get("host") in _LOOPBACK:
        parts.append(f"reachable on {node} only")
    return ", ".join(parts)

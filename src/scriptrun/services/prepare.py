"""Check a service request and prepare its run: all problems at once, before it is recorded."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from scriptrun.config.environments.environment import Environment
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.engines.local import slots
from scriptrun.preparation import environment_record
from scriptrun.registry import compute_targets
from scriptrun.registry import services as registry
from scriptrun.registry.services import ServiceRecord
from scriptrun.runtime import files, identity
from scriptrun.runtime.serving import order as service_order
from scriptrun.services import request as requests
from scriptrun.services import served_models, source, status
from scriptrun.services.environment import choose
from scriptrun.services.request import ServedModel, ServiceRequest
from scriptrun.services.served_models import FoundModel
from scriptrun.spec import ids, run_kinds
from scriptrun.spec.environment import INTERPRETER
from scriptrun.spec.errors import RunConfigurationException, UserErrorException, WebserviceException
from scriptrun.spec.job import JobSpec, Retry
from scriptrun.spec.values import Value, fresh
from scriptrun.store.records import DamagedRecord
from scriptrun.store.snapshots import snapshots
from scriptrun.submission import check as submission_check
from scriptrun.submission import submit as job_submit
from scriptrun.tracking import run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.runtime.hints import Json

#: the experiment of all services' runs
EXPERIMENT = "services"
#: the property of a run that names its service
SERVICE_PROPERTY = "scriptrun.service"
#: the file in the run's folder with the request of a test
TEST_FILE = "service_test.txt"
#: seconds in which a service that is stopped answers what it has accepted: without a limit for
#: run(), and more than that limit
_DRAIN, _MARGIN = 60.0, 5.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_HOSTS = "use 127.0.0.1, 0.0.0.0 for all networks, or a name of this machine"


class Replaced(Value):
    """What a new run of a service comes after: the live run, None if there is none, and its port.

    ``last`` is the latest run, be it alive or not: its keys are used again. ``has_keys`` is whether
    the service has asked its callers for keys.
    """

    run: str | None = None
    port: int | None = None
    last: str | None = None
    has_keys: bool = False
    gpus: int = 0

    def is_same(self, other: Replaced) -> bool:
        """Whether both are of the same moment of a service's life."""
        return (self.run, self.last) == (other.run, other.last)


class PreparedService(Value):
    """A checked service, ready to be recorded and started in place of ``replaced``."""

    request: ServiceRequest
    job: JobSpec
    order: Json
    models: list[FoundModel]
    keys: tuple[str, str] | None = None
    warnings: list[str] = fresh(default_factory=list)
    environment: Environment | None = None
    lockfile: Json | None = None
    replaced: Replaced = fresh(default_factory=Replaced)

    def extras(self) -> job_submit.Extras:
        """The files of the run, and its keys."""
        variables = {service_order.KEYS_VARIABLE: " ".join(self.keys)} if self.keys else {}
        return job_submit.Extras(self._write, variables)

    def _write(self, folder: Path) -> None:
        served_models.lay_out(self.models, folder)
        if self.request.test is not None:
            text = self.request.test.encode("utf-8", "surrogatepass")
            files.write_atomic(str(folder / TEST_FILE), text)
        order = service_order.ServiceOrder(**self.order)
        content = files.to_json(order.to_json())
        files.write_atomic(str(folder / service_order.FILE), content)


def replaced_by(workspace: WorkspaceFiles, record: ServiceRecord | None) -> Replaced:
    """What a new run of the service of ``record`` replaces."""
    if record is None or not record.newest:
        return Replaced()
    last = record.run or record.newest
    found = status.of_run(workspace, last, probe=False)
    asked = (record.next_request or record.request).get("auth")
    gpus = record.request.get("gpus")
    return Replaced(
        None if found.has_ended else last,
        found.port,
        record.newest,
        asked == service_order.KEY,
        gpus if isinstance(gpus, int) else 0,
    )


def prepare(
    workspace: WorkspaceFiles, request: ServiceRequest, record: ServiceRecord | None = None
) -> PreparedService:
    """Check ``request`` and take the snapshot; ``record`` is the service that it replaces.

    Raises WebserviceException with all problems; then nothing is written.
    """
    request = request.located()
    problems = requests.problems(request)
    replaced = replaced_by(workspace, record)
    models = served_models.find(workspace, request.models, problems)
    request = request.replace(models=served_models.with_versions(request.models, models))
    note, chosen = "", request
    if request.environment is None and not problems:
        environment, note = choose(workspace, request)
        chosen = request.replace(environment=environment)
    with source.gather(request) as gathered:
        submission = _check_job(workspace, chosen, gathered, problems)
        problems += [] if submission is None else _target_problems(submission, request, replaced)
        refuse(problems, request.name)
        assert submission is not None
        job_submit.begin(workspace, EXPERIMENT)
        job = job_submit.complete(submission, workspace)
    return PreparedService(
        request,
        _service_job(job, request, gathered, note),
        _order(request, gathered.script, models, replaced),
        models,
        _keys(workspace, request, replaced),
        [
            *submission.warnings,
            *_exposure(request, record),
            *_lost_port(request, replaced),
        ],
        submission.environment,
        replaced=replaced,
    )


def again(
    workspace: WorkspaceFiles, record: ServiceRecord, request: ServiceRequest
) -> PreparedService:
    """As ``prepare``, with the snapshot, the environment and the local models of the current run.

    If that run is gone or damaged, everything is prepared as for a new service. Raises
    WebserviceException with all problems.
    """
    folder = workspace.find_run(record.run or record.newest)
    recorded = None if folder is None else _recorded(folder)
    if folder is None or recorded is None or not _has_snapshot(workspace, recorded[0]):
        return prepare(workspace, request, record)
    job, order = recorded
    problems = requests.problems(request)
    replaced = replaced_by(workspace, record)
    own = [_as_copied(model, order, folder) for model in request.models]
    models = served_models.find(workspace, own, problems)
    engine, new_job = compute_targets.engine_of(job.target), _new_run(job, request)
    if not problems:
        problems += engine.check(new_job)
    if not problems and engine.traits.here:
        problems += [*_port_problems(request, replaced), *_gpu_problems(request, replaced)]
    refuse(problems, request.name)
    is_locked = job.environment.kind != INTERPRETER
    return PreparedService(
        request,
        new_job,
        _order(request, order.entry_script, models, replaced),
        models,
        _keys(workspace, request, replaced),
        _lost_port(request, replaced),
        lockfile=environment_record.read_lockfile(folder) if is_locked else None,
        replaced=replaced,
    )


def _recorded(folder: Path) -> tuple[JobSpec, service_order.ServiceOrder] | None:
    """The job and the order of the run in ``folder``; None if one is missing or damaged."""
    try:
        job = run_folder.read_job(folder)
        return None if job is None else (job, service_order.read(str(folder)))
    except (DamagedRecord, OSError, ValueError):
        return None


def _has_snapshot(workspace: WorkspaceFiles, job: JobSpec) -> bool:
    return bool(job.snapshot and snapshots.claim(workspace.snapshots_folder, job.snapshot))


def _as_copied(model: ServedModel, order: service_order.ServiceOrder, folder: Path) -> ServedModel:
    """A local model, from its copy in the run's folder: the original may have changed."""
    if model.path is None:
        return model
    entries = (entry for entry in order.models if entry.get("name") == model.name)
    path = next((folder / entry["path"] for entry in entries), None)
    return model if path is None or not path.exists() else model.replace(path=str(path))


def _new_run(job: JobSpec, request: ServiceRequest) -> JobSpec:
    """``job`` as another run, with the tags and properties of the request."""
    new_id = ids.new_id(EXPERIMENT)
    return job.replace(
        id=new_id,
        root=new_id,
        created=ids.now(),
        submitted_by={**identity.identify(), "user": job.submitted_by.get("user", "")},
        tags=dict(request.tags),
        properties={**job.properties, **request.properties},
        passed=_passed(request),
        resources=job.resources.replace(gpus=request.gpus or None),
        grace_seconds=_grace(job, request),
    )


def _grace(job: JobSpec, request: ServiceRequest) -> float:
    """The seconds that a stopped service has to answer what it has accepted."""
    return max(job.grace_seconds, (request.timeout_seconds or _DRAIN) + _MARGIN)


def _passed(request: ServiceRequest) -> tuple[str, ...]:
    """The variables whose values are never recorded."""
    keys = (service_order.KEYS_VARIABLE,) if request.auth == service_order.KEY else ()
    return (*keys, *request.passed)


def _keys(
    workspace: WorkspaceFiles, request: ServiceRequest, replaced: Replaced
) -> tuple[str, str] | None:
    """The keys of the request, else those that the service has, else new ones."""
    if request.auth != service_order.KEY:
        return None
    if request.keys is not None:
        return request.keys
    stored = registry.keys(workspace, request.name, replaced.last) if replaced.last else None
    if stored is None and replaced.has_keys:
        raise WebserviceException(
            f"Cannot start service {request.name!r}: its keys are not among this user's secrets.",
            hint="Ask the user who deployed it to do so, or make new keys: "
            f"scriptrun service keys {request.name} --regenerate primary",
        )
    return stored or (registry.new_key(), registry.new_key())


def _exposure(request: ServiceRequest, record: ServiceRecord | None) -> list[str]:
    """Warnings about who may call the service; ``record`` is the one that it replaces."""
    if request.auth != service_order.OPEN:
        return []
    found = []
    if request.host not in _LOOPBACK:
        found.append(
            f"service {request.name!r} listens on {request.host} and asks callers for no key"
        )
    if record is not None and record.request.get("auth") == service_order.KEY:
        found.append(f"service {request.name!r} asked callers for a key until now, and stops that")
    return found


def refuse(problems: list[str], name: str) -> None:
    """Raise one WebserviceException for all ``problems``; return when there are none."""
    if len(problems) == 1:
        end = "" if problems[0].endswith(("?", ".")) else "."
        raise WebserviceException(f"Cannot deploy service {name!r}: {problems[0]}{end}")
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise WebserviceException(
            f"Cannot deploy service {name!r} ({len(problems)} problems):\n{lines}"
        )


def _check_job(
    workspace: WorkspaceFiles,
    request: ServiceRequest,
    gathered: source.ServiceSource,
    problems: list[str],
) -> submission_check.Submission | None:
    run_config = RunConfiguration()
    run_config.target = request.compute_target or "local"
    if request.environment is not None:
        run_config.environment = request.environment
    config = ScriptRunConfig(gathered.folder, gathered.script, run_config=run_config)
    if gathered.script is None:
        config.command = "true"  # replaced by the server
    if request.gpus:
        config.gpus = request.gpus
    origin = submission_check.Origin(
        request.interpreter,
        variables=request.variables,
        pins=request.pins,
        display_name=request.name,
    )
    try:
        return submission_check.check(config, workspace, EXPERIMENT, request.tags, origin)
    except RunConfigurationException as error:
        problems += [_with_advice(reason) for reason in error.reasons or [str(error)]]
    except UserErrorException as error:
        problems.append(" ".join(str(error).split()).removesuffix("."))
    return None


def _with_advice(reason: str) -> str:
    """``reason``; for a lack of GPUs, with what a service can do about it."""
    if " requested per node, but " not in reason or "GPU" not in reason:
        return reason
    return f"{reason}; deploy without gpu_cores (--gpus) to serve on CPUs, or where GPUs are"


def _target_problems(
    submission: submission_check.Submission, request: ServiceRequest, replaced: Replaced
) -> list[str]:
    traits = submission.engine.traits
    if traits.through is not None or not traits.shared_files:
        name = submission.job.target.name
        return [
            f"compute target {name!r} does not share this machine's files; use a target that does, "
            "such as 'local'"
        ]
    if not traits.here:
        return []
    return [*_port_problems(request, replaced), *_gpu_problems(request, replaced)]


def _gpu_problems(request: ServiceRequest, replaced: Replaced) -> list[str]:
    """Why the service cannot start while the one that it replaces has its GPUs."""
    available = len(slots.machine_gpus())
    if not request.gpus or replaced.run is None or available >= request.gpus + replaced.gpus:
        return []
    return [
        f"the running service has {replaced.gpus} of this machine's {available} GPUs, and the new "
        f"one needs {request.gpus}: stop it first (scriptrun service stop {request.name})"
    ]


def _port_problems(request: ServiceRequest, replaced: Replaced) -> list[str]:
    is_own = replaced.run is not None and request.port in (None, replaced.port)
    if request.test is not None or is_own or not requests.is_port(request.port):
        return []
    return _listen_problems(request.host, request.port or 0)


def _listen_problems(host: str, port: int) -> list[str]:
    """Why this machine cannot listen there; another process may take the port later."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, ValueError):
        return [f"the host {host!r} is unknown; {_HOSTS}"]
    try:
        with socket.socket(family, kind, protocol) as listener:
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            return [f"the host {host!r} is not an address of this machine; {_HOSTS}"]
        advice = "choose another port"
        if error.errno == errno.EACCES:
            advice = "choose a port above 1023"
        reason = error.strerror or str(error)
        where = f"{host} port {port}" if port else host
        return [f"cannot listen on {where}: {reason}; {advice}"]
    return []


def _port(request: ServiceRequest, replaced: Replaced) -> int:
    """The port to listen on: a service keeps the one that it has had, if it is still free."""
    if request.port is not None or replaced.port is None:
        return request.port or 0
    return 0 if _lost_port(request, replaced) else replaced.port


def _lost_port(request: ServiceRequest, replaced: Replaced) -> list[str]:
    """A warning if the service had a port that is not free any more."""
    if request.port is not None or request.test is not None or replaced.run is not None:
        return []
    if replaced.port is None or not _listen_problems(request.host, replaced.port):
        return []
    return [
        f"service {request.name!r} had port {replaced.port}, which is taken; it listens on another "
        "port: see its URL"
    ]


def _source_name(request: ServiceRequest) -> str | None:
    """The name of the source directory; None without one, and for the current directory."""
    folder = os.path.abspath(request.source_directory or ".")
    return None if folder == os.getcwd() else os.path.basename(folder) or None


def _order(
    request: ServiceRequest, script: str | None, models: list[FoundModel], replaced: Replaced
) -> Json:
    return {
        "name": request.name,
        "entry_script": script,
        "source_name": _source_name(request),
        "models": [model.as_json() for model in models],
        "model_dir": served_models.model_dir(models),
        "host": request.host,
        "port": _port(request, replaced),
        "workers": request.workers,
        "restarts": request.restarts,
        "timeout_seconds": request.timeout_seconds,
        "start_seconds": request.start_seconds,
        "body_limit": request.body_limit,
        "auth": request.auth,
        "allowed_hosts": list(request.allowed_hosts),
        "allowed_origins": list(request.allowed_origins),
        "replaces": replaced.run,
        "test": None if request.test is None else TEST_FILE,
    }


def _service_job(
    job: JobSpec, request: ServiceRequest, gathered: source.ServiceSource, note: str
) -> JobSpec:
    definition = {**job.run_definition, "command": "", "script": gathered.script}
    notes = (note, _unused(request))
    properties = {
        **job.properties,
        **{str(name): str(value) for name, value in request.properties.items()},
        "azureml.runsource": "service",
        SERVICE_PROPERTY: request.name,
    }
    return job.replace(
        kind=run_kinds.SERVICE,
        command=None,
        grace_seconds=_grace(job, request),
        source_directory=str(gathered.origin),
        passed=_passed(request),
        retry=Retry(),
        properties=properties,
        notes=(*job.notes, *filter(None, notes)),
        run_definition=definition,
    )


def _unused(request: ServiceRequest) -> str:
    names = ", ".join(sorted(request.settings))
    return f"settings that are not used on this machine: {names}" if names else ""

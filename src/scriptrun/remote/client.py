"""Runs on a cluster behind ssh, from the submitting side: submit, poll, fetch.

The run's folder on the cluster is authoritative. The local workspace holds job.json, the run's
address and a mirror of its record (events, metrics, results, logs), refreshed by every poll; the
script's outputs are fetched on demand. See ``helpers/login_node.py`` for the other side.
"""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path

from scriptrun.engines.checks import Check
from scriptrun.engines.transport import HostUnreachable, SshTransport
from scriptrun.preparation import data_bundle
from scriptrun.registry import wheels
from scriptrun.remote import ADDRESS
from scriptrun.remote import bootstrap as remote_bootstrap
from scriptrun.runtime import files, identity
from scriptrun.spec import field_types, states
from scriptrun.spec.errors import (
    ComputeTargetException,
    ExperimentExecutionException,
    ScriptrunError,
)
from scriptrun.spec.job import JobSpec, Target
from scriptrun.spec.later import later
from scriptrun.spec.values import Value
from scriptrun.store import records
from scriptrun.store.snapshots import bundle as snapshot_bundle
from scriptrun.tracking import mirror, run_folder, run_state
from scriptrun.tracking.run_files import FileState, Known, RunFiles, check_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.preparation import build_secrets
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.runtime.hints import Json
else:
    build_secrets = later("scriptrun.preparation.build_secrets")

#: seconds that uploading a snapshot or fetching files may take
TRANSFER_TIMEOUT = 3600.0

_cached_status: dict[str, tuple[float, run_state.RunState]] = {}


class RemoteRuns(Value):
    """The runs of a target that is reached over ssh."""

    target: Target

    def submit(
        self,
        job: JobSpec,
        workspace: WorkspaceFiles,
        warnings: list[str],
        lockfile: Json | None,
        repeats: bool = False,
    ) -> Path:
        """Record ``job`` locally, send it to the cluster and start it there; returns its folder.

        A caller that ``repeats`` submits again what is not recorded locally, should it be killed:
        then the cluster gets the run first, and starts it only once however often it is sent.

        Raises HostUnreachable, or ExperimentExecutionException if the cluster rejects the run; then
        nothing is left of it.
        """
        return _submit(job, workspace, warnings, lockfile, repeats)

    def status(self, folder: Path, job: JobSpec) -> run_state.RunState:
        """The run's state there; its mirror here is as recent. Raises Unreachable."""
        return _status_of(folder, job)

    def home(self, folder: Path, run_id: str) -> RunFiles:
        """What brings the run's files home."""
        return RemoteRunFiles(_address_in(folder), run_id)

    def cancel(self, folder: Path, run_id: str) -> None:
        """Request the run's cancellation. Raises HostUnreachable."""
        self.home(folder, run_id).send("cancel.json", b"")
        _cached_status.pop(str(folder), None)

    def folder_of(self, job: JobSpec) -> Path:
        """The run's remote folder, as far as it is known without connecting."""
        return run_folder.folder_of(Path(self._address["root"]) / ".scriptrun" / "runs", job)

    def shares_files(self, other: RemoteRuns | None) -> bool:
        """Whether the runs of ``other`` are on the same host in the same folder."""
        if other is None:
            return False
        address, other_address = self._address, other._address
        return (address["host"], address["root"]) == (other_address["host"], other_address["root"])

    def root(self) -> str:
        """The remote folder that holds the runs."""
        return remote_bootstrap.absolute(SshTransport(self._address["host"]), self._address["root"])

    def tool(self) -> list[Check]:
        """Check the remote interpreter with scriptrun; installs it if it is missing."""
        answer = self._version()
        summary = f"Python {answer['python']} with scriptrun in {answer['prefix']}"
        return [Check("tool", "ok", summary)]

    def python(self) -> str:
        """The remote Python with scriptrun; starts launchers if the target sets none."""
        return str(self._version().get("executable") or "python3")

    def index(self) -> tuple[str, str]:
        """None: this machine's pip settings do not apply there."""
        return "", ""

    def _version(self) -> Json:
        return _ask(self._address, {"verb": "version"})

    @property
    def _address(self) -> Json:
        return _address_of(self.target)


def _submit(
    job: JobSpec,
    workspace: WorkspaceFiles,
    warnings: list[str],
    lockfile: Json | None,
    repeats: bool,
) -> Path:
    address = _address_of(job.target)
    store = workspace.snapshots_folder
    parts = snapshot_bundle.parts(store, job.snapshot) if job.snapshot else []
    answer = _ask(address, {"verb": "have", "parts": parts})
    address["root"] = answer["root"]
    folder = run_folder.make(workspace.runs_folder, job)
    files.write_atomic(str(folder / ADDRESS), files.to_json(address))
    if not repeats:
        run_folder.publish(folder, job)
    local_wheels = wheels.local_files(job.environment)
    stored_wheels = {
        path: wheels.store_wheel(workspace, wheel) for path, wheel in local_wheels.items()
    }
    remote_paths = {
        path: f"{answer['root']}/.scriptrun/{name}" for path, name in stored_wheels.items()
    }
    question = {
        "verb": "submit",
        "job": _as_remote(job, remote_paths).to_dict(),
        "warnings": warnings,
        "lock": lockfile,
        "environ": {name: os.environ[name] for name in job.passed},
        "secrets": build_secrets.as_variables(
            build_secrets.find_secrets(job.environment, workspace)
        ),
    }
    if job.data.has_items:
        question["data"] = data_bundle.pack(workspace, job)
    archive = io.BytesIO()
    missing = set(map(str, answer["missing"]))  # of what was asked, and no other local file
    names = [f"snapshots/{name}" for name in parts if name in missing]
    snapshot_bundle.pack(archive, workspace.directory, [*names, *stored_wheels.values()])
    try:
        _ask(address, question, archive.getvalue())
    except (ExperimentExecutionException, ComputeTargetException):
        if repeats or not _has_arrived(address, job.id):
            import shutil

            shutil.rmtree(folder, ignore_errors=True)
            raise
    if repeats:
        run_folder.publish(folder, job)
    return folder


def _has_arrived(address: Json, run_id: str) -> bool:
    """Whether the cluster has the run nevertheless; True if it cannot be reached."""
    try:
        return _ask(address, {"verb": "look", "runs": {run_id: {}}})["runs"][run_id] is not None
    except HostUnreachable:
        return True
    except ExperimentExecutionException:
        return False


def _as_remote(job: JobSpec, remote_paths: dict[str, str]) -> JobSpec:
    """The job as the login node itself would submit it, with the remote paths of local files."""
    options = {key: value for key, value in job.target.options.items() if key not in _LOCAL_OPTIONS}
    if remote_paths:
        job = job.replace(environment=wheels.replace_local_paths(job.environment, remote_paths))
    return job.replace(target=job.target.replace(options=options))


_LOCAL_OPTIONS = ("ssh", "tool")


def _address_of(target: Target) -> Json:
    """The target's host, root and tool."""
    options = target.options
    root = str(options.get("root") or remote_bootstrap.DEFAULT_ROOT)
    return {"host": str(options["ssh"]), "root": root, "tool": options.get("tool")}


def _ask(address: Json, question: Json, data: bytes = b"") -> Json:
    """Send a question to scriptrun on the login node; bytes after the answer are in ``data``."""
    transport = SshTransport(address["host"])
    question = {"root": address["root"], **question}
    request = json.dumps(question).encode() + b"\n" + data
    output = remote_bootstrap.call(
        transport, address, ["-m", "scriptrun.helpers.login_node"], request, TRANSFER_TIMEOUT
    )
    line, _, rest = output.partition(b"\n")
    try:
        answer: Json = json.loads(line)
        if "error" in answer:
            raise ExperimentExecutionException(str(answer["error"]), str(answer.get("hint", "")))
        return {**answer, "data": rest}
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise _unexpected(address, line) from None


def _unexpected(address: Json, line: bytes) -> ExperimentExecutionException:
    return ExperimentExecutionException(
        f"Unexpected response from {address['host']}: {line[:200]!r}.",
        "A login script (.bashrc) may be printing output; it must not print without a terminal.",
    )


def _read_report(answer: Json, run_id: str) -> tuple[run_state.RunState, list[FileState]] | None:
    """A run's status and files from an answer; None where it has not come there.

    Raises KeyError, TypeError or ValueError for an answer of another form.
    """
    found = answer["runs"][run_id]
    if found is None:
        return None
    status = run_state.RunState(**found["status"])
    if status.state not in states.ORDER or not isinstance(status.reason, str):
        raise ValueError("no state")
    if not isinstance(status.result, dict | None):
        raise ValueError("no result")
    listed = [FileState(*each) for each in found["files"]]
    if any(type(each.size) is not int or each.size < 0 for each in listed):
        raise ValueError("no size")
    return status, listed


def address(folder: Path) -> Json | None:
    """The run's address; None if it was not submitted over ssh.

    Raises DamagedRecord if it cannot be read.
    """
    return records.read(folder / ADDRESS, _checked_address)


def _checked_address(value: Json) -> Json:
    """``value`` with the fields of an address. Raises ValueError or KeyError without one."""
    field_types.check(
        {"host": "str", "root": "str"}, {name: value[name] for name in ("host", "root")}
    )
    return value


def _address_in(folder: Path) -> Json:
    run_address = address(folder)
    if run_address is None:
        raise records.DamagedRecord(folder / ADDRESS, " is missing")
    return run_address


def prune(folders: dict[str, Path]) -> dict[str, str]:
    """Delete the runs with these IDs and folders on their hosts; why some are kept, by ID."""
    reasons: dict[str, str] = {}
    addresses = {run_id: _address_in(folder) for run_id, folder in folders.items()}
    while addresses:
        host = next(iter(addresses.values()))
        here = [run_id for run_id, each in addresses.items() if each == host]
        addresses = {run_id: each for run_id, each in addresses.items() if each != host}
        try:
            kept: Json = _ask(host, {"verb": "prune", "runs": here})["kept"]
            reasons.update({run_id: str(kept[run_id]) for run_id in here if run_id in kept})
        except ScriptrunError as error:
            reasons.update(dict.fromkeys(here, error.message.rstrip(".")))
        except (KeyError, TypeError):
            reasons.update(dict.fromkeys(here, f"unexpected response from {host['host']}"))
    return reasons


class RemoteRunFiles:
    """The files of one run on the host at ``address``: its record, and its artifacts on demand.

    One request asks for what has changed, its content, and the run's state.
    """

    def __init__(self, address: Json, run_id: str) -> None:
        self._address = address
        self._run = run_id
        self._content: dict[str, tuple[int, bytes]] = {}
        #: how the run stood at the last look; None where it has not come there
        self.status: run_state.RunState | None = None

    def changed(self, known: Known) -> list[FileState]:
        """As `RunFiles.changed`."""
        answer = _ask(self._address, {"verb": "look", "runs": {self._run: known}})
        try:
            report = _read_report(answer, self._run)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise _unexpected(self._address, b"a report that makes no sense") from None
        if report is None:
            return []
        self.status, listed = report
        check_names(listed, f"Host {self._address['host']!r}")
        at = 0
        for piece in mirror.plan_pieces(listed, known):
            content = answer["data"][at : at + piece.size]
            self._content[piece.state.name] = piece.start, content
            at += piece.size
        return listed

    def read(self, name: str, start: int, size: int) -> bytes:
        """As `RunFiles.read`, of what the last look brought."""
        begin, content = self._content[name]
        return content[start - begin : start - begin + size]

    def artifacts(self) -> list[str]:
        """As `RunFiles.artifacts`."""
        answer = _ask(self._address, {"verb": "names", "id": self._run})
        names = answer.get("names")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise _unexpected(self._address, b"a list of names that makes no sense")
        return names

    def read_artifact(self, name: str, start: int, size: int) -> bytes | None:
        """As `RunFiles.read_artifact`."""
        question = {"verb": "fetch", "id": self._run, "name": name, "start": start, "size": size}
        answer = _ask(self._address, question)
        data: bytes = answer["data"][:size]
        return data if answer.get("found") else None

    def send(self, name: str, data: bytes) -> None:
        """Ask for the run to end: nothing else is sent, and scriptrun there sees to it."""
        assert name == "cancel.json"
        _ask(self._address, {"verb": "cancel", "id": self._run})


def _status_of(folder: Path, job: JobSpec) -> run_state.RunState:
    """The run's state there; its mirror here is as recent. Raises Unreachable."""
    status = run_state.read_status(folder)
    if status.is_final:
        return status
    checked_at, cached = _cached_status.get(str(folder), (-mirror.FRESH_SECONDS, status))
    if time.monotonic() - checked_at < mirror.FRESH_SECONDS:
        return cached
    run_address = address(folder)
    if run_address is None:
        return status
    there = RemoteRunFiles(run_address, job.id)
    mirror.refresh(folder, there)
    if there.status is None:
        return _never_arrived(folder, job, status)
    _cached_status[str(folder)] = (time.monotonic(), there.status)
    return run_state.read_status(folder) if there.status.is_final else there.status


def _never_arrived(folder: Path, job: JobSpec, status: run_state.RunState) -> run_state.RunState:
    if identity.is_local(job.submitted_by) and identity.is_alive(job.submitted_by):
        return status
    if not identity.is_local(job.submitted_by):
        return run_state.RunState(states.NOT_STARTED, "being sent to the cluster")
    return run_state.record_lost(
        folder, "the submitting process ended before the run reached the cluster"
    )

"""The log of a service, and waiting for it to answer."""

from __future__ import annotations

import codecs
import sys
import time

from scriptrun.core.workspace import Workspace
from scriptrun.preparation import environment_record
from scriptrun.registry.services import ServiceRecord
from scriptrun.runs import follow
from scriptrun.runtime import log_tail
from scriptrun.services import rollout, status
from scriptrun.spec.errors import WebserviceException

_LOG = "user_logs/std_log.txt"
#: how many lines an error shows
_SHOWN = 20


def last_lines(workspace: Workspace, run_id: str, count: int = 5000) -> str:
    """The last lines of the run's log; before it has any, those of its environment's build."""
    folder = workspace.find_run(run_id)
    for name in (_LOG, environment_record.LOG):
        path = None if folder is None else folder / name
        if path is not None and path.is_file() and path.stat().st_size:
            return "\n".join(log_tail.read_tail(path, count))
    return ""


class Waiter:
    """Waits until the run ``run_id`` of a service answers requests; prints its log if asked to."""

    def __init__(self, workspace: Workspace, name: str, run_id: str, show_output: bool) -> None:
        self._workspace, self._name, self._run_id = workspace, name, run_id
        self._show = show_output
        self._stream: follow.LogStream | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def wait(self, timeout: float | None) -> None:
        """Wait. Raises WebserviceException if the service fails, or after ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            while not self._is_ready():
                if deadline is not None and time.monotonic() > deadline:
                    raise self._late(timeout)
                time.sleep(rollout.POLL_SECONDS)
        finally:
            self._pump()
            if self._stream is not None:
                self._stream.close()
        if self._show:
            found = status.of_run(self._workspace, self._run_id, probe=False)
            print(f"Service {self._name!r} answers at {found.url}/score", flush=True)

    def _is_ready(self) -> bool:
        self._pump()
        record = rollout.look(self._workspace, self._name)
        self._refuse_lost(record)
        assert record is not None
        found = status.of_run(self._workspace, self._run_id)
        if found.has_ended and record.next != self._run_id:
            raise self._failed(found.reason or found.state)
        if found.state == status.UNHEALTHY and found.port and not found.host:
            raise self._error(f"Service {self._name!r} cannot be reached: {found.reason}.")
        return (
            found.state == status.HEALTHY
            and record.run == self._run_id
            and not any(status.listens(self._workspace, run_id) for run_id in record.retired)
        )

    def _refuse_lost(self, record: ServiceRecord | None) -> None:
        """Raise if the run will never be the service's."""
        if record is None:
            raise WebserviceException(
                f"Service {self._name!r} was deleted meanwhile.", hint="Deploy it again."
            )
        failure = record.failure or {}
        if failure.get("run") == self._run_id:
            raise self._failed(str(failure.get("reason")), record.run)
        if self._run_id not in (record.run, record.next):
            raise WebserviceException(
                f"This deployment of service {self._name!r} was replaced by a newer one.",
                hint=f"To wait for that, use Webservice(workspace, {self._name!r}).",
            )

    def _failed(self, reason: str, older: str | None = None) -> WebserviceException:
        goes_on = older not in (None, self._run_id) and not self._has_ended(str(older))
        rest = " The previous run keeps serving." if goes_on else ""
        return self._error(f"Service {self._name!r} failed: {reason.removesuffix('.')}.{rest}")

    def _has_ended(self, run_id: str) -> bool:
        return status.of_run(self._workspace, run_id, probe=False).has_ended

    def _late(self, timeout: float | None) -> WebserviceException:
        found = status.of_run(self._workspace, self._run_id)
        why = f" ({found.reason})" if found.reason else ""
        return self._error(
            f"Service {self._name!r} is not healthy after {timeout:g} s: it is {found.state}{why}."
        )

    def _error(self, message: str) -> WebserviceException:
        lines = last_lines(self._workspace, self._run_id, _SHOWN)
        shown = f"\nThe end of its log:\n{lines}" if lines else ""
        return WebserviceException(
            message + shown,
            logs=last_lines(self._workspace, self._run_id),
            hint=f"For the whole log, use get_logs(), or: scriptrun logs {self._run_id}",
        )

    def _pump(self) -> None:
        if not self._show:
            return
        if self._stream is None:
            folder = self._workspace.find_run(self._run_id)
            if folder is None:
                return
            self._stream = follow.LogStream(folder, self._print)
        self._stream.pump()

    def _print(self, name: str, data: bytes) -> None:
        sys.stdout.write(self._decoder.decode(data))
        sys.stdout.flush()

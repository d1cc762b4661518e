"""The launcher's client of the data helper: one process per node, JSON lines over two pipes.

The launcher sends ``deliver`` before the script starts, and ``finish`` when it has ended. The
helper (``python -m scriptrun.delivery.helper``) stays alive in between, as it serves the mounts;
when its input closes, it unmounts and exits. A job without data has no helper.
"""

import json
import os
import select
import signal
import time

from .. import events, files, processes, results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.order import Attempt, LaunchOrder


#: seconds between checks for a cancellation request, and between heartbeats
POLL_SECONDS, HEARTBEAT_SECONDS = 0.2, 20.0


class DeliveryFailure(Exception):
    """The job's data could not be delivered; the run ends in ``state`` with the message."""

    def __init__(self, reason: str, state: str = results.FAILED) -> None:
        super().__init__(reason)
        self.state = state


class DeliveryClient:
    """Delivers a job's data on this node. A job without data starts no helper."""

    def __init__(self, job: "Json", attempt: "Attempt") -> None:
        data = job.get("data") or {}
        self.has_data = bool(data.get("inputs") or data.get("outputs"))
        self._attempt = attempt
        self._pid: "int | None" = None
        self._input: "int | None" = None
        self._output: "int | None" = None
        self._buffer = b""
        self._finished = False
        self._heartbeats, self._next_heartbeat = 0, 0.0

    def build_environment(self) -> None:
        """Build the run's environment on this node, and update the order with its paths.

        Raises DeliveryFailure.
        """
        self._start()
        order = self._order
        question: "Json" = {
            "do": "environment",
            "folder": order.folder,
            "workspace": order.workspace,
            "node": order.node,
            "secrets": self._attempt.secrets,
        }
        answer = self._ask(
            question,
            "canceled during the environment build",
        )
        if answer.get("error"):
            raise DeliveryFailure(answer["error"])
        paths = {name: answer[name] for name in ("python", "bin", "prefix")}
        self._attempt.order = order.replace(**paths)

    def deliver(self, work: str) -> "dict[str, str]":
        """Deliver the data for the working directory ``work``; return the variables that name it.

        Those that only processes see are added to the order's environment. Raises DeliveryFailure.
        """
        if not self.has_data:
            return {}
        if self._pid is None:
            self._start()
        order = self._order
        answer = self._ask(
            {
                "do": "deliver",
                "folder": order.folder,
                "workspace": order.workspace,
                "attempt": order.attempt,
                "node": order.node,
                "nodes": order.nodes,
                "work": work,
            },
            "canceled during data delivery",
        )
        if answer.get("error"):
            raise DeliveryFailure(answer["error"])
        process_variables = answer.get("environ") or {}
        self._attempt.order = order.replace(environ=dict(order.inherited, **process_variables))
        self._attempt.brought_plain = process_variables  # for containers, which inherit nothing
        self._attempt.binds = answer.get("binds") or ()
        return answer.get("variables") or {}

    def finish(self, value: "Json") -> None:
        """Upload and verify what the job wrote; a failure changes the result ``value``.

        With several nodes, node 0 calls it again when all have finished, to register datasets.
        """
        if self._pid is None:
            return
        action = "register" if self._finished else "finish"
        problem: "str | None" = ""
        canceled = "" if value["state"] == results.CANCELED else "canceled while finalizing"
        try:
            problem = self._ask({"do": action, "state": value["state"]}, canceled).get("error")
        except DeliveryFailure as error:
            problem = str(error)
            if error.state == results.CANCELED:
                value.update(state=error.state, reason="")
        finally:
            if self._finished or self._order.nodes == 1 or self._order.node:
                self.close()
            self._finished = True
        value["ended"] = time.time()
        if problem and value["state"] == results.COMPLETED:
            value.update(state=results.FAILED, reason=problem)
        elif problem:
            value["reason"] = "; ".join(filter(None, [value["reason"], problem]))

    def close(self) -> None:
        """Close the pipes, so that the helper unmounts and exits."""
        for descriptor in (self._input, self._output):
            if descriptor is not None:
                os.close(descriptor)
        self._pid = self._input = self._output = None

    @property
    def _order(self) -> "LaunchOrder":
        return self._attempt.order

    def _start(self) -> None:
        folder = self._order.folder
        tool = self._order.tool
        if not tool:
            raise DeliveryFailure(
                "data delivery requires scriptrun, which no interpreter on this node has"
            )
        log = os.path.join(folder, "system_logs", "data.txt")
        events.append(log, b"")
        child_input, self._input = os.pipe()
        self._output, child_output = os.pipe()
        actions: "list[tuple[object, ...]]" = [
            (os.POSIX_SPAWN_DUP2, child_input, 0),
            (os.POSIX_SPAWN_DUP2, child_output, 1),
            (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
        ]
        argv = list(tool) + ["-m", "scriptrun.delivery.helper"]
        try:
            self._pid = _spawn(argv, dict(self._order.inherited), actions)
        except OSError as error:
            raise DeliveryFailure(
                "cannot start the data helper process: {}: {}".format(argv[0], error.strerror)
            ) from None
        finally:
            os.close(child_input)
            os.close(child_output)

    def _ask(self, question: "Json", canceled: str) -> "Json":
        """Send a request and wait for the answer, writing heartbeats meanwhile.

        If the run is canceled, stop waiting and end the run with the reason ``canceled``; with ""
        keep waiting.
        """
        cancel = os.path.join(self._order.folder, "cancel.json")
        assert self._input is not None and self._output is not None
        try:
            os.write(self._input, json.dumps(question).encode("ascii") + b"\n")
        except OSError:
            raise DeliveryFailure(self._exit_message()) from None
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self._output], [], [], POLL_SECONDS)
            if ready:
                chunk = os.read(self._output, 65536)
                if not chunk:
                    raise DeliveryFailure(self._exit_message())
                self._buffer += chunk
            elif canceled and os.path.lexists(cancel):
                self.close()
                raise DeliveryFailure(canceled, results.CANCELED)
            self._heartbeat()
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: "Json" = json.loads(line.decode("utf-8", "surrogatepass"))
        return answer

    def _exit_message(self) -> str:
        return (
            "the data helper process on this node (pid {}) exited unexpectedly; "
            "see system_logs/data.txt".format(self._pid)
        )

    def _heartbeat(self) -> None:
        now = time.monotonic()
        if now < self._next_heartbeat:
            return
        self._next_heartbeat, self._heartbeats = now + HEARTBEAT_SECONDS, self._heartbeats + 1
        order = self._order
        folder = results.attempt_folder(order.folder, order.attempt)
        try:
            path = os.path.join(folder, "node-{}.beat".format(order.node))
            beat = "data {} {}".format(os.getpid(), self._heartbeats).encode()
            files.write_atomic(path, beat, durable=False)
        except OSError:
            pass  # a full disk: the next one may succeed


def _spawn(
    argv: "list[str]", environ: "dict[str, str]", actions: "list[tuple[object, ...]]"
) -> int:
    default_signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD)
    for name in ("__PYVENV_LAUNCHER__", "PYTHONHOME"):
        environ.pop(name, None)
    return processes.spawn_leader(argv, environ, actions, default_signals)

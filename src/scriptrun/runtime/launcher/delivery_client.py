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
LOOK, BEAT = 0.2, 20.0


class NotDelivered(Exception):
    """The job's data could not be delivered; the run ends in ``state`` with the message."""

    def __init__(self, reason: str, state: str = results.FAILED) -> None:
        super().__init__(reason)
        self.state = state


class Helper:
    """Delivers a job's data on this node. A job without data starts no helper."""

    def __init__(self, job: "Json", attempt: "Attempt") -> None:
        data = job.get("data") or {}
        self.wanted = bool(data.get("inputs") or data.get("outputs"))
        self._attempt = attempt
        self._pid: "int | None" = None
        self._input: "int | None" = None
        self._output: "int | None" = None
        self._rest = b""
        self._finished = False
        self._beats, self._next_beat = 0, 0.0

    def build(self) -> None:
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
            "secrets": self._attempt.lent,
        }
        answer = self._ask(
            question,
            "canceled during the environment build",
        )
        if answer.get("error"):
            raise NotDelivered(answer["error"])
        where = {name: answer[name] for name in ("python", "bin", "prefix")}
        self._attempt.order = order.replace(**where)

    def bring(self, work: str) -> "dict[str, str]":
        """Deliver the data for the working directory ``work``; return the variables that name it.

        Those that only processes see are added to the order's environment. Raises DeliveryFailure.
        """
        if not self.wanted:
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
            raise NotDelivered(answer["error"])
        plain = answer.get("environ") or {}
        self._attempt.order = order.replace(environ=dict(order.inherited, **plain))
        self._attempt.brought_plain = plain  # for containers, which inherit nothing
        self._attempt.binds = answer.get("binds") or ()
        return answer.get("variables") or {}

    def finish(self, value: "Json") -> None:
        """Upload and verify what the job wrote; a failure changes the result ``value``.

        With several nodes, node 0 calls it again when all have finished, to register datasets.
        """
        if self._pid is None:
            return
        what = "register" if self._finished else "finish"
        problem: "str | None" = ""
        canceled = "" if value["state"] == results.CANCELED else "canceled while finalizing"
        try:
            problem = self._ask({"do": what, "state": value["state"]}, canceled).get("error")
        except NotDelivered as error:
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
            raise NotDelivered(
                "data delivery requires scriptrun, which no interpreter on this node has"
            )
        log = os.path.join(folder, "system_logs", "data.txt")
        events.append(log, b"")
        theirs_in, self._input = os.pipe()
        self._output, theirs_out = os.pipe()
        actions: "list[tuple[object, ...]]" = [
            (os.POSIX_SPAWN_DUP2, theirs_in, 0),
            (os.POSIX_SPAWN_DUP2, theirs_out, 1),
            (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
        ]
        argv = list(tool) + ["-m", "scriptrun.delivery.helper"]
        try:
            self._pid = _spawn(argv, dict(self._order.inherited), actions)
        except OSError as error:
            raise NotDelivered(
                "cannot start the data helper process: {}: {}".format(argv[0], error.strerror)
            ) from None
        finally:
            os.close(theirs_in)
            os.close(theirs_out)

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
            raise NotDelivered(self._gone()) from None
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._output], [], [], LOOK)
            if ready:
                piece = os.read(self._output, 65536)
                if not piece:
                    raise NotDelivered(self._gone())
                self._rest += piece
            elif canceled and os.path.exists(cancel):
                self.close()
                raise NotDelivered(canceled, results.CANCELED)
            self._beat()
        line, _, self._rest = self._rest.partition(b"\n")
        answer: "Json" = json.loads(line.decode("utf-8", "surrogatepass"))
        return answer

    def _gone(self) -> str:
        return (
            "the data helper process on this node (pid {}) exited unexpectedly; "
            "see system_logs/data.txt".format(self._pid)
        )

    def _beat(self) -> None:
        now = time.monotonic()
        if now < self._next_beat:
            return
        self._next_beat, self._beats = now + BEAT, self._beats + 1
        order = self._order
        place = results.attempt_folder(order.folder, order.attempt)
        try:
            path = os.path.join(place, "node-{}.beat".format(order.node))
            files.write_atomic(path, "data {} {}".format(os.getpid(), self._beats).encode())
        except OSError:
            pass  # a full disk: the next one may succeed


def _spawn(
    argv: "list[str]", environ: "dict[str, str]", actions: "list[tuple[object, ...]]"
) -> int:
    ours = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD)
    for name in ("__PYVENV_LAUNCHER__", "PYTHONHOME"):
        environ.pop(name, None)
    return processes.spawn_leader(argv, environ, actions, ours)

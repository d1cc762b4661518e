"""The launcher's side of the data's helper process: one a node, JSON lines over two pipes.

The launcher says ``deliver`` before the script starts, and ``finish`` when it has ended. The helper
(``python -m scriptrun.delivery.helper``) stays alive in between, for mounts live in it; when its
input closes for any reason it unmounts and ends. A job without data has no helper.
"""

import json
import os
import select
import signal
import time

from .. import events, files, results

#: seconds between two looks for a request to cancel, and between two signs of life
LOOK, BEAT = 0.2, 20.0


class NotDelivered(Exception):
    """The job's data could not be brought: ``state`` is how the run ends, the text why."""

    def __init__(self, reason, state=results.FAILED):
        super().__init__(reason)
        self.state = state


class Helper:
    """The data of one job on this node. Nothing is started for a job that has none."""

    def __init__(self, job, order):
        data = job.get("data") or {}
        self.wanted = bool(data.get("inputs") or data.get("outputs"))
        self._job, self._order = job, order
        self._pid = self._input = self._output = None
        self._rest = b""
        self._finished = False
        self._beats, self._next_beat = 0, 0.0

    def build(self):
        """Have the run's environment built on this node; the order then says where it stands.

        Raises NotDelivered.
        """
        order = self._order
        self._start()
        question = {name: order[name] for name in ("folder", "workspace", "node")}
        answer = self._ask(
            dict(question, do="environment", secrets=order.get("lent") or {}),
            "canceled while its environment was built",
        )
        if answer.get("error"):
            raise NotDelivered(answer["error"])
        order.update(answer)

    def bring(self, work):
        """Bring the data for the working directory ``work``; the variables that name it.

        Those that only processes see are added to the order's environment. Raises NotDelivered.
        """
        if not self.wanted:
            return {}
        if self._pid is None:
            self._start()
        order = self._order
        answer = self._ask(
            {
                "do": "deliver",
                "folder": order["folder"],
                "workspace": order["workspace"],
                "attempt": order["attempt"],
                "node": order["node"],
                "nodes": order["nodes"],
                "work": work,
            },
            "canceled while its data was brought",
        )
        if answer.get("error"):
            raise NotDelivered(answer["error"])
        order["environ"] = dict(self._environ(), **answer.get("environ") or {})
        order["brought_plain"] = answer.get("environ") or {}  # for a container, that inherits none
        order["binds"] = answer.get("binds") or []
        return answer.get("variables") or {}

    def finish(self, value):
        """Upload and verify what the job wrote; what fails changes the result ``value``.

        Of several nodes, node 0 calls it once more when all have: then datasets are registered.
        """
        if self._pid is None:
            return
        what = "register" if self._finished else "finish"
        problem = ""
        canceled = "" if value["state"] == results.CANCELED else "canceled while it was finalized"
        try:
            problem = self._ask({"do": what, "state": value["state"]}, canceled).get("error")
        except NotDelivered as error:
            problem = str(error)
            if error.state == results.CANCELED:
                value.update(state=error.state, reason="")
        finally:
            if self._finished or self._order["nodes"] == 1 or self._order["node"]:
                self.close()
            self._finished = True
        value["ended"] = time.time()
        if problem and value["state"] == results.COMPLETED:
            value.update(state=results.FAILED, reason=problem)
        elif problem:
            value["reason"] = "; ".join(filter(None, [value["reason"], problem]))

    def close(self):
        """Close the pipes: the helper unmounts and ends."""
        for descriptor in (self._input, self._output):
            if descriptor is not None:
                os.close(descriptor)
        self._pid = self._input = self._output = None

    def _start(self):
        folder = self._order["folder"]
        tool = self._order.get("tool")
        if not tool:
            raise NotDelivered("no interpreter on this node has scriptrun, which brings the data")
        log = os.path.join(folder, "system_logs", "data.txt")
        events.append(log, b"")
        theirs_in, self._input = os.pipe()
        self._output, theirs_out = os.pipe()
        actions = [
            (os.POSIX_SPAWN_DUP2, theirs_in, 0),
            (os.POSIX_SPAWN_DUP2, theirs_out, 1),
            (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
        ]
        argv = list(tool) + ["-m", "scriptrun.delivery.helper"]
        try:
            self._pid = _spawn(argv, dict(self._environ()), actions)
        except OSError as error:
            raise NotDelivered(
                "the helper that brings the data could not be started: {}: {}".format(
                    argv[0], error.strerror
                )
            ) from None
        finally:
            os.close(theirs_in)
            os.close(theirs_out)

    def _environ(self):
        environ = self._order.get("environ")
        return os.environ if environ is None else environ

    def _ask(self, question, canceled):
        """Send one question and wait for its answer, with signs of life meanwhile.

        Where the run is canceled it is not waited for, and ``canceled`` is why the run ends; ""
        waits all the same.
        """
        cancel = os.path.join(self._order["folder"], "cancel.json")
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
        return json.loads(line.decode("utf-8", "surrogatepass"))

    def _gone(self):
        return (
            "the process that holds the job's data on this node (pid {}) ended before its time; "
            "system_logs/data.txt may say why".format(self._pid)
        )

    def _beat(self):
        now = time.monotonic()
        if now < self._next_beat:
            return
        self._next_beat, self._beats = now + BEAT, self._beats + 1
        order = self._order
        place = results.attempt_folder(order["folder"], order["attempt"])
        try:
            path = os.path.join(place, "node-{}.beat".format(order["node"]))
            files.write_atomic(path, "data {} {}".format(os.getpid(), self._beats).encode())
        except OSError:
            pass  # a full disk: the next one may fit


def _spawn(argv, environ, actions):
    ours = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD)
    kept = {"file_actions": actions, "setsigmask": (), "setsigdef": ours}
    for name in ("__PYVENV_LAUNCHER__", "PYTHONHOME"):
        environ.pop(name, None)
    try:
        pid = os.posix_spawn(argv[0], argv, environ, setsid=True, **kept)
    except NotImplementedError:  # a C library without it: a process group of its own will do
        pid = os.posix_spawn(argv[0], argv, environ, setpgroup=0, **kept)
    return pid

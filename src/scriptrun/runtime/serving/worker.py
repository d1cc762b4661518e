"""A worker process of a service: loads the model once, and answers requests with it."""

import _thread
import json
import os
import signal
import socket
import sys
import time
import traceback

from scriptrun.runtime.serving import access, entry_script, listener, pulse
from scriptrun.runtime.serving import order as orders
from scriptrun.runtime.serving.errors import ServiceError
from scriptrun.runtime.serving.http import server
from scriptrun.runtime.serving.http.access_log import AccessLog
from scriptrun.runtime.serving.service import Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional

    from scriptrun.runtime.serving.order import ServiceOrder

_PR_SET_PDEATHSIG = 1
#: what the master writes to stop a worker
STOP = b"s"
#: what to install for modules that entry scripts import, where its name differs
_PACKAGES = {"inference_schema": "inference-schema", "sklearn": "scikit-learn", "PIL": "pillow"}
#: exit codes: init() failed; run() took too long
FAILED, OVERDUE = 1, 75
_STOP_SECONDS = 5.0


def main(descriptors: "List[str]") -> int:
    """Serve on the first of ``descriptors``; the others lead from and to the master."""
    sock, orders_in, reports, memory = (int(each) for each in descriptors)
    for descriptor in (sock, orders_in, reports, memory):
        os.set_inheritable(descriptor, False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _leave_to_master)
    _end_with_parent()
    control = WorkerControl(orders_in, reports, pulse.Pulse(memory))
    folder = os.environ["SCRIPTRUN_RUN_FOLDER"]
    order = orders.read(folder)
    try:
        service = prepare(order, folder)
    except BaseException as problem:  # SystemExit too
        control.report(failed=describe_failure(problem))
        return FAILED
    listening = socket.socket(fileno=sock)
    answering = server.HttpServer(listening, service, AccessLog(), control)
    listener.begin_listening(listening, order)
    control.report(ready=server.NAME)
    control.is_serving = True
    answering.serve()
    control.leave()
    return 0


def prepare(order: "ServiceOrder", folder: str) -> Service:
    """The service of ``order``, its model loaded. Raises what the script raises."""
    rules = access.environment_access(order)
    os.environ.pop(orders.KEYS_VARIABLE, None)  # the script, and what it starts, need no keys
    entry_script.set_variables(order, folder, os.getcwd())
    script = entry_script.load(order, folder)
    script.init()
    return Service(order, script, rules)


def describe_failure(problem: BaseException) -> str:
    """A sentence about what ended the start; its traceback is printed first."""
    if isinstance(problem, ServiceError):
        return str(problem)
    trace = problem.__traceback__
    ours = os.path.dirname(os.path.abspath(__file__))
    while trace is not None and _is_internal(trace.tb_frame.f_code.co_filename, ours):
        trace = trace.tb_next
    lines = traceback.format_exception(type(problem), problem, trace)
    sys.stderr.write("".join(lines))
    sys.stderr.flush()
    summary = traceback.format_exception_only(type(problem), problem)[-1].strip()
    missing = getattr(problem, "name", None) if isinstance(problem, ImportError) else None
    return "The model could not be loaded: {}{}".format(summary, _advice(missing))


def _advice(missing: "Optional[str]") -> str:
    """What to do about the missing module, which may be one of the script's own."""
    module = (missing or "").partition(".")[0]
    if not module or module in sys.modules:  # the package is there, a part of it is not
        return ""
    if module in _PACKAGES:
        return ". Add {} to the environment's packages".format(_PACKAGES[module])
    return (
        ". Add the package of {0!r} to the environment, or {0}.py to the source directory"
    ).format(module)


def _is_internal(path: str, folder: str) -> bool:
    return os.path.dirname(os.path.abspath(path)) == folder or path.startswith("<frozen importlib")


def _leave_to_master(number: int, frame: object) -> None:
    """Ignore a signal to the whole group: the master asks its workers to stop."""


def _end_with_parent() -> None:
    """Let the system kill this process when the master ends (Linux)."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass  # the end of the pipe says it too


class WorkerControl(server.Control):
    """The worker's line to its master: orders on one pipe, and its end; reports on the other."""

    def __init__(self, orders_in: int, reports: int, shared: pulse.Pulse) -> None:
        self._orders, self._reports, self._pulse = orders_in, reports, shared
        self.begin_run = shared.begin
        self.descriptor, self._writer = os.pipe()
        self.is_serving, self._has_answered = False, False
        _thread.start_new_thread(self._listen, ())

    def _listen(self) -> None:
        heard = os.read(self._orders, 1)
        if heard != STOP:
            os._exit(FAILED)  # the master is gone
        if not self.is_serving:
            os._exit(0)
        os.write(self._writer, STOP)
        os.read(self._orders, 1)
        os._exit(FAILED)

    def report(self, **facts: object) -> None:
        """Send ``facts`` to the master."""
        try:
            os.write(self._reports, json.dumps(facts).encode() + b"\n")
        except OSError:
            pass  # it is gone, and so will this process be

    def must_stop(self) -> bool:
        """Whether the master says to stop; called when ``descriptor`` is readable."""
        return os.read(self.descriptor, 1) == STOP

    def end_run(self) -> None:
        """Note that run() has answered."""
        self._pulse.end()
        if not self._has_answered:
            self._has_answered = True
            self.report(answered=True)

    def end_overdue(self, limit: float) -> None:
        """End this process, as run() cannot be interrupted; the master replaces it."""
        frame = sys._current_frames().get(_main_thread())
        where = "".join(traceback.format_stack(frame)[-8:]) if frame is not None else ""
        text = "run() took longer than {:g} seconds (timeout_seconds); it was here:\n{}"
        sys.stderr.write(text.format(limit, where))
        sys.stderr.flush()
        self.report(overdue=limit)
        os._exit(OVERDUE)

    def leave(self) -> None:
        """End this process soon, even if the script's threads do not."""
        try:
            sys.stdout.flush()
        except Exception:
            pass  # the script has closed it

        def kill() -> None:
            time.sleep(_STOP_SECONDS)
            os._exit(0)

        _thread.start_new_thread(kill, ())


def _main_thread() -> int:
    import threading

    return threading.main_thread().ident or 0

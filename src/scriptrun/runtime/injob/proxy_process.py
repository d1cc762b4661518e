"""The helper: scriptrun's own interpreter, which answers what a run's folder does not tell.

It is started at the first question (``SCRIPTRUN_TOOL -m scriptrun.helpers.job_objects``), one for
each process that asks, and ends with that process. Questions and answers are lines of JSON over two
pipes. Python 3.6+, standard library only.
"""

import atexit
import json
import os
import subprocess
import sys
import threading

from scriptrun.runtime.injob import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.injob.errors import ScriptrunError


_WITHOUT = (
    "{} is unavailable in this job: scriptrun is not installed on this node. "
    "Add scriptrun to the environment's packages."
)
_started: "dict[int, _Helper]" = {}
_lock = threading.Lock()


def is_there() -> bool:
    """Whether a helper can be started here."""
    return bool(os.environ.get("SCRIPTRUN_TOOL")) and bool(os.environ.get("SCRIPTRUN_RUN_FOLDER"))


def helper(what: str) -> "_Helper":
    """This process's helper. Raises AttributeError, which names ``what``, where there is none."""
    if not is_there():
        raise AttributeError(_WITHOUT.format(what))
    with _lock:
        mine = _started.get(os.getpid())
        if mine is None or mine.gone:
            _started.clear()  # after a fork the other is the parent's
            mine = _started[os.getpid()] = _Helper(json.loads(os.environ["SCRIPTRUN_TOOL"]))
    return mine


class _Helper(object):
    """One running helper, and the pipes to it. Several threads may ask."""

    def __init__(self, tool: "Iterable[str]") -> None:
        self.pid = os.getpid()
        self.gone = False
        self.dropped: "list[int]" = []
        self._lock = threading.Lock()
        environ = dict(os.environ)
        for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__"):
            environ.pop(name, None)  # those of the job's Python
        argv = list(tool) + ["-m", "scriptrun.helpers.job_objects"]
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(argv, env=environ, stdin=pipe, stdout=pipe)
            assert self._process.stdin is not None and self._process.stdout is not None
            self._input, self._output = self._process.stdin, self._process.stdout
        except OSError as error:
            raise errors.UserErrorException(
                "Cannot start the workspace helper process: {}: {}".format(argv[0], error.strerror)
            )
        atexit.register(self.end)

    def ask(self, question: "Json") -> "Any":
        """The helper's answer. Raises the error that it tells, or UserErrorException."""
        if os.getpid() != self.pid:
            raise errors.UserErrorException(
                "This object was created in another process.", "Create it again after the fork."
            )
        with self._lock:
            dropped, self.dropped = self.dropped, []
            question = dict(question, cwd=_cwd(), drop=dropped)
            try:
                self._input.write(json.dumps(question).encode("ascii") + b"\n")
                self._input.flush()
                line = self._output.readline()
            except OSError:
                line = b""
        if not line:
            self._leave()
            raise errors.UserErrorException(
                "The workspace helper process exited (exit code {}).".format(self._process.wait()),
                "For its output, see the log above.",
            )
        answer = json.loads(line.decode("utf-8"))
        if "error" in answer:
            raise _error(answer["error"])
        return answer["value"]

    def end(self) -> None:
        """Let the helper end, and wait a moment for it."""
        if os.getpid() != self.pid or self.gone:
            return
        _flush()  # the helper masks in the log what must not be seen
        try:
            self._input.write(b'{"do": "end"}\n')
            self._leave()
            self._process.wait(10)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            pass

    def _leave(self) -> None:
        """Close the pipes: nothing is asked any more."""
        self.gone = True
        for pipe in (self._input, self._output):
            try:
                pipe.close()
            except (OSError, ValueError):
                pass


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # the script has closed it


def _cwd() -> "str | None":
    try:
        return os.getcwd()
    except OSError:
        return None


def _error(told: "Json") -> Exception:
    """The exception that the helper tells of: of our classes, or of Python's own."""
    plain = {"KeyError": KeyError, "IndexError": IndexError, "TypeError": TypeError}
    plain.update(ValueError=ValueError, AttributeError=AttributeError)
    plain["NotImplementedError"] = NotImplementedError
    if told["kind"] in plain:
        return plain[told["kind"]](told["message"])
    return error_named(told["kind"])(told["message"], told.get("hint") or "")


def error_named(name: str) -> "type[ScriptrunError]":
    """The class of errors that scriptrun calls ``name``: one of ``errors``, made if need be."""
    if not hasattr(errors, name):
        bases = (errors.UserErrorException,)
        setattr(errors, name, type(str(name), bases, {"__module__": errors.__name__}))
    made: "type[ScriptrunError]" = getattr(errors, name)
    return made

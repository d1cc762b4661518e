"""The helper: a process with all of scriptrun, for what the run's folder alone cannot provide.

It starts at the first request (``SCRIPTRUN_TOOL -m scriptrun.helpers.job_objects``), one for each
requesting process, and ends with that process. Requests and answers are lines of JSON over two
pipes. Python 3.6+, standard library only.
"""

import atexit
import json
import os
import sys
import threading

from scriptrun.runtime.injob import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.injob.errors import ScriptrunError


_UNAVAILABLE = (
    "{} is unavailable in this job: scriptrun is not installed on this node. "
    "Add scriptrun to the environment's packages."
)
_started: "dict[int, _Helper]" = {}
_lock = threading.Lock()


def is_there() -> bool:
    """Whether a helper can be started on this node."""
    return bool(os.environ.get("SCRIPTRUN_TOOL")) and bool(os.environ.get("SCRIPTRUN_RUN_FOLDER"))


def helper(feature: str) -> "_Helper":
    """This process's helper. Raises AttributeError, naming ``feature``, if none can be started."""
    if not is_there():
        raise AttributeError(_UNAVAILABLE.format(feature))
    with _lock:
        current = _started.get(os.getpid())
        if current is None or current.is_closed:
            _started.clear()  # after a fork, the other one is the parent's
            current = _started[os.getpid()] = _Helper(json.loads(os.environ["SCRIPTRUN_TOOL"]))
    return current


class _Helper(object):
    """A running helper and the pipes to it; safe for several threads."""

    def __init__(self, tool: "Iterable[str]") -> None:
        import subprocess

        self.pid = os.getpid()
        self.is_closed = False
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

    def ask(self, question: "Json") -> object:
        """Return the helper's answer. Raises the error it reports, or UserErrorException."""
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
            self._close_pipes()
            raise errors.UserErrorException(
                "The workspace helper process exited (exit code {}).".format(self._process.wait()),
                "For its output, see the log above.",
            )
        answer = json.loads(line.decode("utf-8"))
        if "error" in answer:
            raise _to_exception(answer["error"])
        return answer["value"]

    def end(self) -> None:
        """Ask the helper to end, and wait briefly for it."""
        if os.getpid() != self.pid or self.is_closed:
            return
        import subprocess

        _flush_output()  # the helper masks secrets in the log
        try:
            self._input.write(b'{"do": "end"}\n')
            self._close_pipes()
            self._process.wait(10)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            pass

    def _close_pipes(self) -> None:
        """Close the pipes, which ends the helper."""
        self.is_closed = True
        for pipe in (self._input, self._output):
            try:
                pipe.close()
            except (OSError, ValueError):
                pass


def _flush_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # closed by the script


def _cwd() -> "str | None":
    try:
        return os.getcwd()
    except OSError:
        return None


def _to_exception(details: "Json") -> Exception:
    """The exception that the helper reported, of our own or a built-in class."""
    builtin_errors = {"KeyError": KeyError, "IndexError": IndexError, "TypeError": TypeError}
    builtin_errors.update(ValueError=ValueError, AttributeError=AttributeError)
    builtin_errors["NotImplementedError"] = NotImplementedError
    if details["kind"] in builtin_errors:
        return builtin_errors[details["kind"]](details["message"])
    error_class = error_named(details["kind"], details.get("bases") or ())
    error = error_class(details["message"], details.get("hint") or "")
    if isinstance(error, errors.WebserviceException):
        error.status_code, error.logs = details.get("status_code"), details.get("logs")
    return error


def error_named(name: str, bases: "Iterable[str]" = ()) -> "type[ScriptrunError]":
    """The scriptrun error class called ``name``, created in ``errors`` if it is not there yet.

    It then derives from the first class in ``errors`` that ``bases`` names.
    """
    if not hasattr(errors, name):
        known = [getattr(errors, base) for base in bases if hasattr(errors, base)]
        base = known[0] if known else errors.UserErrorException
        setattr(errors, name, type(str(name), (base,), {"__module__": errors.__name__}))
    error_class: "type[ScriptrunError]" = getattr(errors, name)
    return error_class

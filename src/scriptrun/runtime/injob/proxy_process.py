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

_WITHOUT = (
    "{} is not at hand in this job: it needs scriptrun, and there is none on this node but what "
    "the job brought. Add scriptrun to the environment's packages."
)
_started = {}
_lock = threading.Lock()


def is_there():
    """Whether a helper can be started here."""
    return bool(os.environ.get("SCRIPTRUN_TOOL")) and bool(os.environ.get("SCRIPTRUN_RUN_FOLDER"))


def helper(what):
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

    def __init__(self, tool):
        self.pid = os.getpid()
        self.gone = False
        self.dropped = []
        self._lock = threading.Lock()
        environ = dict(os.environ)
        for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__"):
            environ.pop(name, None)  # those of the job's Python
        argv = list(tool) + ["-m", "scriptrun.helpers.job_objects"]
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(argv, env=environ, stdin=pipe, stdout=pipe)
        except OSError as error:
            raise errors.UserErrorException(
                "The helper that answers for the workspace could not be started: {}: {}".format(
                    argv[0], error.strerror
                )
            )
        atexit.register(self.end)

    def ask(self, question):
        """The helper's answer. Raises the error that it tells, or UserErrorException."""
        if os.getpid() != self.pid:
            raise errors.UserErrorException(
                "This object was made in another process.", "Make it again after the fork."
            )
        with self._lock:
            dropped, self.dropped = self.dropped, []
            question = dict(question, cwd=_cwd(), drop=dropped)
            try:
                self._process.stdin.write(json.dumps(question).encode("ascii") + b"\n")
                self._process.stdin.flush()
                line = self._process.stdout.readline()
            except OSError:
                line = b""
        if not line:
            self._leave()
            raise errors.UserErrorException(
                "The helper that answers for the workspace has ended (exit code {}).".format(
                    self._process.wait()
                ),
                "What it wrote stands above in the log.",
            )
        answer = json.loads(line.decode("utf-8"))
        if "error" in answer:
            raise _error(answer["error"])
        return answer["value"]

    def end(self):
        """Let the helper end, and wait a moment for it."""
        if os.getpid() != self.pid or self.gone:
            return
        _flush()  # the helper masks in the log what must not be seen
        try:
            self._process.stdin.write(b'{"do": "end"}\n')
            self._leave()
            self._process.wait(10)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            pass

    def _leave(self):
        """Close the pipes: nothing is asked any more."""
        self.gone = True
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                pipe.close()
            except (OSError, ValueError):
                pass


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # the script has closed it


def _cwd():
    try:
        return os.getcwd()
    except OSError:
        return None


def _error(told):
    """The exception that the helper tells of: of our classes, or of Python's own."""
    plain = {"KeyError": KeyError, "IndexError": IndexError, "TypeError": TypeError}
    plain.update(ValueError=ValueError, AttributeError=AttributeError)
    plain["NotImplementedError"] = NotImplementedError
    if told["kind"] in plain:
        return plain[told["kind"]](told["message"])
    return error_named(told["kind"])(told["message"], told.get("hint") or "")


def error_named(name):
    """The class of errors that scriptrun calls ``name``: one of ``errors``, made if need be."""
    if not hasattr(errors, name):
        bases = (errors.UserErrorException,)
        setattr(errors, name, type(str(name), bases, {"__module__": errors.__name__}))
    return getattr(errors, name)

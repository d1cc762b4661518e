"""Errors of the command line: a message on stderr and an exit code, a traceback only for bugs."""

from __future__ import annotations

import errno
import importlib
import itertools
import os
import sys
from collections.abc import Callable

from scriptrun.spec.errors import ScriptrunError

USAGE_ERROR, BUG, TIMED_OUT, INTERRUPTED, PIPE = 2, 70, 124, 130, 141
#: the characters of a line of an error message: more than the longest path, twice
_LONGEST_LINE = 10_000
_MAKE_ROOM = (
    "Free some space there, or use another disk (SCRIPTRUN_CACHE, SCRIPTRUN_WORKSPACE, TMPDIR)."
)
#: system errors that the user can fix, as opposed to bugs
_USER_ERRNOS = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.ENAMETOOLONG,
    errno.EMFILE,
    errno.EIO,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ELOOP,
    getattr(errno, "EDQUOT", errno.ENOSPC),
}


def run_guarded(command: Callable[[list[str]], int], words: list[str]) -> int:
    """Return what ``command(words)`` returns, or the exit code for the error it raises."""
    as_json = is_json_requested(words)
    try:
        code = command(words)
        sys.stdout.flush()
        return code
    except ScriptrunError as error:
        return report_error(error.message, error.hint, error.exit_code, as_json)
    except KeyboardInterrupt:
        _exit_despite_threads()
        return INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return PIPE
    except Exception as error:
        return _report_unexpected(error, words, as_json)


def is_json_requested(words: list[str]) -> bool:
    """Whether ``words`` ask for JSON, as opposed to passing --json on to a program or script."""
    own = words[: words.index("--")] if "--" in words else words
    if own[:1] == ["exec"]:
        own = list(itertools.takewhile(lambda word: word.startswith("-"), own[1:]))
    return "--json" in own


def _exit_despite_threads() -> None:
    """Exit at once if threads still wait for a store; their writes are atomic."""
    threading = sys.modules.get("threading")
    alive = threading.enumerate() if threading else []
    if any(thread.name.startswith("scriptrun-") for thread in alive):
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                pass
        os._exit(INTERRUPTED)


def report_error(
    message: str, hint: str = "", code: int = USAGE_ERROR, as_json: bool = False
) -> int:
    """Print ``message`` and ``hint`` to stderr and return the exit code.

    With ``as_json``, stdout gets the same as a JSON document.
    """
    if as_json:
        _print_as_json(message, hint, code)
    text = f"scriptrun: {message}" + (f"\n  {hint}" if hint else "")
    say("\n".join(map(_shortened, text.split("\n"))))
    return code


def _print_as_json(message: str, hint: str, code: int) -> None:
    output = importlib.import_module("scriptrun.cli.terminal.output")
    try:
        error = {"message": message, "hint": hint or None, "exit_code": code}
        output.print_json({"error": error}, indent=None)  # one line, as in a stream of documents
    except (OSError, ValueError):
        pass  # stdout cannot be written


def _shortened(line: str) -> str:
    """``line`` without what a file may have put into it beyond a few pages."""
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{line[:_LONGEST_LINE]} ... ({len(line) - _LONGEST_LINE:,} more characters)"


def say(text: str) -> None:
    """Print a line to stderr, after everything already written to stdout."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        pass
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass


def _discard_output() -> None:
    """Discard stdout, whose reader is gone, so that flushing it at exit does not fail."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(devnull, sys.stdout.fileno())
    except (OSError, ValueError):
        pass


def _report_unexpected(error: Exception, words: list[str], as_json: bool) -> int:
    """Report a system error, or one of a path the user typed, as such; any other as a bug."""
    if isinstance(error, OSError) and (error.errno in _USER_ERRNOS or _is_typed(error, words)):
        return _report_system_error(error, as_json)
    if type(error).__module__ == "sqlite3" and (full := _full_disks()):
        return report_error(f"{full[0].upper()}{full[1:]}.", _MAKE_ROOM, 1, as_json)
    return _report_bug(error, as_json)


def _report_system_error(error: OSError, as_json: bool) -> int:
    disks = importlib.import_module("scriptrun.runtime.disks")
    full = _full_disks() if error.filename is None and disks.is_about_disk(error) else ""
    if error.filename is None and not full:
        _discard_output()  # the write to stdout failed
    prefix = f"{error.filename}: " if error.filename else ""
    if error.filename is None and not full and disks.is_about_disk(error):
        prefix = "Standard output cannot be written: "
    is_full = disks.is_about_disk(error) and error.errno != errno.EROFS
    hint = _MAKE_ROOM if is_full and (full or error.filename) else ""
    return report_error(f"{prefix}{full or disks.describe(error)}.", hint, USAGE_ERROR, as_json)


def _full_disks() -> str:
    return str(importlib.import_module("scriptrun.store.paths").full_disks())


def _is_typed(error: OSError, words: list[str]) -> bool:
    """Whether the path that the error is about appears in the command line."""
    path = str(error.filename or "")
    return any(path and path in (word, os.path.abspath(word)) for word in words if word)


def _report_bug(error: BaseException, as_json: bool) -> int:
    path, text = importlib.import_module("scriptrun.cli.crash_report").write_down(error)
    message = f"internal error (this is a bug): {type(error).__name__}: {error}"
    hint = f"Please report it and attach {path}" if path else text
    if as_json:
        _print_as_json(message, hint, BUG)
    say(f"scriptrun: {message}\n  {hint}")
    return BUG

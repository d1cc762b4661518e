"""Runs old code unchanged: a script, a module or a notebook, with ``azureml`` importable."""

from __future__ import annotations

import gc
import os
import runpy
import select
import sys
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType

from scriptrun.core import uncaught
from scriptrun.dropin import child_processes, one_time_notes
from scriptrun.dropin.notebook import cells as notebook_cells
from scriptrun.dropin.notebook import docker_cells, runner, small_shell
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ParamSpec

    P = ParamSpec("P")

#: what Databricks defines in every notebook
_DATABRICKS_NAMES = ("dbutils", "spark", "sc", "sqlContext", "displayHTML")


def script(path: str, words: Sequence[str]) -> int:
    """Run the script or notebook ``path`` with the arguments ``words``, as Python would.

    Returns the exit code; exceptions of the code are printed as Python prints them. Raises
    UserErrorException if the file does not exist, or is not a notebook.
    """
    if not os.path.isfile(path):
        problem = "is a directory" if os.path.isdir(path) else "does not exist"
        raise UserErrorException(
            f"File {str(path)!r} {problem}.", "Give a script, a notebook, or a module with -m."
        )
    absolute = os.path.abspath(path)  # as Python sets ``__file__``
    folder = os.path.dirname(absolute)
    if path.endswith(".ipynb"):
        # an invalid notebook is not a failure of its code
        docker_cells.note(notebook_cells.cells(absolute))
        os.chdir(folder)  # as Jupyter does
        return _run_guarded(folder, [path, *words], runner.run, absolute, _show_error)
    init_globals = (
        {"get_ipython": small_shell.get_ipython} if _is_converted_notebook(absolute) else None
    )
    return _run_guarded(folder, [path, *words], runpy.run_path, absolute, init_globals, "__main__")


def _is_converted_notebook(path: str) -> bool:
    """Whether the script calls IPython, as ``jupyter nbconvert`` writes them."""
    with open(path, "rb") as handle:
        return b"get_ipython()" in handle.read()


def module(name: str, words: Sequence[str]) -> int:
    """Run the module ``name`` with the arguments ``words``, as ``python -m`` would."""
    return _run_guarded(
        os.getcwd(),
        [name, *words],
        runpy.run_module,
        name,
        run_name="__main__",
        alter_sys=True,
    )


def _run_guarded(
    folder: str,
    argv: list[str],
    action: Callable[P, object],
    *args: P.args,
    **kwargs: P.kwargs,
) -> int:
    sys.argv[:] = argv
    sys.path.insert(0, folder)
    child_processes.prepare()
    gc.enable()  # the command line disables it
    try:
        action(*args, **kwargs)
    except SystemExit as exit_error:
        return _exit_code(exit_error.code)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _is_reader_gone():
            raise  # for the command line: what reads the output needs no more of it
        uncaught.record(error)
        _show_error(error)
        return 1
    return 0


def _is_reader_gone() -> bool:
    """Whether stdout is a pipe that nobody reads any more, as behind ``head``."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(events & select.POLLERR for _, events in poll.poll(0))
    except (AttributeError, OSError, ValueError):
        return False


def _show_error(error: BaseException) -> None:
    """Print the traceback of the user's code, and what to do about the error if that is known."""
    _flush()
    error.__suppress_context__ |= isinstance(error, EOFError)
    for part in (error, error.__cause__, error.__context__):
        if part is not None:
            part.__traceback__ = _user_traceback(part.__traceback__)
    traceback.print_exception(error)
    if isinstance(error, ModuleNotFoundError):
        source = "; setuptools before 81 has it" if error.name == "pkg_resources" else ""
        one_time_notes.say(
            f"{error.name} is not installed in {sys.executable}, which runs this code{source}"
        )
    elif isinstance(error, NameError) and error.name in _DATABRICKS_NAMES:
        one_time_notes.say(f"{error.name} exists only in Databricks")
    elif type(error).__name__ == "BdbQuit":
        one_time_notes.say("the code stops in a debugger, which needs a terminal")
    elif isinstance(error, EOFError) or "lost sys.stdin" in str(error):
        one_time_notes.say(
            "the code asks for input, but there is none on standard input: "
            "run it in a terminal, or pipe the answers into it"
        )


def _exit_code(code: object) -> int:
    """Return the process exit code of ``sys.exit(code)``."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    print(code, file=sys.stderr)
    return 1


def _flush() -> None:
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        pass


def _user_traceback(trace: TracebackType | None) -> TracebackType | None:
    """Return the part of ``trace`` that is in the user's code and in what it calls."""
    if trace is None:
        return None
    following = _user_traceback(trace.tb_next)
    if _is_own_frame(trace.tb_frame.f_code.co_filename):
        return following
    return TracebackType(following, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)


def _is_own_frame(filename: str) -> bool:
    return (
        filename in (__file__, runpy.__file__)
        or filename.startswith(("<frozen", os.path.dirname(notebook_cells.__file__)))
        or f"{os.sep}IPython{os.sep}" in filename
    )

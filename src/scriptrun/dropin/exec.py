"""Runs old code unchanged: a script, a module or a notebook, with ``azureml`` importable."""

from __future__ import annotations

import gc
import multiprocessing
import os
import runpy
import sys
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import spawn
from types import TracebackType

from scriptrun.dropin import one_time_notes
from scriptrun.dropin.notebook import cells as notebook_cells
from scriptrun.dropin.notebook import ipython_shell
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ParamSpec

    P = ParamSpec("P")


def script(path: str, words: Sequence[str]) -> int:
    """Run the script or notebook ``path`` with the arguments ``words``, as Python would.

    Returns the exit code; exceptions of the code are printed as Python prints them. Raises
    UserErrorException if the file does not exist, or is not a notebook.
    """
    if not os.path.isfile(path):
        raise UserErrorException(
            f"File {str(path)!r} does not exist.", "Give a script, a notebook, or a module with -m."
        )
    absolute = os.path.abspath(path)  # as Python sets ``__file__``
    folder = os.path.dirname(absolute)
    if path.endswith(".ipynb"):
        notebook_cells.cells(absolute)  # what is no notebook is no failure of its code
        os.chdir(folder)  # as Jupyter does
        return _run_guarded(absolute, folder, [path, *words], notebook_cells.run, absolute)
    init_globals = (
        {"get_ipython": ipython_shell.get_ipython} if _is_converted_notebook(absolute) else None
    )
    return _run_guarded(
        absolute, folder, [path, *words], runpy.run_path, absolute, init_globals, "__main__"
    )


def _is_converted_notebook(path: str) -> bool:
    """Whether the script calls IPython, as ``jupyter nbconvert`` writes them."""
    with open(path, "rb") as handle:
        return b"get_ipython()" in handle.read()


def module(name: str, words: Sequence[str]) -> int:
    """Run the module ``name`` with the arguments ``words``, as ``python -m`` would."""
    return _run_guarded(
        "",
        os.getcwd(),
        [name, *words],
        runpy.run_module,
        name,
        run_name="__main__",
        alter_sys=True,
    )


def _run_guarded(
    path: str,
    folder: str,
    argv: list[str],
    action: Callable[P, object],
    *args: P.args,
    **kwargs: P.kwargs,
) -> int:
    sys.argv[:] = argv
    sys.path.insert(0, folder)
    _enable_in_children()
    gc.enable()  # the command line disables it
    try:
        action(*args, **kwargs)
    except SystemExit as exit_error:
        return _exit_code(exit_error.code)
    except Exception as error:
        _flush()
        error.__traceback__ = _user_traceback(error.__traceback__, path)
        traceback.print_exception(error)
        if isinstance(error, ModuleNotFoundError):
            one_time_notes.say(
                f"{error.name} is not installed in {sys.executable}, which runs this code"
            )
        return 1
    return 0


def _enable_in_children() -> None:
    """Make ``azureml`` importable in processes that multiprocessing spawns."""
    original = spawn.get_command_line

    def get_command_line(**kwargs: object) -> list[str]:
        words = original(**kwargs)
        return [
            f"import scriptrun.dropin; {word}" if previous == "-c" else word
            for previous, word in zip(["", *words], words, strict=False)
        ]

    spawn.get_command_line = get_command_line
    if "forkserver" in multiprocessing.get_all_start_methods():
        multiprocessing.set_forkserver_preload(["scriptrun.dropin"])


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


def _user_traceback(trace: TracebackType | None, path: str) -> TracebackType | None:
    """Return the part of ``trace`` that starts in the user's code."""
    own_files = (__file__, notebook_cells.__file__, runpy.__file__)
    user_trace = trace
    while user_trace is not None and _is_own_file(
        user_trace.tb_frame.f_code.co_filename, own_files
    ):
        user_trace = user_trace.tb_next
    return user_trace


def _is_own_file(filename: str, own_files: tuple[str, ...]) -> bool:
    return filename in own_files or filename.startswith("<frozen")

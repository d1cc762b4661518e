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
    from typing import Any


def script(path: str, words: Sequence[str]) -> int:
    """Run the script or notebook ``path`` with the arguments ``words``, as Python would.

    Returns the exit code; exceptions of the code are printed as Python prints them. Raises
    UserErrorException if the file does not exist.
    """
    if not os.path.isfile(path):
        raise UserErrorException(
            f"File {str(path)!r} does not exist.", "Give a script, a notebook, or a module with -m."
        )
    whole = os.path.abspath(path)  # as Python sets ``__file__``
    folder = os.path.dirname(whole)
    if path.endswith(".ipynb"):
        os.chdir(folder)  # as Jupyter does
        return _guarded(whole, folder, [path, *words], notebook_cells.run, whole)
    given = {"get_ipython": ipython_shell.get_ipython} if _was_a_notebook(whole) else None
    return _guarded(whole, folder, [path, *words], runpy.run_path, whole, given, "__main__")


def _was_a_notebook(path: str) -> bool:
    """Whether the script calls IPython, as ``jupyter nbconvert`` writes them."""
    with open(path, "rb") as handle:
        return b"get_ipython()" in handle.read()


def module(name: str, words: Sequence[str]) -> int:
    """Run the module ``name`` with the arguments ``words``, as ``python -m`` would."""
    ready = {"run_name": "__main__", "alter_sys": True}
    return _guarded("", os.getcwd(), [name, *words], runpy.run_module, name, **ready)


def _guarded(
    path: str,
    folder: str,
    argv: list[str],
    action: Callable[..., Any],
    *args: Any,
    **kwargs: Any,
) -> int:
    sys.argv[:] = argv
    sys.path.insert(0, folder)
    _in_children()
    gc.enable()  # the command line disables it
    try:
        action(*args, **kwargs)
    except SystemExit as ended:
        return _code(ended.code)
    except Exception as error:
        _flush()
        error.__traceback__ = _theirs(error.__traceback__, path)
        traceback.print_exception(error)
        if isinstance(error, ModuleNotFoundError):
            one_time_notes.say(
                f"{error.name} is not installed in {sys.executable}, which runs this code"
            )
        return 1
    return 0


def _in_children() -> None:
    """Make ``azureml`` importable in processes that multiprocessing spawns."""
    inner = spawn.get_command_line

    def get_command_line(**kwargs: Any) -> list[str]:
        words = inner(**kwargs)
        return [
            f"import scriptrun.dropin; {word}" if before == "-c" else word
            for before, word in zip(["", *words], words, strict=False)
        ]

    spawn.get_command_line = get_command_line
    if "forkserver" in multiprocessing.get_all_start_methods():
        multiprocessing.set_forkserver_preload(["scriptrun.dropin"])


def _code(code: object) -> int:
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


def _theirs(trace: TracebackType | None, path: str) -> TracebackType | None:
    """Return the part of ``trace`` that starts in the user's code."""
    here = (__file__, notebook_cells.__file__, runpy.__file__)
    first = trace
    while first is not None and _is_ours(first.tb_frame.f_code.co_filename, here):
        first = first.tb_next
    return first


def _is_ours(filename: str, here: tuple[str, ...]) -> bool:
    return filename in here or filename.startswith("<frozen")

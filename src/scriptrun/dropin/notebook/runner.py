"""Runs a notebook's cells one after the other, in one namespace, without Jupyter."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import sys
import types

from scriptrun.dropin.notebook import cells as notebook_cells
from scriptrun.dropin.notebook import small_shell
from scriptrun.dropin.notebook.cells import CodeCell
from scriptrun.dropin.notebook.notes import Notes
from scriptrun.spec import tool_python
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    RunCell = Callable[[str, str], None]
    ShowError = Callable[[BaseException], None]


#: the first version that is used
OLDEST_IPYTHON = 8


def run(path: str, show_error: ShowError) -> None:
    """Run all code cells of the notebook, up to the first that raises.

    ``show_error`` prints the error of a cell that may raise one (tag ``raises-exception``).
    """
    _run_in_order()
    notes = Notes(os.path.basename(path))
    why_not = _why_no_ipython()
    run_cell = _small(notes, show_error, why_not) if why_not else _ipython(notes, show_error)
    try:
        run_cells(path, notes, run_cell, show_error)
    except KeyboardInterrupt:
        notes.say(f"{notes.name}: interrupted; submitted jobs keep running")
        raise


def run_cells(path: str, notes: Notes, run_cell: RunCell, show_error: ShowError) -> None:
    """Run the cells of the notebook ``path``; the notes name its cells meanwhile."""
    outer = notes.name
    for cell in notebook_cells.cells(path):
        notes.name = f"{os.path.basename(path)}, cell {cell.number}"
        if notebook_cells.SKIP in cell.tags:
            notes.say(f"{notes.name}: not run (tag {notebook_cells.SKIP})")
            continue
        try:
            run_cell(cell.source, f"{path}, cell {cell.number}")
        except SystemExit as exit_error:
            if exit_error.code:
                notes.say(f"{notes.name}: it ended the notebook with exit({exit_error.code!r})")
            raise
        except Exception as error:
            after_error(cell, error, show_error)
    notes.name = outer


def after_error(cell: CodeCell, error: Exception, show_error: ShowError) -> None:
    """Raise the error of a cell, or show it where the cell may raise one."""
    if notebook_cells.MAY_RAISE not in cell.tags:
        raise error
    show_error(error)


def _why_no_ipython() -> str:
    """Why IPython cannot run the cells; "" if it can."""
    if importlib.util.find_spec("IPython") is None:
        return "IPython is not installed"
    version = importlib.metadata.version("ipython")
    is_old = int(version.split(".")[0]) < OLDEST_IPYTHON
    return f"IPython {version} is older than {OLDEST_IPYTHON}" if is_old else ""


def _ipython(notes: Notes, show_error: ShowError) -> RunCell:
    """IPython's shell."""
    module = importlib.import_module("scriptrun.dropin.notebook.ipython_shell")
    shell = module.NotebookShell.start(notes)
    run_cell: RunCell = shell.run_source
    shell.run_notebook = lambda path: _run_other(path, notes, run_cell, show_error)
    notes.say(
        f"{notes.name}: IPython {importlib.metadata.version('ipython')} runs the cells, "
        f"in {sys.executable}"
    )
    return run_cell


def _small(notes: Notes, show_error: ShowError, why: str) -> RunCell:
    """The small shell, in a new module ``__main__``."""
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    shell = small_shell.SmallShell(main.__dict__, notes)
    main.__dict__.update(display=print, get_ipython=lambda: shell, exit=sys.exit, quit=sys.exit)
    main.__dict__.update(In=shell.inputs, _ih=shell.inputs, Out=shell.outputs)
    run_cell: RunCell = shell.run_cell
    shell.run_notebook = lambda path: _run_other(path, notes, run_cell, show_error)
    package = "ipython" if tool_python.path() != sys.executable else "'scriptrun[notebook]'"
    notes.say(
        f"{notes.name}: {why}, so a simple shell with few magics runs the cells. "
        f"To use IPython, run: {sys.executable} -m pip install {package}"
    )
    return run_cell


def _run_other(path: str, notes: Notes, run_cell: RunCell, show_error: ShowError) -> None:
    """Do ``%run other.ipynb``."""
    if not os.path.isfile(path):
        raise UserErrorException(
            f"Notebook {str(path)!r} does not exist.",
            "Relative paths start in the current directory.",
        )
    run_cells(path, notes, run_cell, show_error)


def _run_in_order() -> None:
    """Let what is printed reach a file in the order in which it is printed."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, as by cron
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        stream = getattr(sys, name)
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True)

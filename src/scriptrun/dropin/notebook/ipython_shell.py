"""IPython's own shell for the cells of a notebook, without a terminal and without Jupyter.

Everything is IPython's but: commands that install are skipped, a magic that is missing or cannot
work here is named in one line, and errors are left to the caller.
"""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import os
import re
import shlex
import signal
import sys
import traceback
import warnings
from subprocess import CalledProcessError

from IPython.core import page
from IPython.core.autocall import ExitAutocall
from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import UsageError
from IPython.core.inputtransformer2 import leading_empty_lines
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.text import SList
from traitlets.config import Config

from scriptrun.dropin.notebook import cells, commands, old_ipython, syntax
from scriptrun.dropin.notebook.notes import Notes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_FOR_A_PERSON = "it only loads code into a cell; to run a file, use %run"
#: magics that start servers or talk to a terminal, and what to do instead
_SKIPPED = {
    "tensorboard": "start it yourself: tensorboard --logdir DIRECTORY",
    "debug": "it needs a terminal",
    "edit": "it needs a terminal",
    "ed": "it needs a terminal",
    "pastebin": "it publishes the code",
    "load": _FOR_A_PERSON,
    "loadpy": _FOR_A_PERSON,
    "recall": _FOR_A_PERSON,
    "rep": _FOR_A_PERSON,
}
_INSTALLERS = ("pip", "conda", "mamba", "micromamba", "uv")
_SHELL_MAGICS = ("bash", "sh", "script", "!", "sx", "system")
#: magics whose effect the following lines need
_NEEDED = ("cd", "run", "env", "store")
#: magics whose code may lack a package
_RUN_CODE = ("run", "rerun", *syntax.PYTHON_MAGICS)
#: what works only while an event loop runs
_NEEDS_LOOP = re.compile(r"\b(?:create_task|ensure_future|get_running_loop|current_task)\b")


class CellCompiler(CachingCompiler):
    """Names the code of cells after the notebook and the cell, and shows the cell's own lines."""

    def __init__(self) -> None:
        super().__init__()
        self.cell_name, self.body_offset = "", 0

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        """The name in tracebacks."""
        return self.cell_name or str(super().get_code_name(raw_code, transformed_code, number))

    def cache(self, transformed_code: str, number: int = 0, raw_code: str | None = None) -> object:
        """Store the lines that tracebacks show."""
        return super().cache(raw_code or transformed_code, number, raw_code)

    def __call__(self, source: ast.AST | str, filename: str, symbol: str, *args: object) -> object:
        """Compile a statement; that of a ``%%time`` cell is named after the cell."""
        if filename.startswith("<timed ") and self.body_offset and isinstance(source, ast.AST):
            filename = self.cell_name
            source = ast.increment_lineno(source, self.body_offset)
        return super().__call__(source, filename, symbol, *args)


class PlainDisplayHook(DisplayHook):
    """Prints the values of cells without ``Out[1]:``."""

    prompt_end_newline = True

    def write_output_prompt(self) -> None:
        """No prompt."""


class PlainDisplayPublisher(DisplayPublisher):
    """Prints what is displayed; nothing that was printed is cleared."""

    def clear_output(self, wait: bool = False) -> None:
        """Keep the output."""


class Exit(ExitAutocall):
    """``exit`` and ``quit``: end the notebook, successfully unless a code is given."""

    def __call__(self, code: object = 0) -> None:
        """End the notebook."""
        raise SystemExit(code)


class NotebookShell(InteractiveShell):
    """Runs the cells of a notebook."""

    notes: Notes
    run_notebook: Callable[[str], None]
    _loop: asyncio.AbstractEventLoop
    _body_offset = 0

    @classmethod
    def start(cls, notes: Notes) -> NotebookShell:
        """Make the process's shell, whose namespace is the module ``__main__``."""
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.warn_venv = False  # the first note names the Python
        os.environ.setdefault("MPLBACKEND", "agg")  # draw plots without opening windows
        warnings.filterwarnings("ignore", "IPython (parent|dir) .* is not a writable location")
        shell = cls.instance(
            config=config,
            colors="nocolor",
            compiler_class=CellCompiler,
            displayhook_class=PlainDisplayHook,
            display_pub_class=PlainDisplayPublisher,
        )
        assert isinstance(shell, cls)
        shell.notes, shell.errors, shell._loop = notes, list[BaseException](), _new_loop()
        shell.loop_runner = shell._run_until_complete
        shell.exiter = shell.user_ns["exit"] = shell.user_ns["quit"] = Exit(shell)
        shell.user_ns_hidden.update(exit=shell.exiter, quit=shell.exiter)
        shell.input_transformers_cleanup.remove(leading_empty_lines)
        shell.input_transformers_cleanup.append(syntax.prepare)
        warnings.filterwarnings("ignore", "To exit: use")
        old_ipython.restore()
        shell.set_hook("show_in_pager", page.as_hook(page.display_page), 90)
        return shell

    def run_source(self, source: str, name: str) -> None:
        """Run the cell ``source``; raises what it raises. Tracebacks show it as ``name``."""
        outer_name, self.compile.cell_name = self.compile.cell_name, name
        if self._loop.is_closed():
            self._loop = _new_loop()
        asyncio.set_event_loop(self._loop)
        self.errors.clear()
        magic = syntax.cell_magic(source.split("\n"))
        self._body_offset = magic.line + 1 if magic else 0
        try:
            result = self.run_cell(source, store_history=not outer_name)
        finally:
            self.compile.cell_name = outer_name
        error = result.error_before_exec or result.error_in_exec
        if error is None and self.errors:
            error = self.errors[0]
        if error is not None:
            raise error

    def should_run_async(self, raw_cell: str, **details: object) -> bool:
        """Whether an event loop is to run while the cell does."""
        needed = super().should_run_async(raw_cell, **details)
        return bool(needed) or _NEEDS_LOOP.search(raw_cell) is not None

    def _run_until_complete(self, coroutine: Coroutine[object, object, object]) -> object:
        return self._loop.run_until_complete(coroutine)

    def showtraceback(self, *args: object, **options: object) -> None:
        """Keep the error for the caller: magics such as ``%run`` show errors and go on."""
        error = sys.exc_info()[1]
        if error is not None and "IPython" in sys._getframe(1).f_globals.get("__name__", ""):
            self.errors.append(error)
        elif error is not None:  # a cell that shows what it caught
            traceback.print_exception(error)

    def showsyntaxerror(self, *args: object, **options: object) -> None:
        """Leave the error to the caller."""
        self.errors += [error for error in [sys.exc_info()[1]] if error is not None]

    def enable_gui(self, gui: str | None = None) -> None:
        """There are no windows."""

    def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> object:
        """Do ``%magic_name line``, or say why not."""
        if not magic_name and line.strip():  # "% matplotlib inline"
            magic_name, _, line = line.strip().partition(" ")
        text = f"%{magic_name} {line}".strip()
        if magic_name.lstrip("%") in syntax.PYTHON_MAGICS and magic_name[0] == "%":
            self.notes.skipped(text, "it is not in the first line of its cell")
            return None
        if magic_name in _INSTALLERS:
            self._system(f"{magic_name} {line}", text)
            return None
        reason = self._why_skipped(magic_name, line)
        if reason is not None:
            self.notes.skipped(text, reason)
            return None
        if magic_name in ("matplotlib", "pylab"):
            line = self._inline(line, text)
        if magic_name in ("cd", "run"):
            line = self.notes.with_slashes(line, text)
        if magic_name == "store":
            self.extension_manager.load_extension("storemagic")
        if magic_name == "run" and self._runs_notebook(self.var_expand(line, _stack_depth)):
            return None
        try:
            return super().run_line_magic(magic_name, line, _stack_depth=_stack_depth + 1)
        except UsageError as error:
            if magic_name in _NEEDED or magic_name.lstrip("%") not in ("", magic_name):
                raise  # what follows relies on it
            self.notes.skipped(text, str(error).strip().splitlines()[0])
        except ImportError as error:
            if magic_name in _RUN_CODE:
                raise
            self.notes.skipped(text, str(error))
        return None

    def _runs_notebook(self, line: str) -> bool:
        """Whether ``%run line`` names a notebook, which is then run."""
        notebook = cells.notebook_of(shlex.split(line))
        if notebook:
            self.run_notebook(notebook)
        return bool(notebook)

    def _why_skipped(self, name: str, line: str) -> str | None:
        """Why a line magic cannot be done here."""
        word = line.split(maxsplit=1)[0] if line.split() else ""
        if name in _SKIPPED:
            return _SKIPPED[name]
        if name in ("matplotlib", "pylab") and not _is_installed("matplotlib"):
            return f"matplotlib is not installed in {sys.executable}"
        if name in ("load_ext", "reload_ext") and word not in ("autoreload", "storemagic"):
            package = word.split(".")[0]
            return None if _is_installed(package) else f"{package} is not installed"
        return None

    def _inline(self, line: str, text: str) -> str:
        """The arguments of ``%matplotlib`` with the backend ``inline``: there are no windows."""
        words = line.split()
        options = [word for word in words if word.startswith("-")]
        backends = [word for word in words if word not in options]
        if {"-l", "--list"} & set(options) or backends in (["inline"], ["agg"]):
            return line
        self.notes.say(f"{self.notes.name}: {text} draws inline")
        return " ".join(["inline", *options])

    def magic(self, arg_s: str) -> object:
        """Do ``%arg_s``, as old notebooks ask for."""
        name, _, line = arg_s.lstrip().lstrip("%").partition(" ")
        return self.run_line_magic(name, line, _stack_depth=2)

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> object:
        """Do the cell ``%%magic_name line``, or say why not."""
        text = f"%%{magic_name} {line}".rstrip()
        if magic_name in ("writefile", "file"):
            line = self.notes.with_slashes(line, text)
        if magic_name in _SHELL_MAGICS:
            cell, skipped = commands.without_skipped(cell)
            for skipped_line in skipped:
                self.notes.skips(skipped_line, skipped_line)
        if self.find_cell_magic(magic_name) is None or not cell.strip():
            if magic_name not in ("writefile", "file"):
                self.notes.skipped(text, "empty" if not cell.strip() else "no such magic here")
                return None
            cell = cell or "\n"
        self.compile.body_offset = self._body_offset
        try:
            return super().run_cell_magic(magic_name, line, cell)
        except CalledProcessError as error:
            is_interrupted = isinstance(error.__context__, KeyboardInterrupt)
            if is_interrupted or error.returncode == -signal.SIGINT:
                raise KeyboardInterrupt from None
            self.notes.exited(text, error.returncode)
            raise
        finally:
            self.compile.body_offset = 0

    def system(self, cmd: str) -> None:
        """Do ``!cmd``."""
        self._system(self.var_expand(cmd, depth=1), f"!{cmd}")

    def _system(self, command: str, text: str) -> None:
        code = 0 if self.notes.skips(command, text) else commands.run(command)
        self.user_ns["_exit_code"] = code
        self.notes.exited(text, code)

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> object:
        """Return the output lines of ``!cmd``."""
        command = self.var_expand(cmd, depth=depth + 1)
        if self.notes.skips(command, f"!{cmd}"):
            return SList([])
        lines, code = commands.output(command)
        self.user_ns["_exit_code"] = code
        self.notes.exited(f"!{cmd}", code)
        return SList(lines) if split else "\n".join(lines)


def _new_loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False

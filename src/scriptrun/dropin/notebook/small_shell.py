"""Runs cells where IPython is not installed: their Python, their commands and the usual magics.

It also answers ``get_ipython()`` in scripts that ``jupyter nbconvert --to script`` made of
notebooks.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import itertools
import linecache
import os
import re
import runpy
import shlex
import sys
import time
from types import CodeType

from scriptrun.dropin.notebook import cells as notebook_cells
from scriptrun.dropin.notebook import commands, script_cells, syntax
from scriptrun.dropin.notebook.notes import Notes
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    #: the variables of a notebook
    Namespace = dict[str, object]
else:
    asyncio = later("asyncio")

_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_TIMING = ("time", "timeit", "prun")
_VARIABLE = re.compile(r"\$(?P<plain>[A-Za-z_]\w*)|\$?\{(?P<inner>[^{}\n]+)\}")


class Captured:
    """What a ``%%capture`` cell printed."""

    def __init__(self, stdout: str, stderr: str) -> None:
        self.stdout, self.stderr = stdout, stderr

    def show(self) -> None:
        """Print it."""
        print(self.stdout, end="")
        print(self.stderr, end="", file=sys.stderr)

    __call__ = show

    def __str__(self) -> str:
        return self.stdout


class OutputLines(list[str]):
    """The lines of ``x = !command``; ``n`` and ``s`` join them."""

    @property
    def n(self) -> str:
        """The lines, joined by line ends."""
        return "\n".join(self)

    @property
    def s(self) -> str:
        """The lines, joined by blanks."""
        return " ".join(self)

    def grep(self, pattern: str, prune: bool = False) -> OutputLines:
        """The lines that hold ``pattern``; with ``prune``, those that do not."""
        found = re.compile(pattern, re.IGNORECASE).search
        return OutputLines([line for line in self if bool(found(line)) is not prune])

    def fields(self, *numbers: int) -> list[str] | list[list[str]]:
        """The words of each line, or those with these numbers."""
        words = [line.split() for line in self]
        if not numbers:
            return words
        return [
            " ".join(line[number] for number in numbers if -len(line) <= number < len(line))
            for line in words
        ]


class SmallShell:
    """Runs cells and IPython's lines in the namespace ``user_ns``."""

    def __init__(self, namespace: Namespace, notes: Notes) -> None:
        self.user_ns, self.notes = namespace, notes
        self.run_notebook: Callable[[str], None] = self._run_cells
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last_folder = os.curdir
        self.inputs, self.outputs = [""], dict[int, object]()

    def run_cell(self, source: str, name: str = "<cell>") -> None:
        """Execute the cell ``source``; tracebacks show it as ``name``."""
        self.inputs.append(source)
        self._show(self._run(_with_percent(source, self.user_ns), name))

    def _run(self, source: str, name: str) -> object:
        """Execute a cell, and return the value of its last line if that is to be shown."""
        code = syntax.to_calls(source)
        linecache.cache[name] = (len(source), None, f"{source}\n".splitlines(True), name)
        body = compile(code, name, "exec", ast.PyCF_ONLY_AST)
        assert isinstance(body, ast.Module)
        shown = body.body[-1] if body.body and not code.rstrip().endswith(";") else None
        if isinstance(shown, ast.Expr):
            body.body.pop()
        if self._loop is not None:
            asyncio.set_event_loop(self._loop)
        self._execute(compile(body, name, "exec", _AWAIT))
        if not isinstance(shown, ast.Expr):
            return None
        return self._execute(compile(ast.Expression(shown.value), name, "eval", _AWAIT))

    def _time(self, source: str, name: str) -> object:
        begin = time.perf_counter()
        try:
            return self._run(source, name)
        finally:
            print(f"Wall time: {time.perf_counter() - begin:.3g} s")

    def _execute(self, code: CodeType) -> object:
        """Run ``code``, which may use top-level await, and return the value of an expression."""
        value = eval(code, self.user_ns)
        if not code.co_flags & inspect.CO_COROUTINE:
            return value
        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        return self._loop.run_until_complete(value)

    def _show(self, value: object) -> None:
        if value is not None:
            self.user_ns["_"] = self.outputs[len(self.inputs) - 1] = value
            print(repr(value))

    def run_line_magic(self, magic_name: str, line: str, *args: object) -> object:
        """Do ``%magic_name line``."""
        variables = {**self.user_ns, **sys._getframe(1).f_locals}
        text = f"%{magic_name} {line}".rstrip()
        if not magic_name and line:
            magic_name, _, line = line.strip().partition(" ")
        return self._line_magic(magic_name, fill_in(line.strip(), variables), text)

    def magic(self, arg_s: str) -> object:
        """Do ``%arg_s``."""
        name, _, line = arg_s.lstrip("%").partition(" ")
        return self._line_magic(name, fill_in(line.strip(), self.user_ns), f"%{name} {line}")

    def _line_magic(self, name: str, line: str, text: str) -> object:
        if name[:1] == "%" and name[1:] not in syntax.PYTHON_MAGICS:
            raise UserErrorException(f"{text} must be the first line of its cell.")
        if name in ("pip", "conda", "mamba", "uv"):
            self._system(f"{name} {line}", text)
        elif name in ("env", "set_env"):
            return _environment(line)
        elif name == "cd":
            self._change_folder(self.notes.with_slashes(line, text).split())
        elif name == "pwd":
            return os.getcwd()
        elif name in ("ls", "cat", "mkdir", "rm", "rmdir", "cp", "mv"):
            self._system(f"{name} {line}", text)
        elif name in ("sx", "system"):
            return self._output(line, text)
        elif name in _TIMING and " -o " not in text and (code := syntax.timed_code(text)):
            return self._time(code, f"<{text}>")
        elif name == "run" and line:
            self._run_file(shlex.split(self.notes.with_slashes(line, text)))
        elif name == "matplotlib":
            os.environ.setdefault("MPLBACKEND", "agg")  # draw plots without opening windows
        else:
            self.notes.skipped(text, "it needs IPython")
        return None

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> object:
        """Do the cell ``%%magic_name line`` with the text ``cell``."""
        caller = sys._getframe(1)
        variables = {**self.user_ns, **caller.f_locals}
        text = f"%%{magic_name} {line}".rstrip()
        name = caller.f_code.co_filename
        if os.path.exists(name):  # a script, whose own lines tracebacks show
            name = f"{name}, %%{magic_name}"
        if magic_name in ("writefile", "file"):
            line = self.notes.with_slashes(line, text)
            _write_file(fill_in(line, variables).split(), cell)
        elif magic_name in ("script", *script_cells.PROGRAMS):
            words = shlex.split(fill_in(line, variables))
            program = [] if magic_name == "script" else [magic_name]
            script_cells.run(text, [*program, *words], cell, self.notes, self.user_ns)
        elif magic_name in ("sx", "system", "!"):
            return self._output(fill_in(cell, variables), text)
        elif magic_name == "capture":
            self._capture(line.split(), f"\n{cell}", name)
        elif magic_name in _TIMING:
            return self._time(f"\n{cell}", name)
        else:
            self.notes.skipped(text, "it needs IPython")
        return None

    def system(self, cmd: str) -> None:
        """Do ``!cmd``."""
        variables = {**self.user_ns, **sys._getframe(1).f_locals}
        self._system(fill_in(cmd, variables), f"!{cmd}")

    def getoutput(self, cmd: str) -> OutputLines:
        """Return the output lines of ``!cmd``."""
        return self._output(fill_in(cmd, {**self.user_ns, **sys._getframe(1).f_locals}), f"!{cmd}")

    def _output(self, command: str, text: str) -> OutputLines:
        if self.notes.skips(command, text):
            return OutputLines()
        lines, code = commands.output(command)
        self.user_ns["_exit_code"] = code
        self.notes.exited(text, code)
        return OutputLines(lines)

    def show_usage(self) -> None:
        """Do ``?``."""
        self.notes.skipped("?", "it needs IPython")

    def _system(self, command: str, text: str) -> None:
        code = 0 if self.notes.skips(command, text) else commands.run(command)
        self.user_ns["_exit_code"] = code
        self.notes.exited(text, code)

    def _capture(self, words: list[str], cell: str, name: str) -> None:
        stdout, stderr = io.StringIO(), io.StringIO()
        with contextlib.ExitStack() as stack:
            if "--no-stdout" not in words:
                stack.enter_context(contextlib.redirect_stdout(stdout))
            if "--no-stderr" not in words:
                stack.enter_context(contextlib.redirect_stderr(stderr))
            value = self._run(cell, name)
            if "--no-display" not in words:
                self._show(value)
        for word in words:
            if not word.startswith("-"):
                self.user_ns[word] = Captured(stdout.getvalue(), stderr.getvalue())

    def _change_folder(self, words: list[str]) -> None:
        """Do ``%cd [-q] [FOLDER]``; ``-`` is the folder before."""
        folder = " ".join(word for word in words if word != "-q").strip("'\"")
        last, current = self._last_folder, os.getcwd()
        os.chdir(last if folder == "-" else os.path.expanduser(folder or "~"))
        self._last_folder = current
        if "-q" not in words:
            print(os.getcwd())

    def _run_file(self, words: list[str]) -> None:
        """Do ``%run FILE ARGS``: a notebook's cells here, a script in its own namespace."""
        notebook = notebook_cells.notebook_of(words)
        if notebook:
            self.run_notebook(notebook)
            return
        options = list(itertools.takewhile(lambda word: word.startswith("-"), words))
        name, *arguments = words[len(options) :]
        variables = self.user_ns if "-i" in options else None
        own_name = os.path.splitext(os.path.basename(name))[0] if "-n" in options else "__main__"
        path = next((p for p in (name, f"{name}.py") if os.path.isfile(p)), name)
        saved_argv = sys.argv[:]
        sys.argv[:] = [path, *arguments]
        try:
            if "-m" in options:
                result = runpy.run_module(name, variables, own_name, alter_sys=True)
            else:
                result = runpy.run_path(path, variables, own_name)
        finally:
            sys.argv[:] = saved_argv
        self.user_ns.update(
            {key: value for key, value in result.items() if not key.startswith("__")}
        )

    def _run_cells(self, path: str) -> None:
        for cell in notebook_cells.cells(path):
            self.run_cell(cell.source, f"{path}, cell {cell.number}")


def fill_in(text: str, variables: Namespace) -> str:
    """Fill in ``$name`` and ``{expression}`` as IPython does; ``$$`` is a dollar sign."""
    return "$".join(
        _VARIABLE.sub(lambda match: _evaluate(match, variables), part) for part in text.split("$$")
    )


def get_ipython() -> SmallShell:
    """Return the shell of the calling script."""
    caller = sys._getframe(1)
    return SmallShell(caller.f_globals, Notes(os.path.basename(caller.f_code.co_filename)))


def _with_percent(source: str, namespace: Namespace) -> str:
    """The cell; a magic that is all of it gets the ``%`` that it may lack."""
    line = source.strip()
    if "\n" in line or not syntax.is_automagic(line) or line.split()[0] in namespace:
        return source
    return source.replace(line, f"%{line}")


def _evaluate(match: re.Match[str], variables: Namespace) -> str:
    try:
        return str(eval(match["plain"] or match["inner"], dict(variables)))
    except Exception:  # leave it to the shell, as $HOME or ${x%.*}
        return match[0]


def _environment(line: str) -> object:
    """Do ``%env``: all variables, one variable, or set one."""
    if not line:
        return dict(os.environ)
    key, _, value = line.replace("=", " ", 1).partition(" ")
    if not value.strip() and "=" not in line:
        if key not in os.environ:
            raise UserErrorException(
                f"Environment variable {key!r} is not set.", "Set it with %env NAME=VALUE."
            )
        return os.environ[key]
    os.environ[key] = value.strip()
    print(f"env: {key}={value.strip()}")
    return None


def _write_file(words: list[str], text: str) -> None:
    """Do ``%%writefile [-a] FILE``."""
    append = "-a" in words or "--append" in words
    target = " ".join(word for word in words if word not in ("-a", "--append")).strip("'\"")
    path = os.path.expanduser(target)
    exists = os.path.exists(path)
    with open(path, "a" if append else "w", encoding="utf-8") as handle:
        handle.write(text)
    print(f"{'Appending to' if append else 'Overwriting' if exists else 'Writing'} {path}")

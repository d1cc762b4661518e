"""Runs old code in another Python than scriptrun's own, which need not have scriptrun.

Which one: that of ``--python``; else, for a notebook, that of the kernel it names, that of the
active virtual environment, or of ``.venv`` next to it. Packages are that Python's own; scriptrun
and its dependencies come from here (``in_children/scriptrun_tool.py``).
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn

from scriptrun.dropin import child_processes, one_time_notes
from scriptrun.dropin.notebook import cells, kernel, kernel_specs
from scriptrun.dropin.notebook.runner import OLDEST_IPYTHON
from scriptrun.environments.interpreter import discovery
from scriptrun.spec import tool_python
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.values import Value

#: the oldest Python that runs scriptrun
OLDEST = (3, 11)
_CHOOSE = "Choose a Python with --python, e.g. --python 3.12 or --python .venv"
_PROBE = """
import json, sys
try:
    from importlib.metadata import version
    ipython = version("ipython")
except Exception:
    ipython = ""
print(json.dumps([sys.version_info[:3], sys.prefix, ipython]))
"""
_START = (
    "import sys; sys.path.append(sys.argv.pop(1)); import scriptrun_tool; sys.path.pop(); "
    "from scriptrun.cli import main; sys.exit(main(sys.argv[1:]))"
)


class Interpreter(Value):
    """A Python that can be started: its version, prefix and IPython ("" if it has none)."""

    python: str
    version: tuple[int, ...]
    prefix: str
    ipython: str
    variables: dict[str, str] = {}

    @property
    def is_own(self) -> bool:
        """Whether it is the Python of this process, or one of the same environment."""
        return os.path.realpath(self.prefix) == os.path.realpath(sys.prefix)

    @property
    def why_not(self) -> str:
        """Why the code cannot run in it, as the end of a sentence; "" if it can."""
        if self.version[:2] >= OLDEST:
            return ""
        found = ".".join(map(str, self.version))
        return f"is Python {found}; scriptrun requires Python {OLDEST[0]}.{OLDEST[1]} or newer"

    @property
    def has_ipython(self) -> bool:
        """Whether its IPython can run cells."""
        number = re.match(r"\d+", self.ipython)
        return number is not None and int(number[0]) >= OLDEST_IPYTHON


def is_running() -> bool:
    """Whether this process is one that ``start`` began."""
    return tool_python.READER in sys.modules


def requested(text: str) -> Interpreter:
    """The Python that ``--python`` names: a path, an environment, a command or a version.

    Raises UserErrorException if it is missing, cannot be started or is too old.
    """
    interpreter = probe(_path_of(text))
    if interpreter.why_not:
        raise UserErrorException(
            f"{interpreter.python} {interpreter.why_not}.",
            _CHOOSE.replace("a Python", "a newer Python") + ".",
        )
    return interpreter


def of_notebook(path: str, prefixes: Sequence[str]) -> Interpreter | None:
    """The Python for the notebook ``path``; None if it is scriptrun's own.

    ``prefixes`` are the user's environments, by preference. Raises UserErrorException if the kernel
    that the notebook names cannot run it. A kernel that is not installed here is a note.
    """
    title, name = os.path.basename(path), cells.kernel_name(path)
    if name == kernel.NAME:
        return None
    if name and name != kernel_specs.NATIVE:
        spec = kernel_specs.find(name, prefixes)
        if spec is not None and not spec.language.lower().startswith(("python", "ipython")):
            raise UserErrorException(
                f"{path!r} cannot be run: its kernel {name!r} is for {spec.language}, "
                "and only Python is run.",
                "Run it in Jupyter.",
            )
        if spec is not None and spec.python:
            return _of_kernel(title, name, spec)
        why = "is not installed here" if spec is None else f"starts {spec.program}, not a Python"
        own = _of_environment(title, prefixes)
        python = own.python if own else sys.executable
        one_time_notes.say(f"{title}: kernel {name!r} {why}; using {python}. {_CHOOSE}")
        return own
    return _of_environment(title, prefixes)


def _of_kernel(title: str, name: str, spec: kernel_specs.KernelSpec) -> Interpreter | None:
    try:
        interpreter = probe(spec.python)
        problem = interpreter.why_not and f"{spec.python}, which {interpreter.why_not}"
    except UserErrorException:
        problem = f"{spec.python}, which cannot be started"
    if problem:
        raise UserErrorException(
            f"Kernel {name!r} of {title!r} uses {problem}.",
            f"{_CHOOSE} (scriptrun's own: {sys.executable}).",
        )
    return interpreter.replace(variables=spec.variables)


def _of_environment(title: str, prefixes: Sequence[str]) -> Interpreter | None:
    """The Python of the first environment, if it can run cells as IPython does."""
    python = next(filter(None, map(kernel_specs.python_in, prefixes)), "")
    if not python or os.path.dirname(python) == os.path.dirname(sys.executable):
        return None
    try:
        interpreter = probe(python)
    except UserErrorException:
        problem = "cannot be started"
    else:
        problem = interpreter.why_not
        if not problem and not interpreter.is_own and not interpreter.has_ipython:
            problem = "has no IPython" if not interpreter.ipython else "has an old IPython"
        if not problem:
            return interpreter
    one_time_notes.say(f"{title}: not using {python}, which {problem}")
    return None


def probe(python: str) -> Interpreter:
    """Start ``python`` to ask for its facts. Raises UserErrorException if it does not answer."""
    python = os.path.abspath(python)
    try:
        done = subprocess.run(
            [python, "-c", _PROBE], capture_output=True, text=True, stdin=subprocess.DEVNULL,
            cwd=os.path.dirname(python),
        )  # fmt: skip
        version, prefix, ipython = json.loads(done.stdout.splitlines()[-1])
        return Interpreter(python=python, version=tuple(version), prefix=prefix, ipython=ipython)
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, IndexError, TypeError):
        reason = (done.stderr.strip().splitlines() or ["it is not a Python"])[-1]
    raise UserErrorException(f"Cannot start {python}: {reason}.", f"{_CHOOSE}.")


def _path_of(text: str) -> str:
    if os.path.isdir(text):
        found = kernel_specs.python_in(text)
        problem = f"Directory {text!r} is not a virtual environment: it has no bin/python."
    elif os.sep in text or os.path.exists(text):
        found = text if os.path.exists(text) else ""
        problem = f"Python {text!r} does not exist."
    elif discovery.is_version(text):
        problem = discovery.missing(text)
        found = "" if problem else discovery.choose(text)[0].path
        problem = f"Python {text} is not installed."
    else:
        found = shutil.which(text) or ""
        problem = f"Python {text!r} was not found on PATH."
    if not found:
        raise UserErrorException(problem, f"{_CHOOSE}.")
    return found


def start(interpreter: Interpreter, words: Sequence[str]) -> NoReturn:
    """Replace this process by ``scriptrun exec WORDS`` in ``interpreter``."""
    sys.stdout.flush()
    sys.stderr.flush()
    tool = os.pathsep.join([sys.executable, *_folders()])
    environ = {**os.environ, **interpreter.variables, tool_python.VARIABLE: tool}
    program = [interpreter.python, "-P", "-c", _START, child_processes.FOLDER]
    os.execve(interpreter.python, [*program, "exec", *words], environ)


def _folders() -> list[str]:
    """The folders that have scriptrun and the packages that it needs."""
    modules = map(importlib.import_module, ("scriptrun", "yaml"))
    paths = [os.path.dirname(os.path.dirname(str(module.__file__))) for module in modules]
    return list(dict.fromkeys(map(os.path.abspath, paths)))

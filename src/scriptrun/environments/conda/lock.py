"""Lock a conda request: each package with build, URL and digests, then the pip packages."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from scriptrun.environments.builder import Lockfile, Log, Stop, platform_tag
from scriptrun.environments.conda import as_of as conda_as_of
from scriptrun.environments.conda import channels as conda_channels
from scriptrun.environments.conda import client as conda_client
from scriptrun.environments.conda import pip as conda_pip
from scriptrun.environments.conda import platforms as conda_platforms
from scriptrun.environments.conda import pypi_names
from scriptrun.environments.conda import relax_pins as conda_relax_pins
from scriptrun.environments.conda import request as conda_request
from scriptrun.environments.conda.as_of import DatedSolution
from scriptrun.environments.conda.client import Ask
from scriptrun.environments.conda.errors import Unsolvable
from scriptrun.environments.conda.relax_pins import Changes
from scriptrun.environments.conda.request import CondaRequest
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.environments.locks import FORMAT
from scriptrun.environments.uv import relax_pins as uv_relax_pins
from scriptrun.spec.environment import CONDA, EXACT, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: fields of a package record that do not affect the build
_VOLATILE_FIELDS = ("indexed_timestamp", "timestamp", "legacy_bz2_md5", "legacy_bz2_size")


def resolve(spec: EnvironmentSpec, log: Log, stop: Stop, glibc: str = "") -> Lockfile:
    """The lockfile of ``spec`` for this platform. Raises EnvironmentException with the reason.

    ``glibc`` is the C library's version where the packages will run ("": this machine's).
    """
    problems = conda_request.problems(spec)
    if problems:
        raise EnvironmentException("\n".join(problems))
    if spec.locked:
        return _lockfile_from_request(spec)
    request = conda_request.from_spec(spec)
    log(f"Solving conda packages from {', '.join(map(conda_channels.redact, request.channels))}.")
    with conda_client.asking(log, stop) as ask:
        may_relax = spec.pins != EXACT
        answer, notes, changes = _solve_request(ask, request, glibc, log, may_relax=may_relax)
        dated = DatedSolution(answer)
        if spec.as_of and may_relax:
            dated = _solve_as_of(ask, request, glibc, answer, spec.as_of)
    answer = dated.answer
    for note in dated.notes:
        log(note)
    notes = [*notes, *dated.notes]
    records = answer["records"]
    python = _python_version(records)
    packages = sorted(
        (_lockfile_record(record) for record in records), key=lambda package: str(package["name"])
    )
    requirements, as_of = "", dated.as_of
    if spec.pip or spec.brought:
        pip_spec = spec.replace(as_of=dated.release or spec.as_of)
        locked, pip_changes = conda_pip.lock_requirements(pip_spec, python, packages, log, stop)
        changes = {**changes, **pip_changes}
        requirements, as_of = locked.text, locked.as_of or as_of
        notes = [*notes, *locked.notes]
    if changes:
        notes = [*notes, f"pins relaxed: {uv_relax_pins.describe_changes(changes)}"]
        log(notes[-1])
    requested = [*filter(None, [request.python]), *request.specs, *spec.pip, *spec.brought]
    notes = [_install_note(request), *notes]
    lockfile = _make_lockfile(spec, packages, requirements, requested, notes, answer["tool"])
    return {
        **lockfile,
        **({"as_of": as_of} if as_of else {}),
        **({"relaxed": {name: list(pair) for name, pair in changes.items()}} if changes else {}),
    }


def _lockfile_from_request(spec: EnvironmentSpec) -> Lockfile:
    """Convert the request's own lockfile. Raises EnvironmentException if it lacks this platform."""
    platform_packages = spec.locked.get(conda_platforms.subdir())
    if platform_packages is None:
        raise EnvironmentException(
            f"The environment is locked for {', '.join(spec.locked)}, but this machine is "
            f"{conda_platforms.subdir()}.",
            "Lock it for this platform too: pixi workspace platform add "
            f"{conda_platforms.subdir()}",
        )
    packages = sorted(
        map(_lockfile_record, platform_packages["conda"]), key=lambda package: str(package["name"])
    )
    if not _python_version(packages):
        raise EnvironmentException(
            "The environment's lockfile has no Python, which jobs require.",
            "Add python to the project's conda packages and lock it again.",
        )
    lines = (line.replace(" --hash", " \\\n    --hash") for line in platform_packages["pip"])
    text = "".join(f"{line}\n" for line in lines)
    names = [f"{record['name']}={record['version']}={record['build']}" for record in packages]
    note = "py-rattler installs the conda packages exactly as in the project's lockfile."
    return _make_lockfile(
        spec, packages, text, [*names, *platform_packages["pip"]], [note], "pixi.lock"
    )


def _make_lockfile(
    spec: EnvironmentSpec,
    packages: list[Json],
    requirements: str,
    requested: list[str],
    notes: list[str],
    tool: str,
) -> Lockfile:
    return {
        "format": FORMAT,
        "kind": CONDA,
        "platform": platform_tag(),
        "python": _python_version(packages),
        "conda": packages,
        "requirements": requirements,
        **({"local": spec.local} if spec.local else {}),
        "requested": requested,
        "notes": notes,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "tool": tool,
    }


def _solve_as_of(
    ask: Ask, request: CondaRequest, glibc: str, undated: Json, other: str
) -> DatedSolution:
    """Solve the request again as of its newest pin's release, or of the ``other`` pin's."""
    options = _options(request, glibc)

    def solve(specs: Sequence[str], newest: str) -> Json:
        try:
            return ask("solve", specs=specs, strict=True, newest=newest, **options)
        except Unsolvable:
            return ask("solve", specs=specs, strict=False, newest=newest, **options)

    specs = [*request.specs, request.python or "python"]
    return conda_as_of.resolve(specs, undated, solve, other)


def _options(request: CondaRequest, glibc: str) -> Json:
    """What all solutions of ``request`` have in common."""
    channels = map(conda_channels.fill_variables, request.channels)
    return {
        "channels": [conda_channels.without_login(channel) for channel in channels],
        "logins": conda_channels.logins(request.channels),
        "glibc": glibc,
    }


def _solve_request(
    ask: Ask, request: CondaRequest, glibc: str, log: Log, *, may_relax: bool
) -> tuple[Json, list[str], Changes]:
    """rattler's answer, notes about how it was solved, and the pins that changed."""
    running_python = ".".join(map(str, interpreter_discovery.running_minor()))
    options = _options(request, glibc)
    try:
        return *_solve_exactly(ask, request, running_python, options, log), {}
    except Unsolvable:
        if not may_relax:
            raise
    python = request.python or "python"

    def solve(specs: Sequence[str], lowest: bool) -> list[Json]:
        all_specs = [*specs, *_missing_python(specs)]
        answer = ask("solve", specs=all_specs, strict=False, lowest=lowest, **options)
        records: list[Json] = answer["records"]
        return records

    specs, changes = conda_relax_pins.relax([*request.specs, python], solve)
    return ask("solve", specs=specs, strict=False, **options), [], changes


def _missing_python(specs: Sequence[str]) -> list[str]:
    return [] if any(pypi_names.name_of(spec) == "python" for spec in specs) else ["python"]


def _solve_exactly(
    ask: Ask, request: CondaRequest, running_python: str, options: Json, log: Log
) -> tuple[Json, list[str]]:
    """Solve the request without relaxing any pin.

    Without a requested Python, the minor version that runs scriptrun is tried first. Channel
    priority is strict (the first channel that has a package is the only one for it) unless that has
    no solution.
    """
    python_spec = request.python or f"python {running_python}.*"
    attempts = [(python_spec, True, "")]
    if not request.python:
        attempts.append(
            ("python", True, f"Python {running_python} is incompatible with the packages.")
        )
    if len(request.channels) > 1:
        note = (
            "Also using lower-priority channels, because strict channel priority has no solution."
        )
        attempts.append((request.python or "python", False, note))
    failure: Unsolvable | None = None
    for python, strict, note in attempts:
        try:
            answer = ask("solve", specs=[*request.specs, python], strict=strict, **options)
        except Unsolvable as error:
            failure = error
            continue
        if note:
            log(note)
        return answer, [note] if note else []
    assert failure is not None
    raise failure


def _python_version(records: list[Json]) -> str:
    return next((str(record["version"]) for record in records if record["name"] == "python"), "")


def _lockfile_record(record: Json) -> Json:
    """A package record as the lockfile stores it: without timestamps and passwords."""
    fields = {name: value for name, value in record.items() if name not in _VOLATILE_FIELDS}
    for name in ("url", "channel"):
        fields[name] = conda_channels.redact(fields[name])
    return fields


def _install_note(request: CondaRequest) -> str:
    channels = ", ".join(map(conda_channels.redact, request.channels))
    specs = ", ".join(request.specs) or "Python"
    return f"py-rattler installs conda packages from {channels}: {specs}."

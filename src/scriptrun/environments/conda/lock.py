"""Lock a conda request: each package with build, URL and digests, then the pip packages."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from scriptrun.environments.builder import Lock, Log, Stop, platform_tag
from scriptrun.environments.conda import channels as conda_channels
from scriptrun.environments.conda import client as conda_client
from scriptrun.environments.conda import platforms as conda_platforms
from scriptrun.environments.conda import pypi_names
from scriptrun.environments.conda import relax_pins as conda_relax_pins
from scriptrun.environments.conda import request as conda_request
from scriptrun.environments.conda.client import Ask
from scriptrun.environments.conda.errors import Unsolvable
from scriptrun.environments.conda.relax_pins import Changes
from scriptrun.environments.conda.request import Wishes
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.environments.locks import FORMAT
from scriptrun.environments.uv import relax_pins as uv_relax_pins
from scriptrun.spec.environment import CONDA, EXACT, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.environments.conda import pip as conda_pip
else:
    conda_pip = later("scriptrun.environments.conda.pip")

#: fields of a package record that do not affect the build
_UNKEPT = ("indexed_timestamp", "timestamp", "legacy_bz2_md5", "legacy_bz2_size")


def resolve(spec: EnvironmentSpec, log: Log, stop: Stop, glibc: str = "") -> Lock:
    """The lockfile of ``spec`` for this platform. Raises EnvironmentException with the reason.

    ``glibc`` is the C library's version where the packages will run ("": this machine's).
    """
    reasons = conda_request.troubles(spec)
    if reasons:
        raise EnvironmentException("\n".join(reasons))
    if spec.locked:
        return _given(spec)
    wishes = conda_request.of(spec)
    log(f"Solving conda packages from {', '.join(map(conda_channels.bare, wishes.channels))}.")
    with conda_client.asking(log, stop) as ask:
        may_relax = spec.pins != EXACT
        answer, notes, changes = _solved(ask, wishes, glibc, log, may_relax=may_relax)
    records = answer["records"]
    python = _python(records)
    kept = sorted((_kept(each) for each in records), key=lambda each: str(each["name"]))
    requirements = ""
    if spec.pip:
        requirements, more = conda_pip.locked(spec, python, kept, log, stop)
        changes = {**changes, **more}
    if changes:
        notes = [*notes, f"pins relaxed: {uv_relax_pins.sentence(changes)}"]
        log(notes[-1])
    requested = [*filter(None, [wishes.python]), *wishes.specs, *spec.pip]
    notes = [_said(wishes), *notes]
    lock = _lock(spec, kept, requirements, requested, notes, answer["tool"])
    return (
        {**lock, "relaxed": {name: list(pair) for name, pair in changes.items()}}
        if changes
        else lock
    )


def _given(spec: EnvironmentSpec) -> Lock:
    """Convert the request's own lockfile. Raises EnvironmentException if it lacks this platform."""
    here = spec.locked.get(conda_platforms.subdir())
    if here is None:
        raise EnvironmentException(
            f"The environment is locked for {', '.join(spec.locked)}, but this machine is "
            f"{conda_platforms.subdir()}.",
            "Lock it for this platform too: pixi workspace platform add "
            f"{conda_platforms.subdir()}",
        )
    kept = sorted(map(_kept, here["conda"]), key=lambda each: str(each["name"]))
    if not _python(kept):
        raise EnvironmentException(
            "The environment's lockfile has no Python, which jobs require.",
            "Add python to the project's conda packages and lock it again.",
        )
    lines = (line.replace(" --hash", " \\\n    --hash") for line in here["pip"])
    text = "".join(f"{line}\n" for line in lines)
    names = [f"{each['name']}={each['version']}={each['build']}" for each in kept]
    note = "py-rattler installs the conda packages exactly as in the project's lockfile."
    return _lock(spec, kept, text, [*names, *here["pip"]], [note], "pixi.lock")


def _lock(
    spec: EnvironmentSpec,
    kept: list[dict[str, Any]],
    requirements: str,
    requested: list[str],
    notes: list[str],
    tool: str,
) -> Lock:
    return {
        "format": FORMAT,
        "kind": CONDA,
        "platform": platform_tag(),
        "python": _python(kept),
        "conda": kept,
        "requirements": requirements,
        **({"local": spec.local} if spec.local else {}),
        "requested": requested,
        "notes": notes,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "tool": tool,
    }


def _solved(
    ask: Ask, wishes: Wishes, glibc: str, log: Log, *, may_relax: bool
) -> tuple[dict[str, Any], list[str], Changes]:
    """rattler's answer, notes about how it was solved, and the pins that changed."""
    own = ".".join(map(str, interpreter_discovery.interpreters_minor()))
    found = map(conda_channels.expanded, wishes.channels)
    more = {
        "channels": [conda_channels.without_login(each) for each in found],
        "logins": conda_channels.logins(wishes.channels),
        "glibc": glibc,
    }
    try:
        return *_exact(ask, wishes, own, more, log), {}
    except Unsolvable:
        if not may_relax:
            raise
    python = wishes.python or "python"

    def solve(specs: Sequence[str], lowest: bool) -> list[dict[str, Any]]:
        several = [*specs, *_any_python(specs)]
        answer = ask("solve", specs=several, strict=False, lowest=lowest, **more)
        records: list[dict[str, Any]] = answer["records"]
        return records

    specs, changes = conda_relax_pins.relaxed([*wishes.specs, python], solve)
    return ask("solve", specs=specs, strict=False, **more), [], changes


def _any_python(specs: Sequence[str]) -> list[str]:
    return [] if any(pypi_names.name_of(each) == "python" for each in specs) else ["python"]


def _exact(
    ask: Ask, wishes: Wishes, own: str, more: dict[str, Any], log: Log
) -> tuple[dict[str, Any], list[str]]:
    """Solve the request without relaxing any pin.

    Without a requested Python, the minor version that runs scriptrun is tried first. Channel
    priority is strict (the first channel that has a package is the only one for it) unless that has
    no solution.
    """
    first = wishes.python or f"python {own}.*"
    tries = [(first, True, "")]
    if not wishes.python:
        tries.append(("python", True, f"Python {own} is incompatible with the packages."))
    if len(wishes.channels) > 1:
        note = (
            "Also using lower-priority channels, because strict channel priority has no solution."
        )
        tries.append((wishes.python or "python", False, note))
    failure: Unsolvable | None = None
    for python, strict, note in tries:
        try:
            answer = ask("solve", specs=[*wishes.specs, python], strict=strict, **more)
        except Unsolvable as error:
            failure = error
            continue
        if note:
            log(note)
        return answer, [note] if note else []
    assert failure is not None
    raise failure


def _python(records: list[dict[str, Any]]) -> str:
    return next((str(each["version"]) for each in records if each["name"] == "python"), "")


def _kept(record: dict[str, Any]) -> dict[str, Any]:
    """A package record as the lockfile stores it: without timestamps and passwords."""
    kept = {name: value for name, value in record.items() if name not in _UNKEPT}
    for name in ("url", "channel"):
        kept[name] = conda_channels.bare(kept[name])
    return kept


def _said(wishes: Wishes) -> str:
    channels = ", ".join(map(conda_channels.bare, wishes.channels))
    named = ", ".join(wishes.specs) or "Python"
    return f"py-rattler installs conda packages from {channels}: {named}."

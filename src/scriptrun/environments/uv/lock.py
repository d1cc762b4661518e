"""Lock a request with ``uv pip compile``: every package with its version and hashes."""

from __future__ import annotations

import datetime
import re
import tempfile
from collections.abc import Iterable, Sequence

from scriptrun.environments.builder import Lock, Log, Stop, Stopped, platform_tag
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.environments.interpreter import download as interpreter_download
from scriptrun.environments.interpreter.discovery import Python
from scriptrun.environments.locks import FORMAT
from scriptrun.environments.uv import index_credentials, local_sources, lock_inputs
from scriptrun.environments.uv import relax_pins as uv_relax_pins
from scriptrun.environments.uv import requirements as uv_requirements
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.environments.uv.requirements import Request
from scriptrun.spec.environment import EXACT, PACKAGES, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException

#: the pins that changed, by name: the requested version and the locked one
Changes = dict[str, tuple[str, str]]

#: the Pythons to look for wheels of old releases for, the most common first
_VERSIONS = ("3.7", "3.6", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
_EXACT = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*===?\s*[\w.*+!-]+\s*$")


def resolve(spec: EnvironmentSpec, log: Log, stop: Stop) -> Lock:
    """The lockfile of ``spec`` for this platform.

    Without a requested Python version, it is that of the interpreter that runs scriptrun, or, if
    the packages are unavailable for it, another installed version that they are available for.
    """
    reasons = uv_requirements.troubles(spec)
    if reasons:
        raise EnvironmentException("\n".join(reasons))
    request = uv_requirements.of(spec)
    for note in request.notes:
        log(note)
    changes: Changes = {}
    try:
        python, remark, text = _exact(request, spec.pins == EXACT, log, stop)
    except Stopped:
        raise
    except EnvironmentException as failure:
        if spec.pins == EXACT or _is_no_matter_of_versions(failure):
            raise
        python, text, changes = _relaxed(request, log, stop)
        remark = f"pins relaxed: {uv_relax_pins.sentence(changes)}" if changes else ""
    if remark:
        log(remark)
    notes = [*request.notes, *filter(None, [remark])]
    return {
        **({"relaxed": {name: list(pair) for name, pair in changes.items()}} if changes else {}),
        "format": FORMAT,
        "kind": PACKAGES,
        "platform": platform_tag(),
        "implementation": "cpython",
        "python": python.version,
        "requirements": text,
        **({"local": spec.local} if spec.local else {}),
        "requested": list(request.lines),
        "notes": notes,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "tool": f"uv {uv_tool.version()}".strip(),
    }


def _exact(request: Request, built: bool, log: Log, stop: Stop) -> tuple[Python, str, str]:
    """Lock without relaxing pins; unless ``built`` is true, pinned packages must have a wheel."""
    if not request.python:
        return _any_python(request, built, log, stop)
    python, remark = interpreter_download.obtain(request.python, log, stop)
    flags = () if built else _wheels_of(_pins(request.lines))
    return python, remark, _compile(request, python, flags, log if built else _unheard, stop)


def _is_no_matter_of_versions(failure: EnvironmentException) -> bool:
    """Whether other versions would fail too: the index is unreachable, the disk is full, ..."""
    return isinstance(failure, uv_tool.UvFailure) and not failure.other_versions_may_do


def _relaxed(
    request: Request,
    log: Log,
    stop: Stop,
    more: tuple[str, ...] = (),
    candidates: Sequence[Python] = (),
) -> tuple[Python, str, Changes]:
    def compile(request: Request, python: Python, flags: tuple[str, ...]) -> str:
        if stop():
            raise Stopped("Locking the environment was canceled.")
        return _compile(request, python, (*more, *flags), _unheard, stop)

    found = uv_relax_pins.relaxed(request, compile, log, candidates)
    return found.python, found.text, found.changes


def _any_python(request: Request, built: bool, log: Log, stop: Stop) -> tuple[Python, str, str]:
    """Lock for the first installed Python that the packages are available for.

    The Python that runs scriptrun comes first. Packages pinned to one version must have a wheel,
    since an old release rarely builds on a newer Python. Only releases without any wheel may be
    built; if no Python satisfies that, all may be built (unless ``built`` is false).
    """
    own, _ = interpreter_discovery.choose(None)
    pins = _pins(request.lines)
    try:
        return own, "", _compile(request, own, _wheels_of(pins), log, stop)
    except uv_tool.UvFailure as failure:
        if not failure.another_python_may_do:
            raise
    log(
        f"The packages are unavailable for Python {own.version}; "
        "trying other installed versions."
    )
    others = interpreter_discovery.others()
    answer = _first(request, others, pins, stop)
    if answer is None:
        with_wheels = {
            name: pin for name, pin in pins.items() if _had_a_wheel(request, pin, own, stop)
        }
        if with_wheels != pins:
            answer = _first(request, [own, *others], with_wheels, stop)
    if answer is None:
        flags = () if built else _wheels_of(with_wheels)
        return own, "", _compile(request, own, flags, log, stop)
    python, text = answer
    if python == own:
        return own, "", text
    remark = f"Using Python {python.version}: the packages are unavailable for {own.version}."
    return python, remark, text


def _first(
    request: Request, candidates: list[Python], pins: dict[str, str], stop: Stop
) -> tuple[Python, str] | None:
    """The first of ``candidates`` that ``request`` can be locked for, and the locked text."""
    for python in candidates:
        try:
            return python, _compile(request, python, _wheels_of(pins), _unheard, stop)
        except uv_tool.UvFailure:
            continue
    return None


def _had_a_wheel(request: Request, pin: str, own: Python, stop: Stop) -> bool:
    """Whether the release that ``pin`` names has a wheel for any Python, installed or not."""
    alone = request.replace(python=None, lines=(pin,))
    name = _EXACT.match(pin)
    flags = ("--no-deps", *_wheels_of({name[1]: pin} if name else {}))
    return any(
        _can(alone, own, ("--python-version", version, *flags), stop) for version in _VERSIONS
    )


def _can(request: Request, python: Python, flags: tuple[str, ...], stop: Stop) -> bool:
    try:
        _compile(request, python, flags, _unheard, stop)
    except uv_tool.UvFailure:
        return False
    return True


def _pins(lines: Iterable[str]) -> dict[str, str]:
    """The requirements that are pinned to one version, by name."""
    found = ((_EXACT.match(line.partition(";")[0]), line) for line in lines)
    return {match[1]: line for match, line in found if match}


def _wheels_of(pins: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"--only-binary={name}" for name in pins)


def _unheard(line: str) -> None:
    """The log of attempts whose errors are of no use to the user."""


def compiled(request: Request, python: Python, flags: tuple[str, ...], log: Log, stop: Stop) -> str:
    """Lock ``request`` unchanged for ``python`` with uv's ``flags``; the locked text."""
    for note in request.notes:
        log(note)
    return _compile(request, python, flags, log, stop)


def for_one(
    request: Request, version: str, flags: tuple[str, ...], pins: str, log: Log, stop: Stop
) -> tuple[str, Changes]:
    """Lock ``request`` for a Python ``version``, which need not be installed, with uv's ``flags``.

    Returns the locked text and the pins that changed: none if ``pins`` is EXACT.
    """
    own, _ = interpreter_discovery.choose(None)
    flags = ("--python-version", version, *flags)
    if pins == EXACT:
        return compiled(request, own, flags, log, stop), {}
    wheels = _wheels_of(_pins(request.lines))
    try:
        return compiled(request, own, (*flags, *wheels), _unheard, stop), {}
    except uv_tool.UvFailure as failure:
        if _is_no_matter_of_versions(failure):
            raise
    major, minor, *patch = map(int, re.findall(r"\d+", version)[:3])
    there = Python(own.path, (major, minor), patch[0] if patch else None)
    _, text, changes = _relaxed(request, log, stop, flags, [there])
    return text, changes


def _compile(request: Request, python: Python, flags: tuple[str, ...], log: Log, stop: Stop) -> str:
    """The locked requirements as text, without comments and index addresses."""
    if not request.lines:
        return ""
    with tempfile.TemporaryDirectory(prefix="scriptrun-lock-") as folder:
        sources, private = lock_inputs.write(request, python.minor, folder)
        arguments = ["pip", "compile", "--python", python.path, "--generate-hashes"]
        arguments += ["--no-header", "--no-annotate", *flags, *request.flags, *sources]
        if any(local_sources.path_of(line) for line in request.lines):
            arguments.append("--refresh")  # uv does not notice changes in a folder
        try:
            text = uv_tool.run(arguments, folder, log, stop, private)
        except uv_tool.UvFailure as failure:
            failure.name_package(request.direct())
            raise
    kept = (line for line in text.splitlines() if line.strip() and not line.startswith("--"))
    text = lock_inputs.with_given_digests("".join(f"{line}\n" for line in kept), request.lines)
    return index_credentials.restored(text, request.lines)

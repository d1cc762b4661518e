"""Lock a request with ``uv pip compile``: every package with its version and hashes."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence

from scriptrun.environments.builder import BuildCanceled, Lockfile, Log, Stop, platform_tag
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.environments.interpreter import download as interpreter_download
from scriptrun.environments.interpreter.discovery import Python
from scriptrun.environments.locks import FORMAT
from scriptrun.environments.uv import as_of as uv_as_of
from scriptrun.environments.uv import brought as uv_brought
from scriptrun.environments.uv import index_credentials, local_sources, lock_inputs
from scriptrun.environments.uv import relax_pins as uv_relax_pins
from scriptrun.environments.uv import requirements as uv_requirements
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.environments.uv.as_of import Dated
from scriptrun.environments.uv.requirements import Request
from scriptrun.spec.environment import EXACT, PACKAGES, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store import scratch

#: the pins that changed, by name: the requested version and the locked one
Changes = dict[str, tuple[str, str]]

#: the Pythons to look for wheels of old releases for, the most common first
_WHEEL_VERSIONS = ("3.7", "3.6", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
_EXACT_PIN = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*===?\s*[\w.*+!-]+\s*$")


def resolve(spec: EnvironmentSpec, log: Log, stop: Stop) -> Lockfile:
    """The lockfile of ``spec`` for this platform.

    Without a requested Python version, it is that of the interpreter that runs scriptrun, or, if
    the packages are unavailable for it, another installed version that they are available for.
    """
    problems = uv_requirements.problems(spec)
    if problems:
        raise EnvironmentException("\n".join(problems))
    request = uv_requirements.from_spec(spec)
    for note in request.notes:
        log(note)
    changes: Changes = {}
    try:
        python, remark, text = _lock_exactly(request, spec.pins == EXACT, log, stop)
    except BuildCanceled:
        raise
    except EnvironmentException as failure:
        if spec.pins == EXACT or _is_unrelated_to_versions(failure):
            raise
        python, text, changes = _lock_relaxed(request, log, stop)
        remark = f"pins relaxed: {uv_relax_pins.describe_changes(changes)}" if changes else ""
    if remark:
        log(remark)
    dated = _complete(request, (python, text), changes, spec, log, stop)
    return {
        **({"relaxed": {name: list(pair) for name, pair in changes.items()}} if changes else {}),
        "format": FORMAT,
        "kind": PACKAGES,
        "platform": platform_tag(),
        "implementation": "cpython",
        "python": dated.python.version,
        "requirements": dated.text,
        **({"local": spec.local} if spec.local else {}),
        **({"as_of": dated.as_of} if dated.as_of else {}),
        "requested": [*request.lines, *request.brought],
        "notes": [*request.notes, *filter(None, [remark]), *dated.notes],
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "tool": f"uv {uv_tool.version()}".strip(),
    }


def _lock_exactly(
    request: Request, may_build: bool, log: Log, stop: Stop
) -> tuple[Python, str, str]:
    """Lock without relaxing pins; without ``may_build``, pinned packages must have a wheel."""
    if not request.python:
        return _lock_for_any_python(request, may_build, log, stop)
    python, remark = interpreter_download.obtain(request.python, log, stop)
    if may_build:
        return python, remark, _compile(request, python, (), log, stop)
    return python, remark, _compile_pins(request, python, (), stop)


def _compile_pins(request: Request, python: Python, flags: tuple[str, ...], stop: Stop) -> str:
    """The locked text; of the pinned packages, only releases without any wheel may be built."""
    pins = _pins(request.lines)
    try:
        return _compile(request, python, (*flags, *_only_binary_flags(pins)), _discard, stop)
    except uv_tool.UvError as failure:
        if _is_unrelated_to_versions(failure):
            raise
        with_wheels = _with_wheels(request, pins, python, stop)
        if with_wheels == pins:
            raise
    return _compile(request, python, (*flags, *_only_binary_flags(with_wheels)), _discard, stop)


def _with_wheels(
    request: Request, pins: dict[str, str], python: Python, stop: Stop
) -> dict[str, str]:
    """Those of ``pins`` of which there is a wheel for any Python."""
    return {name: pin for name, pin in pins.items() if _has_wheel(request, pin, python, stop)}


def _complete(
    request: Request,
    undated: tuple[Python, str],
    changes: Changes,
    spec: EnvironmentSpec,
    log: Log,
    stop: Stop,
    extra_flags: tuple[str, ...] = (),
) -> Dated:
    """Lock what the packages brought, too, and what has no pin as of the newest pin's release."""

    def compile(request: Request, python: Python, flags: tuple[str, ...]) -> str:
        return _compile(request, python, (*extra_flags, *flags), _discard, stop)

    is_free = not request.python and not extra_flags and spec.pins != EXACT
    others = interpreter_discovery.others if is_free else list
    completed = uv_brought.add(request, *undated, changes, compile, others)
    dated = Dated(completed.python, completed.text)
    if spec.as_of and spec.pins != EXACT:
        undated = (completed.python, completed.text)
        dated = uv_as_of.resolve(
            completed.request, undated, changes, spec.as_of, compile, log, others
        )
    notes = (*filter(None, [completed.note]), *dated.notes)
    for note in notes:
        log(note)
    return dated.replace(notes=notes)


def _is_unrelated_to_versions(failure: EnvironmentException) -> bool:
    """Whether other versions would fail too: the index is unreachable, the disk is full, ..."""
    return isinstance(failure, uv_tool.UvError) and not failure.other_versions_may_help


def _lock_relaxed(
    request: Request,
    log: Log,
    stop: Stop,
    extra_flags: tuple[str, ...] = (),
    candidates: Sequence[Python] = (),
) -> tuple[Python, str, Changes]:
    def compile(request: Request, python: Python, flags: tuple[str, ...]) -> str:
        if stop():
            raise BuildCanceled("Locking the environment was canceled.")
        return _compile(request, python, (*extra_flags, *flags), _discard, stop)

    result = uv_relax_pins.relax(request, compile, log, candidates)
    return result.python, result.text, result.changes


def _lock_for_any_python(
    request: Request, may_build: bool, log: Log, stop: Stop
) -> tuple[Python, str, str]:
    """Lock for the first installed Python that the packages are available for.

    The Python that runs scriptrun comes first. Packages pinned to one version must have a wheel,
    since an old release rarely builds on a newer Python. Only releases without any wheel may be
    built; if no Python satisfies that, all may be built (unless ``may_build`` is false).
    """
    running_python, _ = interpreter_discovery.choose(None)
    pins = _pins(request.lines)
    try:
        return (
            running_python,
            "",
            _compile(request, running_python, _only_binary_flags(pins), log, stop),
        )
    except uv_tool.UvError as failure:
        if not failure.another_python_may_help:
            raise
    log(
        f"The packages are unavailable for Python {running_python.version}; "
        "trying other installed versions."
    )
    other_pythons = interpreter_discovery.others()
    answer = _first_lockable(request, other_pythons, pins, stop)
    if answer is None:
        with_wheels = _with_wheels(request, pins, running_python, stop)
        if with_wheels != pins:
            answer = _first_lockable(request, [running_python, *other_pythons], with_wheels, stop)
    if answer is None:
        flags = () if may_build else _only_binary_flags(with_wheels)
        return running_python, "", _compile(request, running_python, flags, log, stop)
    python, text = answer
    if python == running_python:
        return running_python, "", text
    remark = (
        f"Using Python {python.version}: the packages are unavailable for {running_python.version}."
    )
    return python, remark, text


def _first_lockable(
    request: Request, candidates: list[Python], pins: dict[str, str], stop: Stop
) -> tuple[Python, str] | None:
    """The first of ``candidates`` that ``request`` can be locked for, and the locked text."""
    for python in candidates:
        try:
            return python, _compile(request, python, _only_binary_flags(pins), _discard, stop)
        except uv_tool.UvError:
            continue
    return None


def _has_wheel(request: Request, pin: str, running_python: Python, stop: Stop) -> bool:
    """Whether the release that ``pin`` names has a wheel for any Python, installed or not."""
    pin_request = request.replace(python=None, lines=(pin,))
    name = _EXACT_PIN.match(pin)
    flags = ("--no-deps", *_only_binary_flags({name[1]: pin} if name else {}))
    return any(
        _is_lockable(pin_request, running_python, ("--python-version", version, *flags), stop)
        for version in _WHEEL_VERSIONS
    )


def _is_lockable(request: Request, python: Python, flags: tuple[str, ...], stop: Stop) -> bool:
    try:
        _compile(request, python, flags, _discard, stop)
    except uv_tool.UvError:
        return False
    return True


def _pins(lines: Iterable[str]) -> dict[str, str]:
    """The requirements that are pinned to one version, by name."""
    matches = ((_EXACT_PIN.match(line.partition(";")[0]), line) for line in lines)
    return {match[1]: line for match, line in matches if match}


def _only_binary_flags(pins: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"--only-binary={name}" for name in pins)


def _discard(line: str) -> None:
    """The log of attempts whose errors are of no use to the user."""


def lock_as_is(
    request: Request, python: Python, flags: tuple[str, ...], log: Log, stop: Stop
) -> str:
    """Lock ``request`` unchanged for ``python`` with uv's ``flags``; the locked text."""
    for note in request.notes:
        log(note)
    return _compile(request, python, flags, log, stop)


def _nearest(version: str) -> Python:
    """An installed Python of that minor version, which builds as it does; else the running one."""
    minor = ".".join(version.split(".")[:2])
    requested = None if interpreter_discovery.missing(minor) else minor
    return interpreter_discovery.choose(requested)[0]


def lock_for_version(
    request: Request,
    version: str,
    flags: tuple[str, ...],
    spec: EnvironmentSpec,
    log: Log,
    stop: Stop,
) -> tuple[Dated, Changes]:
    """Lock ``request`` for a Python ``version``, which need not be installed, with uv's ``flags``.

    Returns the locked text and the pins that changed: none if the pins of ``spec`` are EXACT.
    """
    python = _nearest(version)
    flags = ("--python-version", version, *flags)
    if spec.pins == EXACT:
        text = lock_as_is(request, python, flags, log, stop)
        return _complete(request, (python, text), {}, spec, log, stop, flags), {}
    changes: Changes = {}
    try:
        text = _compile_pins(request, python, flags, stop)
    except uv_tool.UvError as failure:
        if _is_unrelated_to_versions(failure):
            raise
        major, minor, *patch = map(int, re.findall(r"\d+", version)[:3])
        target = Python(python.path, (major, minor), patch[0] if patch else None)
        _, text, changes = _lock_relaxed(request, log, stop, flags, [target])
    return _complete(request, (python, text), changes, spec, log, stop, flags), changes


def _compile(request: Request, python: Python, flags: tuple[str, ...], log: Log, stop: Stop) -> str:
    """The locked requirements as text, without comments and index addresses."""
    if not request.lines:
        return ""
    with scratch.Scratch("lock") as folder:
        sources, secrets = lock_inputs.write(request, python.minor, folder)
        if not request.uv:  # else its table is in the folder
            uv_tool.end_search(folder)
        arguments = ["pip", "compile", "--python", python.path, "--generate-hashes"]
        arguments += ["--no-header", "--no-annotate", *flags, *request.flags, *sources]
        if any(local_sources.local_path(line) for line in request.lines):
            arguments.append("--refresh")  # uv does not notice changes in a folder
        try:
            text = uv_tool.run(arguments, folder, log, stop, secrets)
        except uv_tool.UvError as failure:
            failure.name_package(request.direct())
            raise
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("--"))
    text = lock_inputs.keep_requested_digests("".join(f"{line}\n" for line in lines), request.lines)
    return index_credentials.restore_references(text, request.lines)

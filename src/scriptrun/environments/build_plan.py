"""The steps that a build of an environment would take, without building or writing anything."""

from __future__ import annotations

import importlib

from scriptrun.environments.builder import Lock, Registry, builder_class
from scriptrun.spec.environment import CONDA, IMAGE, PACKAGES, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def unlocked(spec: EnvironmentSpec) -> tuple[str, ...]:
    """The steps for a request that has no lockfile yet."""
    if not builder_class(spec.kind).builds:
        return ("Query the interpreter's packages once.",)
    if spec.kind == IMAGE:
        steps: tuple[str, ...] = _loaded("image.plan").unlocked(spec)
        return steps
    if spec.kind == CONDA:
        return (
            "Lock the conda packages, including Python: solve them against their channels.",
            "Build from the lockfile.",
        )
    return (
        *_python(spec.python),
        "Lock the requirements: resolve them against the package index.",
        "Build from the lockfile.",
    )


def locked(
    spec: EnvironmentSpec, lock: Lock, key: str, ill: str, registry: Registry
) -> tuple[str, ...]:
    """The steps from ``lock``; ``ill`` is why an existing build is unusable, or ""."""
    again = f" again, because {ill}" if ill else ""
    step = f"Build{again}: {count(lock)} packages from the lockfile."
    if spec.kind == IMAGE:
        return (step, *_loaded("image.plan").locked(spec, lock, key, registry))
    return (*(_python(lock["python"]) if spec.kind == PACKAGES else ()), step)


def count(lock: Lock) -> int:
    """The number of packages in ``lock``."""
    lines = str(lock.get("requirements", "")).splitlines()
    own = sum(1 for line in lines if line[:1].strip() and line[:1] != "#")
    return own + len(lock.get("conda", ()))


def _python(wanted: str | None) -> tuple[str, ...]:
    """Which interpreter the build would use or download with uv; () if that is unknown."""
    pythons = _loaded("interpreter.discovery")
    if pythons.missing(wanted):
        version = _loaded("interpreter.download").offered(wanted or "")
        lacks = f"Python {wanted} is not on this machine"
        return (f"Download Python {version} with uv ({lacks}).",) if version else ()
    try:
        python, remark = pythons.choose(wanted)
    except EnvironmentException:  # one that does not start
        return ()
    use = f"Use Python {python.version}, {python.path}"
    if not wanted:
        return (f"{use}, or another installed version that the packages support.",)
    return (f"{use}.", *filter(None, [remark]))


def _loaded(name: str) -> Any:
    """Import a module that starts processes; most plans do not need it."""
    return importlib.import_module(f"scriptrun.environments.{name}")

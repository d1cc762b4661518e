"""The steps of an image build: which layers exist, and which it would build.

Asks the container tool what is in its store; if no tool works, the only step says so.
"""

from __future__ import annotations

from scriptrun.environments.build_plan import package_count
from scriptrun.environments.builder import ImageRegistry, Lockfile
from scriptrun.environments.image import base as image_base
from scriptrun.environments.image import build as image_build
from scriptrun.environments.image import conda as image_conda
from scriptrun.environments.image import registry as image_registry
from scriptrun.environments.image.builder import (
    VENV,
    adds_packages,
    builds_base,
    has_packages,
    tag_of,
)
from scriptrun.spec.environment import CONDA, EnvironmentSpec
from scriptrun.store import container_tool


def unlocked(spec: EnvironmentSpec) -> tuple[str, ...]:
    """The steps for a request without a lockfile: its layers depend on the base image."""
    if container_tool.tool() is None:
        return (_no_tool_step(),)
    steps = [_base_step(spec, image_base.full_name(spec), exists=_base_exists(spec)), "Inspect it."]
    if not has_packages(spec):
        return tuple(steps)
    if spec.docker.packages == CONDA:
        layers = "conda packages, then pip packages"
        lock_step = "Lock the conda packages, including Python: solve them against their channels."
    else:
        layers = "a virtual environment of its Python, then the packages"
        lock_step = "Lock the requirements for its Python: resolve them against the package index."
    return (*steps, lock_step, f"Build the missing layers on top of it: {layers}.")


def locked(
    spec: EnvironmentSpec, lockfile: Lockfile, key: str, registry: ImageRegistry
) -> tuple[str, ...]:
    """The steps for the layers of the image in ``lockfile``: keep or build each."""
    if container_tool.tool() is None:
        return (_no_tool_step(),)
    packed = adds_packages(lockfile)
    if packed and image_registry.image_id(tag_of(key)):
        return (f"Keep all layers: image {tag_of(key)} exists.",)
    shared_image = image_registry.shared_name(key, registry) if packed or builds_base(spec) else ""
    first = [f"Pull image {shared_image} if it exists; otherwise:"] if shared_image else []
    base_exists = bool(image_registry.image_id(lockfile["base"]))
    return (
        *first,
        _base_step(spec, lockfile["named"], exists=base_exists),
        *(_package_layers(lockfile) if packed else ()),
    )


def _package_layers(lockfile: Lockfile) -> list[str]:
    base = lockfile["base"]
    if not lockfile.get("conda"):
        venv = image_build.venv_tag(base, lockfile["base_interpreter"])
        description = f"a virtual environment of its Python {lockfile['python']} in {VENV}"
        return [
            _layer_step(description, venv),
            f"Build the layer of {package_count(lockfile)} packages, installed by uv.",
        ]
    conda_description = f"{len(lockfile['conda'])} conda packages in {VENV}"
    if not lockfile["requirements"]:
        return [f"Build the layer of {conda_description}."]
    pip_count = package_count(lockfile) - len(lockfile["conda"])
    return [
        _layer_step(conda_description, image_conda.layer_tag(lockfile, base)),
        f"Build the layer of {pip_count} pip packages, installed by uv.",
    ]


def _layer_step(description: str, tag: str) -> str:
    return f"{'Keep' if image_registry.image_id(tag) else 'Build'} the layer of {description}."


def _base_step(spec: EnvironmentSpec, name: str, *, exists: bool) -> str:
    if exists:
        return f"Keep base image {name}."
    if builds_base(spec):
        return f"Build base image {image_base.describe(spec)}."
    return f"Pull base image {name}."


def _base_exists(spec: EnvironmentSpec) -> bool:
    """False for a base built here: only the tool's own cache knows which layers it can reuse."""
    return not builds_base(spec) and bool(image_registry.image_id(image_base.full_name(spec)))


def _no_tool_step() -> str:
    return (
        f"Cannot build images on this machine: {container_tool.problem()}. "
        f"{container_tool.INSTALL_HINT}."
    )

"""The steps of an image build: which layers exist, and which it would build.

Asks the container tool what is in its store; if no tool works, the only step says so.
"""

from __future__ import annotations

from scriptrun.environments.build_plan import count
from scriptrun.environments.builder import Lock, Registry
from scriptrun.environments.image import base as image_base
from scriptrun.environments.image import build as image_build
from scriptrun.environments.image import conda as image_conda
from scriptrun.environments.image import registry as image_registry
from scriptrun.environments.image.builder import VENV, has_packages, is_made, is_packed, tag_of
from scriptrun.spec.environment import CONDA, EnvironmentSpec
from scriptrun.store import container_tool


def unlocked(spec: EnvironmentSpec) -> tuple[str, ...]:
    """The steps for a request without a lockfile: its layers depend on the base image."""
    if container_tool.tool() is None:
        return (_no_tool(),)
    steps = [_base(spec, image_base.full_name(spec), here=_named_is_here(spec)), "Inspect it."]
    if not has_packages(spec):
        return tuple(steps)
    if spec.docker.get("packages") == CONDA:
        layers = "conda packages, then pip packages"
        lock = "Lock the conda packages, including Python: solve them against their channels."
    else:
        layers = "a virtual environment of its Python, then the packages"
        lock = "Lock the requirements for its Python: resolve them against the package index."
    return (*steps, lock, f"Build the missing layers on top of it: {layers}.")


def locked(spec: EnvironmentSpec, lock: Lock, key: str, registry: Registry) -> tuple[str, ...]:
    """The steps for the layers of the image in ``lock``: keep or build each."""
    if container_tool.tool() is None:
        return (_no_tool(),)
    packed = is_packed(lock)
    if packed and image_registry.id_of(tag_of(key)):
        return (f"Keep all layers: image {tag_of(key)} exists.",)
    shared = image_registry.shared_name(key, registry) if packed or is_made(spec) else ""
    first = [f"Pull image {shared} if it exists; otherwise:"] if shared else []
    here = bool(image_registry.id_of(lock["base"]))
    return (*first, _base(spec, lock["named"], here=here), *(_on_top(lock) if packed else ()))


def _on_top(lock: Lock) -> list[str]:
    base = lock["base"]
    if not lock.get("conda"):
        venv = image_build.venv_tag(base, lock["base_interpreter"])
        what = f"a virtual environment of its Python {lock['python']} in {VENV}"
        return [_layer(what, venv), f"Build the layer of {count(lock)} packages, installed by uv."]
    conda = f"{len(lock['conda'])} conda packages in {VENV}"
    if not lock["requirements"]:
        return [f"Build the layer of {conda}."]
    on_top = count(lock) - len(lock["conda"])
    return [
        _layer(conda, image_conda.tag(lock, base)),
        f"Build the layer of {on_top} pip packages, installed by uv.",
    ]


def _layer(what: str, tag: str) -> str:
    return f"{'Keep' if image_registry.id_of(tag) else 'Build'} the layer of {what}."


def _base(spec: EnvironmentSpec, named: str, *, here: bool) -> str:
    if here:
        return f"Keep base image {named}."
    if is_made(spec):
        return f"Build base image {image_base.named(spec)}."
    return f"Pull base image {named}."


def _named_is_here(spec: EnvironmentSpec) -> bool:
    """False for a base built here: only the tool's own cache knows which layers it can reuse."""
    return not is_made(spec) and bool(image_registry.id_of(image_base.full_name(spec)))


def _no_tool() -> str:
    return (
        f"Cannot build images on this machine: {container_tool.problem()}. {container_tool.INSTALL_HINT}."
    )

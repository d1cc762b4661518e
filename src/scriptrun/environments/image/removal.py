"""Remove an image: its own layer, and lower layers that no other environment uses."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from scriptrun.environments.builder import Lock
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.image import build as image_build
from scriptrun.environments.image import conda as image_conda
from scriptrun.environments.image.builder import is_packed
from scriptrun.store import container_tool

#: the tag prefix of base images built on this machine, from a Dockerfile or a context
_MADE = "localhost/scriptrun-base:"


def remove_layers(tool: container_tool.Tool, place: str) -> None:
    """Remove the layers below the image of ``place`` that no other environment needs.

    Layers used by a container or another image stay, and so do images not built here.
    """
    key, locks = os.path.basename(os.path.dirname(place)), dict(_locks())
    own = locks.pop(key, None)
    if own is None or any(map(cache_folders.unfinished, os.listdir(cache_folders.root()))):
        return  # a build in progress may use any of them
    needed = {each for lock in locks.values() for each in _below(lock)}
    gone = [each for each in _below(own) if each not in needed]
    for name in gone:
        for tag in _made_here(tool, name):
            container_tool.run(tool, ["rmi", tag])


def _locks() -> Iterator[tuple[str, Lock]]:
    """The lockfiles of all images in this machine's cache, by key."""
    for key in os.listdir(cache_folders.root()):
        there = cache_folders.current(key)
        if there is not None and there[1].get("lock", {}).get("base"):
            yield key, there[1]["lock"]


def _below(lock: Lock) -> list[str]:
    """The layers below the image of ``lock``, top first: tags, then an ID."""
    base = str(lock["base"])
    if not is_packed(lock):
        return [base]
    if lock.get("conda"):
        return [image_conda.tag(lock, base), base]
    return [image_build.venv_tag(base, lock["base_interpreter"]), base]


def _made_here(tool: container_tool.Tool, name: str) -> list[str]:
    """The tags to remove: ``name`` itself, or for an ID only those of images built here."""
    if name.startswith("localhost/"):
        return [name]
    said = container_tool.run(tool, ["image", "inspect", "--format", "{{json .RepoTags}}", name])
    tags = json.loads(said.out) if said.code == 0 and said.out.startswith("[") else []
    return [tag for tag in tags if tag.startswith(_MADE)]

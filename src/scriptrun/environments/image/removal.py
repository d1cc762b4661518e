"""Remove an image: its own layer, and lower layers that no other environment uses."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from scriptrun.environments.builder import Lockfile
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.image import build as image_build
from scriptrun.environments.image import conda as image_conda
from scriptrun.environments.image.builder import adds_packages
from scriptrun.store import container_tool

#: the tag prefix of base images built on this machine, from a Dockerfile or a context
_BASE_TAG = "localhost/scriptrun-base:"


def remove_layers(tool: container_tool.Tool, folder: str) -> None:
    """Remove the layers below the image of ``folder`` that no other environment needs.

    Layers used by a container or another image stay, and so do images not built here.
    """
    key, lockfiles = os.path.basename(os.path.dirname(folder)), dict(_image_lockfiles())
    own_lockfile = lockfiles.pop(key, None)
    if own_lockfile is None or any(map(cache_folders.unfinished, os.listdir(cache_folders.root()))):
        return  # a build in progress may use any of them
    needed = {layer for lockfile in lockfiles.values() for layer in _layers_below(lockfile)}
    unneeded = [candidate for candidate in _layers_below(own_lockfile) if candidate not in needed]
    for name in unneeded:
        for tag in _removable_tags(tool, name):
            container_tool.run(tool, ["rmi", tag])


def _image_lockfiles() -> Iterator[tuple[str, Lockfile]]:
    """The lockfiles of all images in this machine's cache, by key."""
    for key in os.listdir(cache_folders.root()):
        built = cache_folders.newest_complete(key)
        if built is not None and built[1].get("lock", {}).get("base"):
            yield key, built[1]["lock"]


def _layers_below(lockfile: Lockfile) -> list[str]:
    """The layers below the image of ``lockfile``, top first: tags, then an ID."""
    base = str(lockfile["base"])
    if not adds_packages(lockfile):
        return [base]
    if lockfile.get("conda"):
        return [image_conda.layer_tag(lockfile, base), base]
    return [image_build.venv_tag(base, lockfile["base_interpreter"]), base]


def _removable_tags(tool: container_tool.Tool, name: str) -> list[str]:
    """The tags to remove: ``name`` itself, or for an ID only those of images built here."""
    if name.startswith("localhost/"):
        return [name]
    result = container_tool.run(tool, ["image", "inspect", "--format", "{{json .RepoTags}}", name])
    tags = json.loads(result.out) if result.code == 0 and result.out.startswith("[") else []
    return [tag for tag in tags if tag.startswith(_BASE_TAG)]

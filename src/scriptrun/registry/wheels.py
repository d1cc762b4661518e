"""Wheels of one's own: kept in the workspace by their content, sent along where a job goes.

``wheels/<digest>/<file>`` below the workspace's directory; the same wheel twice is one file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

from scriptrun.environments.uv import local_sources
from scriptrun.registry.workspace_files import Home
from scriptrun.runtime import files
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import UserErrorException

FOLDER = "wheels"


def add(workspace: Home, path: str | os.PathLike[str], exist_ok: bool = False) -> str:
    """Keep the wheel at ``path`` in the workspace; its address, for pip requirements.

    Raises UserErrorException for what is no wheel, and where another wheel of the same name is
    there and ``exist_ok`` is False.
    """
    place = Path(path).expanduser().absolute()
    trouble = _trouble(place)
    if trouble:
        raise UserErrorException(
            trouble, "Give the path of a .whl or .tar.gz, as built by `uv build`."
        )
    goal = workspace.directory / name_of(place)
    others = list((workspace.directory / FOLDER).glob(f"*/{place.name}"))
    if others and not exist_ok:
        same = "the same" if goal in others else "different"
        raise UserErrorException(
            f"Wheel {place.name!r} already exists in the workspace, with {same} content.",
            "Change its version, or use exist_ok=True; existing environments keep the old wheel.",
        )
    keep(workspace, place)
    return goal.as_uri()


def keep(workspace: Home, place: Path) -> str:
    """Keep a copy of the file under ``name_of``, which is returned: complete or absent."""
    name = name_of(place)
    goal = workspace.directory / name
    if not goal.exists():
        goal.parent.mkdir(parents=True, exist_ok=True)
        temporary = f"{goal}.{files.unique()}.tmp"
        shutil.copyfile(place, temporary)
        os.replace(temporary, goal)
    return name


def name_of(place: Path) -> str:
    """Where the file lies below a workspace's directory."""
    with open(place, "rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return f"{FOLDER}/{digest[:32]}/{place.name}"


def named_by(spec: EnvironmentSpec) -> dict[str, Path]:
    """The files of this machine that the requirements name, by the path that they have there."""
    paths = [path for path in map(local_sources.path_of, spec.pip) if path]
    return {path: Path(path) for path in paths if os.path.isfile(path)}


def moved(spec: EnvironmentSpec, places: dict[str, str]) -> EnvironmentSpec:
    """``spec`` with each file where ``places`` says that it lies."""
    pip = tuple(_moved(line, places) for line in spec.pip)
    local = {places.get(path, path): digest for path, digest in spec.local.items()}
    return spec.replace(pip=pip, local=local)


def _moved(line: str, places: dict[str, str]) -> str:
    path = local_sources.path_of(line)
    if path is None or path not in places:
        return line
    name, mark, _ = line.partition("@")
    before = f"{name.strip()} @ " if mark and "/" not in name else ""
    _, semicolon, marker = line.partition(";")
    return f"{before}{Path(places[path]).as_uri()}" + (f" ;{marker}" if semicolon else "")


def _trouble(place: Path) -> str:
    if not place.is_file():
        return f"File {str(place)!r} does not exist."
    if place.name.endswith(".tar.gz"):  # as people give it, an archive of sources
        return "" if tarfile.is_tarfile(place) else f"{str(place)!r} is not a valid archive."
    if place.suffix != ".whl" or place.name.count("-") < 4:
        return f"Invalid wheel name {place.name!r}."
    return "" if zipfile.is_zipfile(place) else f"{str(place)!r} is not a valid wheel."

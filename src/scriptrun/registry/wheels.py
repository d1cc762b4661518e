"""Private wheels: stored in the workspace by content, and sent along with remote jobs.

They are ``wheels/<digest>/<file>`` below the workspace's directory; each wheel is stored once.
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
    """Store the wheel at ``path`` in the workspace; returns its URL for pip requirements.

    Raises UserErrorException if it is not a wheel, or if a wheel of that name exists and
    ``exist_ok`` is False.
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
    """Store a copy of the file, atomically; returns its path below the workspace's directory."""
    name = name_of(place)
    goal = workspace.directory / name
    if not goal.exists():
        goal.parent.mkdir(parents=True, exist_ok=True)
        temporary = f"{goal}.{files.unique()}.tmp"
        shutil.copyfile(place, temporary)
        os.replace(temporary, goal)
    return name


def name_of(place: Path) -> str:
    """The file's path below a workspace's directory."""
    with open(place, "rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return f"{FOLDER}/{digest[:32]}/{place.name}"


def named_by(spec: EnvironmentSpec) -> dict[str, Path]:
    """The local files among the requirements, by their path as written there."""
    paths = [path for path in map(local_sources.path_of, spec.pip) if path]
    return {path: Path(path) for path in paths if os.path.isfile(path)}


def moved(spec: EnvironmentSpec, places: dict[str, str]) -> EnvironmentSpec:
    """``spec`` with the paths of local files replaced by those in ``places``."""
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
    if place.name.endswith(".tar.gz"):  # a source archive, accepted as well
        return "" if tarfile.is_tarfile(place) else f"{str(place)!r} is not a valid archive."
    if place.suffix != ".whl" or place.name.count("-") < 4:
        return f"Invalid wheel name {place.name!r}."
    return "" if zipfile.is_zipfile(place) else f"{str(place)!r} is not a valid wheel."

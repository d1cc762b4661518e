"""Private wheels: stored in the workspace by their digest, and sent along with remote jobs.

The path is ``wheels/<digest>/<file>`` below the workspace's directory.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tarfile
import zipfile
from pathlib import Path
from urllib.parse import unquote

from scriptrun.environments.uv import local_sources
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.runtime import files
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

FOLDER = "wheels"
#: a stored wheel in a requirement or as a path: whether it is a URL, and its name
_STORED = r"(?<![^\s@])(file://)?(?:/[^/\n]+)*?/\.scriptrun/wheels/([0-9a-f]{32}/[^\s/;\[]+)"


def add(workspace: WorkspaceFiles, path: str | os.PathLike[str], exist_ok: bool = False) -> str:
    """Store the wheel at ``path`` in the workspace; returns its URL for pip requirements.

    Raises UserErrorException if it is not a wheel, or if a wheel of that name exists and
    ``exist_ok`` is False.
    """
    wheel = Path(path).expanduser().absolute()
    problem = _problem(wheel)
    if problem:
        raise UserErrorException(
            problem, "Give the path of a .whl or .tar.gz, as built by `uv build`."
        )
    target = workspace.directory / stored_name(wheel)
    existing = [
        path
        for path in (workspace.directory / FOLDER).glob(f"*/{wheel.name}")
        if not local_sources.is_damaged(str(path))
    ]
    if existing and not exist_ok:
        content = "the same" if target in existing else "different"
        raise UserErrorException(
            f"Wheel {wheel.name!r} already exists in the workspace, with {content} content.",
            "Change its version, or use exist_ok=True; existing environments keep the old wheel.",
        )
    store_wheel(workspace, wheel)
    return target.as_uri()


def store_wheel(workspace: WorkspaceFiles, source: Path) -> str:
    """Store a copy of the file, atomically; returns its path below the workspace's directory."""
    name = stored_name(source)
    target = workspace.directory / name
    if not target.exists() or local_sources.is_damaged(str(target)):
        files.make_folders(target.parent)
        temporary = f"{target}.{files.unique()}.tmp"
        shutil.copyfile(source, temporary)
        files.sync_file(temporary)
        os.replace(temporary, target)
        files.sync_folder(target.parent)
    return name


def stored_name(path: Path) -> str:
    """The file's path below a workspace's directory."""
    with open(path, "rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return f"{FOLDER}/{digest[:32]}/{path.name}"


def of_workspace(workspace: WorkspaceFiles, value: Json) -> Json:
    """``value``, a record, with its stored wheels as they lie in ``workspace``.

    They lay elsewhere when it was written if the workspace was moved or copied since. What
    ``workspace`` lacks stays as it is.
    """

    def path_here(match: re.Match[str]) -> str:
        name = unquote(match[2]) if match[1] else match[2]
        path = workspace.directory / FOLDER / name
        if not path.exists():
            return match[0]
        return path.as_uri() if match[1] else str(path)

    def replaced(each: object) -> object:
        if isinstance(each, str):
            return re.sub(_STORED, path_here, each)
        if isinstance(each, dict):
            return {replaced(key): replaced(item) for key, item in each.items()}
        return [replaced(item) for item in each] if isinstance(each, list | tuple) else each

    return {name: replaced(item) for name, item in value.items()}


def local_files(spec: EnvironmentSpec) -> dict[str, Path]:
    """The local files among the requirements, by their path as written there."""
    paths = [path for path in map(local_sources.local_path, spec.pip) if path]
    return {path: Path(path) for path in paths if os.path.isfile(path)}


def replace_local_paths(spec: EnvironmentSpec, new_paths: dict[str, str]) -> EnvironmentSpec:
    """``spec`` with the paths of local files replaced by those in ``new_paths``."""
    pip = tuple(_replace_path(line, new_paths) for line in spec.pip)
    local = {new_paths.get(path, path): digest for path, digest in spec.local.items()}
    return spec.replace(pip=pip, local=local)


def _replace_path(line: str, new_paths: dict[str, str]) -> str:
    path = local_sources.local_path(line)
    if path is None or path not in new_paths:
        return line
    name, at_sign, _ = line.partition("@")
    prefix = f"{name.strip()} @ " if at_sign and "/" not in name else ""
    _, semicolon, marker = line.partition(";")
    return f"{prefix}{Path(new_paths[path]).as_uri()}" + (f" ;{marker}" if semicolon else "")


def _problem(path: Path) -> str:
    if not path.is_file():
        return f"File {str(path)!r} does not exist."
    if path.name.endswith(".tar.gz"):  # a source archive, accepted as well
        return "" if tarfile.is_tarfile(path) else f"{str(path)!r} is not a valid archive."
    if path.suffix != ".whl" or path.name.count("-") < 4:
        return f"Invalid wheel name {path.name!r}."
    return "" if zipfile.is_zipfile(path) else f"{str(path)!r} is not a valid wheel."

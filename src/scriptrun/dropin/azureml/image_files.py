"""The files of an old image: the script that serves, and what it needs, copied into the workspace.

A folder is named by the digest of its content: it never changes, and images with the same files
share it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from scriptrun.runtime import durability, file_walk, files
from scriptrun.spec.digests import digest_of
from scriptrun.spec.errors import WebserviceException
from scriptrun.store import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.dropin.azureml.images import ContainerImageConfig
    from scriptrun.registry.workspace_files import WorkspaceFiles


def chosen(config: ContainerImageConfig) -> dict[str, Path]:
    """The files of an image by their paths in it.

    The script with the Python files in its directory, the conda and schema files, and the
    dependencies: files and folders, at their paths relative to the current directory. Raises
    WebserviceException, naming all of them, if some do not exist.
    """
    script = Path(config.execution_script)
    found = {path.name: path for path in sorted(script.parent.glob("*.py"))}
    given = (script, config.conda_file, config.schema_file, config.docker_file)
    single = [Path(path) for path in given if path is not None]
    problems = [f"{path} does not exist" for path in single if not path.is_file()]
    found.update({path.name: path for path in single})
    for dependency in config.dependencies or ():
        inner = dict(_files_of(Path(dependency)))
        problems += [] if inner else [f"{dependency} does not exist"]
        found.update(inner)
    if problems:
        raise WebserviceException(
            f"The image configuration names files that are missing: {'; '.join(problems)}.",
            hint="Paths are relative to the current directory.",
        )
    return found


def _files_of(path: Path) -> Iterator[tuple[str, Path]]:
    """A dependency's files, each with its path in the image."""
    name = os.path.relpath(path)
    if name.startswith(os.pardir):
        name = path.name
    if path.is_file():
        yield name, path
    elif path.is_dir():
        for inner in sorted(file_walk.files_below(path)):
            yield inner if name == os.curdir else os.path.join(name, inner), path / inner


def store(workspace: WorkspaceFiles, content: dict[str, Path]) -> str:
    """Copy the files into the workspace, durably; returns the name of their folder."""
    temporary = folder_of(workspace, f"{files.unique()}.tmp")
    try:
        digests: dict[str, str] = {}
        for relative, source in content.items():
            copy = temporary / relative
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)
            with copy.open("rb") as handle:
                digests[relative] = hashlib.file_digest(handle, "sha256").hexdigest()
        durability.sync_tree(temporary)
        name = digest_of(digests)
        if not folder_of(workspace, name).is_dir():
            with contextlib.suppress(OSError):  # another process may have just made it
                os.rename(temporary, folder_of(workspace, name))
        files.sync_folder(temporary.parent)
    except OSError as error:
        raise paths.not_writable(temporary.parent, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return name


def folder_of(workspace: WorkspaceFiles, name: str) -> Path:
    """The folder that ``store`` made."""
    return workspace.directory / "azureml" / "image-files" / name

"""``scriptrun data download`` and ``scriptrun data upload``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from scriptrun.cli import workspace_here
from scriptrun.cli.options import data_names
from scriptrun.cli.terminal import output, progress
from scriptrun.core.workspace import Workspace
from scriptrun.data.cache import transfer
from scriptrun.data.cache.transfer import RemoteFile
from scriptrun.data.errors import DatasetExecutionError, FileChanged, FileMissing
from scriptrun.data.stores.local import LocalStore
from scriptrun.data.stores.protocol import clean
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def download(workspace: Workspace, args: argparse.Namespace) -> tuple[Any, Any]:
    """Download a dataset's files to the target folder."""
    dataset = data_names.any_dataset(workspace, args.name)
    target = Path(args.target)
    files = dataset.incoming()
    _refuse_those_there(files, target, args.overwrite)
    size = sum(max(0, each.entry.size) for each in files)
    with progress.shown(f"Downloading {args.name}", len(files), size, args.json) as moved:
        try:
            transfer.download(files, target, args.overwrite, on_progress=moved.watch)
        except (FileChanged, FileMissing) as error:
            raise _no_longer(dataset, error) from None
    value = {"files": moved.files, "bytes": moved.bytes, "target": str(target)}
    return value, f"{_count(moved)} to {target}"


def _refuse_those_there(files: list[RemoteFile], target: Path, overwrite: bool) -> None:
    there = [] if overwrite else [each.path for each in files if (target / each.path).exists()]
    if there:
        more = (
            f" and {len(there) - 1:,} more files already exist" if there[1:] else " already exists"
        )
        raise UserErrorException(
            f"{target / there[0]}{more}.", "Use --overwrite or choose another folder."
        )


def _no_longer(dataset: Any, error: UserErrorException) -> DatasetExecutionError:
    if dataset.name is None:
        return DatasetExecutionError(error.message, error.hint)
    return DatasetExecutionError(
        f"{error.message} It no longer matches version {dataset.version} of {dataset.name!r}.",
        f"Register a new version: scriptrun data register {dataset.name} SOURCE ...",
    )


def upload(workspace: Workspace, args: argparse.Namespace) -> tuple[Any, Any]:
    """Upload local files and folders to a datastore path."""
    on = data_names.on_datastore(workspace, args.destination)
    if on is None:
        raise UserErrorException(
            f"{args.destination!r} does not name a datastore.",
            "Use DATASTORE:PATH, e.g. photos:images.",
        )
    datastore, path = on
    folder = clean(path, datastore.name)
    pairs = _pairs(args.paths, folder)
    workspace_here.made(workspace)
    size = sum(file.stat().st_size for file, _ in pairs)
    with progress.shown(f"Uploading to {datastore.name}", len(pairs), size, args.json) as moved:
        transfer.upload(datastore.store, pairs, folder, args.overwrite, False, moved.watch)
    left = len(pairs) - moved.files
    value = {"files": moved.files, "bytes": moved.bytes, "left": left}
    told = f"{_count(moved)} to {datastore.name}:{folder}"
    return value, told + (f"; skipped {left:,} existing (use --overwrite to replace)" * bool(left))


def _pairs(paths: list[str], folder: str) -> list[tuple[Path, str]]:
    """Pair each local file with its path on the datastore. Raises one error for all missing."""
    missing = [path for path in paths if not os.path.exists(path)]
    if missing:
        raise UserErrorException(f"File or folder not found: {', '.join(map(repr, missing))}.")
    found: dict[str, Path] = {}
    for path in map(Path, paths):
        names = [path.name] if path.is_file() else [e.path for e in LocalStore("", path).list()]
        for name in names:
            goal = f"{folder}/{name}" if folder else name
            file = path if path.is_file() else path / name
            if found.setdefault(goal, file) != file:
                raise UserErrorException(
                    f"{found[goal]} and {file} would both upload to {goal!r}.",
                    "Upload them separately.",
                )
    if not found:
        raise UserErrorException(f"No files found in {', '.join(map(repr, paths))}.")
    return [(file, goal) for goal, file in found.items()]


def _count(moved: progress.Counter) -> str:
    return (
        f"Copied {moved.files:,} file{'' if moved.files == 1 else 's'}, {output.size(moved.bytes)},"
    )

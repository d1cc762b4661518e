"""``scriptrun data download`` and ``scriptrun data upload``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from scriptrun.cli import workspace_here
from scriptrun.cli.options import data_names
from scriptrun.cli.terminal import attach, output, progress
from scriptrun.core.workspace import Workspace
from scriptrun.data.cache import transfer
from scriptrun.data.cache.transfer import RemoteFile
from scriptrun.data.errors import DatasetExecutionError, FileChanged, FileMissing
from scriptrun.data.stores.local import names_to_upload
from scriptrun.data.stores.protocol import normalize_path
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.common_arguments import VerbResult
    from scriptrun.data.datasets.base import AbstractDataset


def download(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Download a dataset's files to the target folder."""
    dataset = data_names.resolve_dataset(workspace, args.name)
    target = Path(args.target)
    files = dataset.incoming()
    _refuse_existing(files, target, args.overwrite)
    size = sum(max(0, file.entry.size) for file in files)
    with progress.show_progress(f"Downloading {args.name}", len(files), size, args.json) as counter:
        try:
            transfer.download(files, target, args.overwrite, on_progress=counter.add)
        except (FileChanged, FileMissing) as error:
            raise _changed_error(dataset, error) from None
    value = {"files": counter.files, "size": counter.bytes, "target": str(target)}
    return value, f"{_summary(counter)} to {target}"


def _refuse_existing(files: list[RemoteFile], target: Path, overwrite: bool) -> None:
    existing = [] if overwrite else [file.path for file in files if (target / file.path).exists()]
    if existing:
        rest = (
            f" and {len(existing) - 1:,} more files already exist"
            if existing[1:]
            else " already exists"
        )
        raise UserErrorException(
            f"{target / existing[0]}{rest}.", "Use --overwrite or choose another folder."
        )


def _changed_error(dataset: AbstractDataset, error: UserErrorException) -> DatasetExecutionError:
    if dataset.name is None:
        return DatasetExecutionError(error.message, error.hint)
    return DatasetExecutionError(
        f"{error.message} It no longer matches version {dataset.version} of {dataset.name!r}.",
        f"Register a new version: scriptrun data register {dataset.name} SOURCE ...",
    )


def upload(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Upload local files and folders to a datastore path."""
    destination = data_names.parse_datastore_path(workspace, args.destination)
    if destination is None:
        raise UserErrorException(
            f"{args.destination!r} does not name a datastore.",
            "Use DATASTORE:PATH, e.g. photos:images.",
        )
    datastore, path = destination
    folder = normalize_path(path, datastore.name)
    with attach.warnings_as_lines():
        pairs = _upload_pairs(args.paths, folder)
    workspace_here.create_if_missing(workspace)
    size = sum(file.stat().st_size for file, _ in pairs)
    with progress.show_progress(
        f"Uploading to {datastore.name}", len(pairs), size, args.json
    ) as counter:
        transfer.upload(datastore.store, pairs, folder, args.overwrite, False, counter.add)
    skipped = len(pairs) - counter.files
    value = {"files": counter.files, "size": counter.bytes, "skipped": skipped}
    message = f"{_summary(counter)} to {datastore.name}:{folder}"
    return value, message + (
        f"; skipped {skipped:,} existing (use --overwrite to replace)" * bool(skipped)
    )


def _upload_pairs(paths: list[str], folder: str) -> list[tuple[Path, str]]:
    """Pair each local file with its path on the datastore. Raises one error for all missing."""
    missing = [path for path in paths if not os.path.exists(path)]
    if missing:
        raise UserErrorException(f"File or folder not found: {', '.join(map(repr, missing))}.")
    files: dict[str, Path] = {}
    for path in map(Path, paths):
        names = [path.name] if path.is_file() else names_to_upload(path)
        for name in names:
            destination = f"{folder}/{name}" if folder else name
            file = path if path.is_file() else path / name
            if files.setdefault(destination, file) != file:
                raise UserErrorException(
                    f"{files[destination]} and {file} would both upload to {destination!r}.",
                    "Upload them separately.",
                )
    if not files:
        raise UserErrorException(
            f"No files found in {', '.join(map(repr, paths))}.",
            "Give a file, or a folder that contains files.",
        )
    return [(file, target) for target, file in files.items()]


def _summary(count: progress.Counter) -> str:
    return (
        f"Copied {count.files:,} file{'' if count.files == 1 else 's'}, {output.size(count.bytes)},"
    )

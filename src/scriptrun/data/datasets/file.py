"""Datasets of plain files: ``Dataset.File.from_files``."""

from __future__ import annotations

import os
import random
import shutil
import uuid
from pathlib import Path

from scriptrun.data.cache import transfer
from scriptrun.data.cache.files import Cache
from scriptrun.data.datasets import selection, sources
from scriptrun.data.datasets.base import AbstractDataset
from scriptrun.data.datasets.consumption import DatasetConsumptionConfig
from scriptrun.data.datasets.content import Content
from scriptrun.data.datastores.classes import AbstractDatastore
from scriptrun.data.errors import DatasetExecutionError, FileChanged, FileMissing
from scriptrun.data.mount import mount as dataset_mount
from scriptrun.data.stores.local import names_to_upload
from scriptrun.data.stores.protocol import normalize_path
from scriptrun.data.stores.timeouts import time_limit
from scriptrun.spec.absent import absent
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.data.datasets.sources import Paths


@absent(
    "as_cache as_hdfs hydrate",
    "Use as_mount or as_download; both cache files on the machine.",
)
@absent(
    "filter file_metadata get_partition_key_values __getitem__",
    "Select files by pattern: Dataset.File.from_files((datastore, 'folder/**/*.png')).",
)
class FileDataset(AbstractDataset):
    """A list of files. Its methods return new datasets and never change this one."""

    kind = "file"

    def to_path(self) -> list[str]:
        """The files' paths in the dataset, in order, each with a leading slash."""
        return [f"/{row.path}" for row in self._content.rows()]

    def take(self, count: int) -> FileDataset:
        """The first ``count`` files."""
        return self._with(self._content.with_step(selection.take(count)))

    def skip(self, count: int) -> FileDataset:
        """All but the first ``count`` files."""
        return self._with(self._content.with_step(selection.skip(count)))

    def take_sample(self, probability: float, seed: int | None = None) -> FileDataset:
        """Select each file with this probability; the same ``seed`` selects the same files."""
        fraction = selection.fraction(probability, "probability")
        return self._with(self._content.with_step(selection.part(0, fraction, _seed(seed))))

    def random_split(
        self, percentage: float, seed: int | None = None
    ) -> tuple[FileDataset, FileDataset]:
        """Two datasets that share no file; the first has about ``percentage`` (0 to 1) of them."""
        fraction, chosen_seed = selection.fraction(percentage, "percentage"), _seed(seed)
        return (
            self._with(self._content.with_step(selection.part(0, fraction, chosen_seed))),
            self._with(self._content.with_step(selection.part(fraction, 1, chosen_seed))),
        )

    def download(
        self,
        target_path: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        ignore_not_found: bool = False,
    ) -> list[str]:
        """Download the files to ``target_path`` (default: a new temporary folder).

        Returns their local paths. Raises UserErrorException if one exists and ``overwrite`` is
        false, and DatasetExecutionError if a file of a registered version has changed or is missing
        (``ignore_not_found`` skips missing files).
        """
        import tempfile

        target = Path(target_path or tempfile.mkdtemp(prefix="scriptrun-"))
        files = list(self._content.remote_files())
        if ignore_not_found:
            files = [file for file in files if file.store.stat(file.entry.path) is not None]
        existing = [
            remote_file.path
            for remote_file in files
            if not overwrite and (target / remote_file.path).exists()
        ]
        if existing:
            raise UserErrorException(
                f"{target / existing[0]} exists already.", "Use overwrite=True or another folder."
            )
        try:
            return [str(path) for path in transfer.download(files, target, overwrite)]
        except (FileChanged, FileMissing) as error:
            raise self._changed_error(error) from None

    def mount(
        self, mount_point: str | os.PathLike[str] | None = None, **kwargs: object
    ) -> MountContext:
        """The files as a folder, for a ``with`` block.

        Local files are linked and remote ones mounted, or downloaded where this machine cannot
        mount.
        """
        return MountContext(self, mount_point)

    def as_mount(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """This dataset as an unnamed input of a job, mounted."""
        return self.as_named_input(_random_input_name()).as_mount(path_on_compute)

    def as_download(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """This dataset as an unnamed input of a job, downloaded before the script starts."""
        return self.as_named_input(_random_input_name()).as_download(path_on_compute)

    def _changed_error(self, error: UserErrorException) -> DatasetExecutionError:
        if self._head:
            return DatasetExecutionError(
                f"{error.message} It no longer matches version {self.version} of {self.name!r}.",
                "Register a new version: dataset.register(ws, name, "
                "create_new_version=True) on a fresh Dataset.File.from_files(...).",
            )
        return DatasetExecutionError(error.message, error.hint)


class MountContext:
    """A dataset's files as a folder, ``mount_point``, between ``start()`` and ``stop()``."""

    def __init__(self, dataset: FileDataset, mount_point: str | os.PathLike[str] | None) -> None:
        import tempfile

        self._dataset = dataset
        self._is_temporary = mount_point is None
        self.mounted: dataset_mount.ActiveMount | None = None
        self.mount_point = os.fspath(mount_point or tempfile.mkdtemp(prefix="scriptrun-mount-"))

    def start(self) -> None:
        """Create the folder. Raises UserErrorException if the mount point is not empty."""
        target = Path(self.mount_point)
        try:
            target.mkdir(parents=True, exist_ok=True)
            if any(target.iterdir()):
                raise UserErrorException(
                    f"Mount point {str(target)!r} is not empty.", "Use an empty or new directory."
                )
        except OSError as error:
            raise UserErrorException(
                f"Cannot use {str(target)!r} as a mount point: {error.strerror}."
            ) from None
        files = list(self._dataset._content.remote_files())
        if not all(file.store.folder is not None for file in files):
            self._mount_remote(target)
            return
        for remote_file in files:
            link = target / normalize_path(remote_file.path, "the dataset")
            link.parent.mkdir(parents=True, exist_ok=True)
            assert remote_file.store.folder is not None
            link.symlink_to(remote_file.store.folder / remote_file.entry.path)

    def _mount_remote(self, target: Path) -> None:
        if dataset_mount.available():
            self._dataset.download(target)
        else:
            files = self._dataset._content
            self.mounted = dataset_mount.mount(files, target, Cache().folder, time_limit())

    def stop(self) -> None:
        """Remove the folder's contents; the dataset's files are kept."""
        if self.mounted is not None:
            self.mounted.close()
            self.mounted = None
        for path in Path(self.mount_point).iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        if self._is_temporary:
            os.rmdir(self.mount_point)

    def __enter__(self) -> MountContext:
        self.start()
        return self

    def __exit__(self, *details: object) -> None:
        self.stop()


class FileDatasetFactory:
    """``Dataset.File``: creates datasets of files."""

    @staticmethod
    def from_files(
        path: Paths,
        validate: bool = True,
        partition_format: str | None = None,
        is_file: bool = False,
    ) -> FileDataset:
        """The files at ``path``: ``(datastore, 'a/**/*.gz')``, a URL, or a list of these.

        ``*`` matches within a name, ``**`` across folders; a folder means everything below it.
        Nothing is copied. With ``validate``, raises DatasetValidationError for a path that matches
        no files.
        """
        if partition_format is not None:
            raise UserErrorException(
                "partition_format is supported only for tabular datasets (Dataset.Tabular).",
                "Remove it, or use Dataset.Tabular.",
            )
        files = Content(sources.parse(path))
        if validate:
            files.check()
        return FileDataset(files)

    @staticmethod
    def upload_directory(
        src_dir: str | os.PathLike[str],
        target: Paths,
        pattern: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> FileDataset:
        """Upload the files below ``src_dir`` to ``target`` (``(datastore, path)``) as a dataset.

        ``pattern`` (``*``, ``**``) selects among them.
        """
        source = sources.parse(target)[0]
        if not isinstance(source.store_ref.datastore, AbstractDatastore):
            raise UserErrorException("The target must be (datastore, 'path'), not a URL.")
        root = Path(src_dir)
        if not root.is_dir():
            raise UserErrorException(
                f"Directory {str(root)!r} does not exist.",
                "Relative paths start in the current directory.",
            )
        matches = sources.path_matcher(pattern) if pattern else None
        names = names_to_upload(root)
        paths = [root / name for name in names if matches is None or matches(name)]
        if not paths:
            raise UserErrorException(
                f"No files {pattern or ''} to upload in {str(root)!r}.",
                "Check the directory and the pattern.",
            )
        source.store_ref.datastore.upload_files(
            paths, root, source.path, overwrite, show_progress=show_progress
        )
        return FileDataset(Content([source]))


def _random_input_name() -> str:
    return f"input__{uuid.uuid4().hex[:8]}"


def _seed(seed: int | None) -> int:
    return random.randrange(1 << 31) if seed is None else int(seed)

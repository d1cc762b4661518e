"""The methods of a run that handle its files (Python 3.6+)."""

from scriptrun.runtime.injob import artifacts
from scriptrun.runtime.injob.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scriptrun.runtime.hints import Source, StrPath


class ArtifactCalls(object):
    """Mixin for a run with a ``folder``. Files are stored with the run; ``datastore_name`` is
    accepted for SDK v1 and ignored.
    """

    folder: str

    def upload_file(
        self, name: str, path_or_stream: "Source", datastore_name: "str | None" = None
    ) -> None:
        """Store a file, or the content of an open stream, with the run under ``name``."""
        artifacts.store(self.folder, name, path_or_stream)

    def upload_files(
        self,
        names: "Iterable[str]",
        paths: "Iterable[Source]",
        return_artifacts: bool = False,
        timeout_seconds: "float | None" = None,
        datastore_name: "str | None" = None,
    ) -> "list[str] | None":
        """Store the files at ``paths`` under ``names``; ``return_artifacts`` returns the names."""
        names, paths = list(names), list(paths)
        if len(names) != len(paths):
            raise UserErrorException(
                "upload_files got {} names but {} paths.".format(len(names), len(paths)),
                "Give one path for each name.",
            )
        stored = [
            artifacts.store(self.folder, name, paths[index]) for index, name in enumerate(names)
        ]
        return stored if return_artifacts else None

    def upload_folder(
        self, name: "str | None", path: "StrPath", datastore_name: "str | None" = None
    ) -> None:
        """Store all files of the folder ``path`` under names that start with ``name``."""
        artifacts.store_folder(self.folder, name, path)

    def get_file_names(self) -> "list[str]":
        """The names of the run's files: outputs, logs and uploads."""
        return artifacts.names(self.folder)

    def download_file(
        self, name: str, output_file_path: "StrPath | None" = None, **kwargs: object
    ) -> None:
        """Copy a file of the run to ``output_file_path`` (default: the current folder)."""
        artifacts.fetch(self.folder, name, output_file_path)

    def download_files(  # noqa: PLR0917
        self,
        prefix: "str | None" = None,
        output_directory: "StrPath | None" = None,
        output_paths: "Sequence[StrPath] | None" = None,
        batch_size: int = 100,
        append_prefix: bool = True,
        timeout_seconds: "float | None" = None,
    ) -> None:
        """Copy all files whose names start with ``prefix`` into ``output_directory``."""
        artifacts.fetch_all(self.folder, prefix, output_directory, output_paths, append_prefix)

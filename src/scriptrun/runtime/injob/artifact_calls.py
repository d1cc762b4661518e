"""The calls of a run about its files (Python 3.6+)."""

from scriptrun.runtime.injob import artifacts
from scriptrun.runtime.injob.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scriptrun.runtime.hints import Place, Source


class ArtifactCalls(object):
    """Mixed into a run: needs ``folder``. Files are kept with the run: a datastore's name is taken
    as v1's scripts give it, and makes no difference.
    """

    folder: str

    def upload_file(
        self, name: str, path_or_stream: "Source", datastore_name: "str | None" = None
    ) -> None:
        """Keep a file, or what an open stream gives, with the run under ``name``."""
        artifacts.store(self.folder, name, path_or_stream)

    def upload_files(
        self,
        names: "Iterable[str]",
        paths: "Iterable[Source]",
        return_artifacts: bool = False,
        timeout_seconds: "float | None" = None,
        datastore_name: "str | None" = None,
    ) -> "list[str] | None":
        """Keep the files at ``paths`` under ``names``; with ``return_artifacts`` their names."""
        names, paths = list(names), list(paths)
        if len(names) != len(paths):
            raise UserErrorException(
                "upload_files got {} names but {} paths.".format(len(names), len(paths)),
                "Give one path for each name.",
            )
        kept = [artifacts.store(self.folder, name, paths[at]) for at, name in enumerate(names)]
        return kept if return_artifacts else None

    def upload_folder(
        self, name: "str | None", path: "Place", datastore_name: "str | None" = None
    ) -> None:
        """Keep all files of the folder ``path`` under names that begin with ``name``."""
        artifacts.store_folder(self.folder, name, path)

    def get_file_names(self) -> "list[str]":
        """The names of the run's files: outputs, logs and what was uploaded."""
        return artifacts.names(self.folder)

    def download_file(
        self, name: str, output_file_path: "Place | None" = None, **kwargs: object
    ) -> None:
        """Copy one of the run's files here, or to ``output_file_path`` (a file or a folder)."""
        artifacts.fetch(self.folder, name, output_file_path)

    def download_files(  # noqa: PLR0917
        self,
        prefix: "str | None" = None,
        output_directory: "Place | None" = None,
        output_paths: "Sequence[Place] | None" = None,
        batch_size: int = 100,
        append_prefix: bool = True,
        timeout_seconds: "float | None" = None,
    ) -> None:
        """Copy all files whose names begin with ``prefix`` below ``output_directory``."""
        artifacts.fetch_all(self.folder, prefix, output_directory, output_paths, append_prefix)

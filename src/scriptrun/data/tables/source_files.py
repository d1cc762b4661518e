"""The files of a table: where pyarrow finds them, and the columns that their paths give."""

from __future__ import annotations

import functools
import operator

from scriptrun.data.datasets.content import Content
from scriptrun.data.errors import FileChanged
from scriptrun.data.stores.protocol import is_unchanged
from scriptrun.data.tables import arrow_filesystem, partitions
from scriptrun.data.tables import format as table_format

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import dataset, fs

    from scriptrun.data.cache.transfer import RemoteFile
    from scriptrun.data.tables.partitions import PathValue
    from scriptrun.runtime.hints import Json


class SourceFiles:
    """The files of a dataset, and how its ``options`` read them.

    ``paths`` are those in ``system``; ``names`` has each one's path in the dataset, and ``given``
    the types that the user set.
    """

    def __init__(self, files: Content, options: Json) -> None:
        remote_files = {file.path: file for file in files.remote_files()}
        self.options = options
        self.given: Json = options.get("types", {})
        self.system, self.paths = _system(remote_files)
        self.names = dict(zip(self.paths, remote_files, strict=True))
        text = options.get("partition_format")
        self._path_format = partitions.compile_format(text) if text else None
        self.path_schema = self._path_schema()

    def _path_schema(self) -> pa.Schema:
        """The columns from paths, and their types."""
        pa = table_format.arrow()
        columns = {"Path": pa.string()} if self.options.get("include_path") else {}
        if self._path_format is not None:
            for name, date_format in self._path_format.columns.items():
                columns[name] = pa.timestamp("us") if date_format else pa.string()
        return pa.schema(list(columns.items()))

    def path_values(self, path: str) -> dict[str, PathValue]:
        """The values of the columns from the path of the file at ``path``."""
        name = self.names[path]
        values: dict[str, PathValue] = {}
        if self.options.get("include_path"):
            values["Path"] = f"/{name}"
        if self._path_format is not None:
            values |= self._path_format.values(name)
        return values

    def with_path_columns(self, schema: pa.Schema) -> pa.Schema:
        """``schema`` and the columns from paths."""
        for field in self.path_schema:
            if field.name not in schema.names:
                schema = schema.append(field)
        return schema

    def open(
        self, paths: list[str], schema: pa.Schema, arrow_format: dataset.FileFormat
    ) -> dataset.FileSystemDataset:
        """Some of the files as pyarrow's dataset, with the columns from their paths."""
        from pyarrow import dataset

        values = map(self.path_values, paths) if len(self.path_schema) else ()
        conditions = [_equality_condition(path_values) for path_values in values] or None
        return dataset.FileSystemDataset.from_paths(
            paths,
            schema=self.with_path_columns(schema),
            format=arrow_format,
            filesystem=self.system,
            partitions=conditions,
        )


def _system(files: dict[str, RemoteFile]) -> tuple[fs.FileSystem, list[str]]:
    """(file system, paths there): the local file system if all files are local."""
    from pyarrow import fs

    local_folders = [folder for file in files.values() if (folder := file.store.folder)]
    if len(local_folders) < len(files):
        return arrow_filesystem.file_system(files), list(files)
    paths = []
    for folder, remote_file in zip(local_folders, files.values(), strict=True):
        entry = remote_file.store.stat(remote_file.entry.path)
        if entry is None or not is_unchanged(remote_file.store, entry, remote_file.entry.etag):
            raise FileChanged(
                f"File {remote_file.entry.path!r} in {remote_file.store.name} has changed "
                "or is missing."
            )
        paths.append(str(folder / remote_file.entry.path))
    return fs.LocalFileSystem(), paths


def _equality_condition(values: dict[str, PathValue]) -> pc.Expression:
    import pyarrow.compute as pc

    conditions = [pc.field(name) == pc.scalar(value) for name, value in values.items()]
    return functools.reduce(operator.and_, conditions)

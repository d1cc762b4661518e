"""The files of a table: where pyarrow finds them, and the columns that their paths give."""

from __future__ import annotations

import functools
import operator

from scriptrun.data.datasets.content import Content
from scriptrun.data.errors import FileChanged
from scriptrun.data.stores.protocol import is_unchanged
from scriptrun.data.tables import arrow_filesystem, file_errors, partitions
from scriptrun.data.tables import format as table_format
from scriptrun.data.tables.text_columns import Conversion, UnfitValue

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
        passed_over = set(options.get("passed_over", ()))
        remote_files = {
            file.path: file for file in files.remote_files() if file.path not in passed_over
        }
        self.options = options
        self.system, self.paths = _system(remote_files)
        self.names = dict(zip(self.paths, remote_files, strict=True))
        self._store_paths = {name: file.entry.path for name, file in remote_files.items()}
        text = options.get("partition_format")
        self._path_format = partitions.compile_format(text) if text else None
        types: Json = options.get("types", {})
        path_schema = self._path_schema()
        from_paths = {name: kind for name, kind in types.items() if name in path_schema.names}
        self.given: Json = {name: kind for name, kind in types.items() if name not in from_paths}
        self.path_schema = table_format.apply_types(path_schema, from_paths)

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
            values |= self._path_format.values(name, self._store_paths[name])
        return {column: self._path_value(column, value) for column, value in values.items()}

    def _path_value(self, column: str, value: PathValue) -> PathValue:
        """``value`` in the type that the user set for ``column``."""
        pa = table_format.arrow()
        given = self.options.get("types", {}).get(column)
        if given is None or not isinstance(value, str):
            return value
        texts, kind = pa.array([value]), self.path_schema.field(column).type
        formats, mark = given.get("formats") or (), given.get("decimal_mark", ".")
        try:
            found: PathValue = Conversion(kind, True, formats, mark).apply(column, texts)[0].as_py()
        except UnfitValue as error:
            raise file_errors.given_type_error(error) from None
        return found

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

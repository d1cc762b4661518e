"""The content of a dataset: its current files, or those of a fixed version."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path

from scriptrun.data.cache.transfer import RemoteFile
from scriptrun.data.datasets import manifest, selection
from scriptrun.data.datasets.manifest import Manifest, ManifestRow
from scriptrun.data.datasets.sources import Source, StoreRef, read_source, read_store_ref
from scriptrun.data.datastores.records import WorkspaceLike
from scriptrun.data.errors import DatasetValidationError
from scriptrun.data.stores.local import digest_in
from scriptrun.data.stores.protocol import FileEntry, HasDigests, Store, is_safe
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


#: local files up to this size are read when they are registered, and as many bytes in all
_LARGEST_DIGESTED = 64 << 20
_MOST_DIGESTED = 1 << 30
#: what opening a file costs, in bytes read
_PER_FILE = 1 << 14


class Root(Value):
    """A folder of a store in a dataset: ``folder`` in the store is ``under`` in the dataset."""

    store_ref: StoreRef
    folder: str
    under: str

    def dataset_path(self, entry: FileEntry) -> str:
        """A stored file's path in the dataset."""
        return self.under + entry.path[len(self.folder) :]

    def store_path(self, row: ManifestRow) -> str:
        """A dataset file's path in the store."""
        return self.folder + row.path[len(self.under) :]

    def value(self) -> Json:
        """The root as a JSON value."""
        return {**self.store_ref.value(), "folder": self.folder, "under": self.under}


class Content(Value):
    """The files of a dataset: the current ones of ``sources``, or those that ``manifest`` lists.

    ``steps`` select among them.
    """

    sources: list[Source]
    steps: list[Json] = fresh(default_factory=list)
    manifest: Manifest | None = None
    roots: list[Root] = fresh(default_factory=list)

    def with_step(self, step: Json) -> Content:
        """The content with one more selection step."""
        return self.replace(steps=[*self.steps, step])

    def rows(self) -> Iterator[ManifestRow]:
        """The files in the order of their paths.

        Raises DatasetValidationError for a source that matches no files.
        """
        first_step = self.steps[0] if self.steps else {}
        if self.manifest is not None and "skip" in first_step:
            return selection.apply(self.manifest.skip(first_step["skip"]), self.steps[1:])
        return selection.apply(self._all_rows(), self.steps)

    def _all_rows(self) -> Iterator[ManifestRow]:
        if self.manifest is not None:
            return self.manifest.rows()
        return _merge_rows(self.sources, self.resolve_roots())

    def resolve_roots(self) -> list[Root]:
        """The root of each source, or the roots of the fixed version."""
        return self.roots or roots_of(self.sources)

    def remote_files(self) -> Iterator[RemoteFile]:
        """The files, as input for ``transfer.download``."""
        roots = self.resolve_roots()
        stores: list[Store] = [root.store_ref.store() for root in roots]
        for row in self.rows():
            entry = FileEntry(roots[row.root_index].store_path(row), row.size, row.etag)
            yield RemoteFile(stores[row.root_index], entry, row.path)

    def check(self) -> None:
        """Raise DatasetValidationError if a source matches no files."""
        for source in self.sources:
            if next(source.entries(), None) is None:
                raise no_files_error(source)

    def freeze(self, workspace: WorkspaceLike, with_digests: bool = False) -> tuple[Content, Json]:
        """Write the files' manifest to the workspace; return the fixed content and its facts.

        ``with_digests``: of local files the manifest also says what they contain, up to a limit.

        The facts are JSON: ``files``, ``bytes``, ``manifest`` (a digest) and ``roots``. Raises
        DatasetValidationError for a path that leads out of its folder.
        """
        folder = workspace.directory / "manifests"
        roots = self.resolve_roots()

        def rows() -> Iterator[ManifestRow]:
            checked = _check_paths(self.rows())
            return _with_digests(checked, roots) if with_digests else checked

        try:
            summary = manifest.write(folder, rows())
        except manifest.UnsortedRows:
            summary = manifest.write(folder, sorted(rows()))
        facts: Json = {
            "files": summary.files,
            "bytes": summary.bytes,
            "manifest": summary.digest,
            "roots": [root.value() for root in roots],
        }
        listing = Manifest(manifest.manifest_path(folder, summary.digest))
        return Content(self.sources, [], listing, roots), facts

    def definition(self) -> Json:
        """The sources and steps as a JSON value."""
        value: Json = {"sources": [source.value() for source in self.sources]}
        if self.steps and self.manifest is not None:
            value["of"] = self.manifest.path.stem
        return {**value, "steps": self.steps} if self.steps else value


def from_facts(facts: Json, definition: Json, workspace: WorkspaceLike) -> Content:
    """The content of a version, from the facts that ``Content.freeze`` returned; lists nothing."""
    file = manifest.manifest_path(Path(workspace.directory) / "manifests", facts["manifest"])
    roots = [
        Root(read_store_ref(root, workspace), root["folder"], root["under"])
        for root in facts["roots"]
    ]
    sources = [read_source(source, workspace) for source in definition["sources"]]
    return Content(sources, [], Manifest(file), roots)


def no_files_error(source: Source) -> DatasetValidationError:
    """The error for a source that has no files."""
    passed_over = (
        " Tables skip names that begin with _ or ., and empty files." if source.for_table else ""
    )
    return DatasetValidationError(
        f"No files found at {source}.",
        f"Check the spelling; names are case-sensitive.{passed_over}",
    )


def roots_of(sources: list[Source]) -> list[Root]:
    """The root of each source.

    If all sources are in one store, paths in the dataset are relative to their deepest common
    folder. Otherwise each path begins with the store's name.
    """
    store_refs = list(dict.fromkeys(source.store_ref for source in sources))
    if len(store_refs) > 1:
        return [Root(source.store_ref, "", f"{source.store_ref.name}/") for source in sources]
    common = _common_folder([_folder(source) for source in sources])
    prefix = f"{common}/" if common else ""
    return [Root(source.store_ref, prefix, "") for source in sources]


def _folder(source: Source) -> str:
    """The folder of a source; for a single file, its parent folder."""
    if "*" in source.path or not source.path:
        return source.folder
    is_file = source.store_ref.store().stat(source.path) is not None
    return source.path.rpartition("/")[0] if is_file else source.path


def _common_folder(folders: list[str]) -> str:
    first, *rest = [folder.split("/") for folder in folders]
    length = len(first)
    for parts in rest:
        matches = [a == b for a, b in zip(first, parts, strict=False)]
        length = min(length, [*matches, False].index(False))
    return "/".join(first[:length])


def _merge_rows(sources: list[Source], roots: list[Root]) -> Iterator[ManifestRow]:
    streams = [
        _rows(source, root, number)
        for number, (source, root) in enumerate(zip(sources, roots, strict=True))
    ]
    if len(streams) == 1:
        return streams[0]
    return _drop_duplicates(heapq.merge(*streams))


def _drop_duplicates(rows: Iterator[ManifestRow]) -> Iterator[ManifestRow]:
    """Skip files that several sources match."""
    previous = None
    for row in rows:
        if row.path != previous:
            yield row
        previous = row.path


def _rows(source: Source, root: Root, number: int) -> Iterator[ManifestRow]:
    has_files = False
    for entry in source.entries():
        has_files = True
        yield ManifestRow(root.dataset_path(entry), entry.size, entry.etag, number)
    if not has_files:
        raise no_files_error(source)


def _with_digests(rows: Iterator[ManifestRow], roots: list[Root]) -> Iterator[ManifestRow]:
    """The rows, with a digest in the ETag of local files while there are not too many."""
    stores = [root.store_ref.store() for root in roots]
    remaining = _MOST_DIGESTED
    for row in rows:
        store = stores[row.root_index]
        is_small = row.size <= _LARGEST_DIGESTED and row.size + _PER_FILE <= remaining
        if not is_small or digest_in(row.etag) or not isinstance(store, HasDigests):
            yield row
            continue
        remaining -= row.size + _PER_FILE
        entry = store.stat(roots[row.root_index].store_path(row))
        if entry is None or entry.etag != row.etag:
            yield row
        else:
            yield row._replace(etag=store.etag_with_digest(entry))


def _check_paths(rows: Iterator[ManifestRow]) -> Iterator[ManifestRow]:
    for row in rows:
        if not is_safe(row.path):
            raise DatasetValidationError(
                f"Invalid path {row.path!r} in the dataset: it points outside its folder.",
                "Exclude it with narrower patterns.",
            )
        yield row

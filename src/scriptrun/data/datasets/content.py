"""The content of a dataset: its current files, or those of a fixed version."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path

from scriptrun.data.cache.transfer import Incoming
from scriptrun.data.datasets import manifest, selection
from scriptrun.data.datasets.manifest import Manifest, Row
from scriptrun.data.datasets.selection import Step
from scriptrun.data.datasets.sources import Json, Place, Source, place_of, source_of
from scriptrun.data.datastores.records import Home
from scriptrun.data.errors import DatasetValidationError
from scriptrun.data.stores.protocol import Entry, Store, is_safe
from scriptrun.spec.values import Value, fresh


class Root(Value):
    """A folder of a store in a dataset: ``folder`` in the store is ``under`` in the dataset."""

    place: Place
    folder: str
    under: str

    def path_of(self, entry: Entry) -> str:
        """A stored file's path in the dataset."""
        return self.under + entry.path[len(self.folder) :]

    def key_of(self, row: Row) -> str:
        """A dataset file's path in the store."""
        return self.folder + row.path[len(self.under) :]

    def value(self) -> Json:
        """The root as a JSON value."""
        return {**self.place.value(), "folder": self.folder, "under": self.under}


class Content(Value):
    """The files of a dataset: the current ones of ``sources``, or those that ``manifest`` lists.

    ``steps`` select among them.
    """

    sources: list[Source]
    steps: list[Step] = fresh(default_factory=list)
    fixed: Manifest | None = None
    roots: list[Root] = fresh(default_factory=list)

    def then(self, step: Step) -> Content:
        """The content with one more selection step."""
        return self.replace(steps=[*self.steps, step])

    def rows(self) -> Iterator[Row]:
        """The files in the order of their paths.

        Raises DatasetValidationError for a source that matches no files.
        """
        first = self.steps[0] if self.steps else {}
        if self.fixed is not None and "skip" in first:
            return selection.apply(self.fixed.skip(first["skip"]), self.steps[1:])
        return selection.apply(self._all(), self.steps)

    def _all(self) -> Iterator[Row]:
        if self.fixed is not None:
            return self.fixed.rows()
        return _merged(self.sources, self.places())

    def places(self) -> list[Root]:
        """The root of each source, or the roots of the fixed version."""
        return self.roots or roots_of(self.sources)

    def incoming(self) -> Iterator[Incoming]:
        """The files, as input for ``transfer.download``."""
        roots = self.places()
        stores: list[Store] = [root.place.store() for root in roots]
        for row in self.rows():
            entry = Entry(roots[row.place].key_of(row), row.size, row.etag)
            yield Incoming(stores[row.place], entry, row.path)

    def check(self) -> None:
        """Raise DatasetValidationError if a source matches no files."""
        for source in self.sources:
            if next(source.entries(), None) is None:
                raise nothing_in(source)

    def fix(self, home: Home) -> tuple[Content, Json]:
        """Write the files' manifest to the workspace; return the fixed content and its facts.

        The facts are JSON: ``files``, ``bytes``, ``manifest`` (a digest) and ``roots``. Raises
        DatasetValidationError for a path that leads out of its folder.
        """
        folder = home.directory / "manifests"
        try:
            done = manifest.write(folder, _safe(self.rows()))
        except manifest.Disorder:
            done = manifest.write(folder, sorted(_safe(self.rows())))
        roots = self.places()
        facts: Json = {
            "files": done.files,
            "bytes": done.bytes,
            "manifest": done.digest,
            "roots": [root.value() for root in roots],
        }
        listed = Manifest(manifest.file_of(folder, done.digest))
        return Content(self.sources, [], listed, roots), facts

    def definition(self) -> Json:
        """The sources and steps as a JSON value."""
        made: Json = {"sources": [source.value() for source in self.sources]}
        if self.steps and self.fixed is not None:
            made["of"] = self.fixed.path.stem
        return {**made, "steps": self.steps} if self.steps else made


def of_facts(facts: Json, definition: Json, home: Home) -> Content:
    """The content of a version, from the facts that ``Content.freeze`` returned; lists nothing."""
    file = manifest.file_of(Path(home.directory) / "manifests", facts["manifest"])
    roots = [Root(place_of(root, home), root["folder"], root["under"]) for root in facts["roots"]]
    sources = [source_of(each, home) for each in definition["sources"]]
    return Content(sources, [], Manifest(file), roots)


def nothing_in(source: Source) -> DatasetValidationError:
    """The error for a source that has no files."""
    return DatasetValidationError(
        f"No files found at {source}.", "Check the spelling; names are case-sensitive."
    )


def roots_of(sources: list[Source]) -> list[Root]:
    """The root of each source.

    If all sources are in one store, paths in the dataset are relative to their deepest common
    folder. Otherwise each path begins with the store's name.
    """
    places = list(dict.fromkeys(source.place for source in sources))
    if len(places) > 1:
        return [Root(source.place, "", f"{source.place.name}/") for source in sources]
    shared = _shared([_folder(source) for source in sources])
    cut = f"{shared}/" if shared else ""
    return [Root(source.place, cut, "") for source in sources]


def _folder(source: Source) -> str:
    """The folder of a source; for a single file, its parent folder."""
    if "*" in source.path or not source.path:
        return source.folder
    alone = source.place.store().stat(source.path) is not None
    return source.path.rpartition("/")[0] if alone else source.path


def _shared(folders: list[str]) -> str:
    first, *rest = [folder.split("/") for folder in folders]
    length = len(first)
    for other in rest:
        same = [a == b for a, b in zip(first, other, strict=False)]
        length = min(length, [*same, False].index(False))
    return "/".join(first[:length])


def _merged(sources: list[Source], roots: list[Root]) -> Iterator[Row]:
    streams = [
        _rows(source, root, number)
        for number, (source, root) in enumerate(zip(sources, roots, strict=True))
    ]
    if len(streams) == 1:
        return streams[0]
    return _once(heapq.merge(*streams))


def _once(rows: Iterator[Row]) -> Iterator[Row]:
    """Skip files that several sources match."""
    last = None
    for row in rows:
        if row.path != last:
            yield row
        last = row.path


def _rows(source: Source, root: Root, number: int) -> Iterator[Row]:
    found = False
    for entry in source.entries():
        found = True
        yield Row(root.path_of(entry), entry.size, entry.etag, number)
    if not found:
        raise nothing_in(source)


def _safe(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        if not is_safe(row.path):
            raise DatasetValidationError(
                f"Invalid path {row.path!r} in the dataset: it points outside its folder.",
                "Exclude it with narrower patterns.",
            )
        yield row

"""Deliver a job's inputs to a node: linked, laid out from the cache, mounted or copied."""

from __future__ import annotations

import filecmp
import os
import shutil
import time
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from scriptrun.data.cache.files import Cache
from scriptrun.data.cache.layout import Laid, Layout
from scriptrun.data.datasets import content as contents
from scriptrun.data.datasets.content import Content
from scriptrun.data.datastores import classes as datastore_classes
from scriptrun.data.errors import DatastoreException, FileChanged
from scriptrun.data.mount import mount as mounting
from scriptrun.data.stores.globs import is_pattern
from scriptrun.data.stores.protocol import Entry
from scriptrun.data.stores.timeouts import time_limit
from scriptrun.data.summary import amount
from scriptrun.delivery.log import Telling
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.runtime import files, identity
from scriptrun.spec.errors import ScriptrunError, UserErrorException
from scriptrun.store import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.runtime.hints import Json

_OWNER = "owner.json"
#: with mode="auto", inputs larger than this (in bytes) are mounted instead of downloaded
LARGE = 1 << 30


class Bringing:
    """The inputs of one job on this node. ``delivered`` maps each name to what the job gets."""

    def __init__(self, home: WorkspaceFiles, job: Json, order: Json, telling: Telling) -> None:
        self._home, self._job, self._order, self._telling = home, job, order, telling
        self._cache = Cache()
        named = f"{job['id']}.{order['attempt']}.{order['node']}"
        self.folder = _own_folder(named)
        self.brought: Json = {}
        self._layouts: list[tuple[str, Layout, Laid]] = []
        self._links: list[Path] = []
        self._mounts: list[tuple[str, mounting.Mounted]] = []
        #: bind mounts for a container: (host path, container path, writable)
        self.binds: list[tuple[str, str, bool]] = [(str(self.folder), str(self.folder), False)]

    def bring(self) -> None:
        """Deliver every input. Raises a ScriptrunError that names the input that failed."""
        for wanted in self._job["data"].get("inputs") or ():
            try:
                self.brought[wanted["name"]] = self._one(wanted)
            except ScriptrunError as error:
                message = f"cannot deliver input {wanted['name']!r}: {error.message}"
                raise UserErrorException(message, error.hint) from None

    def close(self) -> list[str]:
        """Unmount, repair changed cache files, remove the links, and release the cache.

        Returns the mount problems that occurred during the job.
        """
        mounts, self._mounts = self._mounts, []
        lost = [f"input {name!r}: {each.problem()}" for name, each in mounts if each.problem()]
        for _, mounted in mounts:
            mounted.close()
        layouts, self._layouts = self._layouts, []
        for name, layout, laid in layouts:
            changed = layout.mend()
            if changed:
                shown = ", ".join(changed[:3]) + (", ..." if len(changed) > 3 else "")
                self._telling.warn(
                    f"the job changed {len(changed)} files of input {name!r} ({shown}); scriptrun "
                    "removed them from this machine's cache; to modify files, use a copy "
                    "(as_download to an absolute path)"
                )
            laid.release()
        for link in self._links:
            if link.is_symlink() and self.folder in Path(os.readlink(link)).parents:
                link.unlink(missing_ok=True)  # the cached files may be shared with other runs
        shutil.rmtree(self.folder, ignore_errors=True)
        return lost

    def _one(self, wanted: Json) -> Json:
        began = time.monotonic()
        pin: Any = wanted.get("dataset")
        how: Json
        facts = {"kind": wanted["kind"], "mode": wanted["mode"], "variables": wanted["variables"]}
        if wanted["mode"] == "direct":
            return {**facts, "value": pin["id"], "pin": pin}
        if pin is None:
            place, how = self._live(wanted), {"how": "linked"}
        else:
            place, how = self._of_version(wanted, pin)
        seconds = round(time.monotonic() - began, 3)
        self._told(wanted, pin, how, place, seconds)
        return {**facts, "value": str(place), "path": str(place), "pin": pin}

    def _told(self, wanted: Json, pin: Any, how: Json, place: Path, seconds: float) -> None:
        size = {"files": pin["files"], "bytes": pin["bytes"]} if pin else {}
        self._telling.data(input=wanted["name"], **how, **size, seconds=seconds, path=str(place))
        count = f"{amount(pin)}, " if pin else ""
        self._telling.line(
            f"input {wanted['name']}: {how['how']} ({count}{seconds:.1f} s): {place}"
        )

    def _live(self, wanted: Json) -> Path:
        """Link a local datastore's path as it is: the job may write there too."""
        store = datastore_classes.get(self._home, wanted["datastore"]).store
        assert store.folder is not None
        place = store.folder / wanted["path"]
        if not place.exists():
            place.mkdir(parents=True, exist_ok=True)
        return self._linked(wanted, place, private=False)

    def _of_version(self, wanted: Json, pin: Any) -> tuple[Path, Json]:
        content = contents.of_facts(pin, pin["definition"], self._home)
        target = _asked_for(wanted)
        mode = wanted["mode"]
        if mode == "auto":
            mode = "mount" if pin["bytes"] > LARGE or _is_here(content) else "download"
        whole = _folder_itself(content) if mode == "mount" else None
        if whole is not None:
            return _one_file(self._linked(wanted, whole), content, pin), {"how": "linked"}
        if mode == "mount" and self._may_mount(wanted, content):
            return self._mount(wanted, content, pin), {"how": "mounted"}
        laid = self._lay_out(wanted, content)
        how: Json = {
            "how": "downloaded" if laid.fetched else "cached" if laid.away else "linked",
            "fetched": laid.fetched,
            "fetched_bytes": laid.fetched_bytes,
        }
        if target is not None and mode == "download":
            _copy(content, laid.folder, target, bool(wanted.get("overwrite")))
            self._seen_by_containers(target, target, True)
            return _one_file(target, content, pin), {**how, "copied": str(target)}
        return _one_file(self._linked(wanted, laid.folder), content, pin), how

    def _may_mount(self, wanted: Json, content: Content) -> bool:
        """Whether to mount the files: not if they are local already, or mounting is unavailable."""
        if _is_here(content) or Layout(content, self._cache).is_done():
            return False
        why_not = mounting.available()
        if why_not:
            note = f"input {wanted['name']!r} will be downloaded instead of mounted: {why_not}"
            if note not in self._job.get("notes", ()):
                self._telling.note(note)
        return not why_not

    def _mount(self, wanted: Json, content: Content, pin: Json) -> Path:
        place = self.folder / "mounts" / wanted["name"]
        mounting.clear_stale()
        mounted = mounting.mount(
            content, place, self._cache.folder, time_limit(), self._telling.warn
        )
        self._mounts.append((wanted["name"], mounted))
        return _one_file(self._linked(wanted, place), content, pin)

    def _lay_out(self, wanted: Json, content: Content) -> Laid:
        assert content.fixed is not None
        own = "" if _has_etags(content) else self.folder.name
        layout = Layout(content, self._cache, own)
        name = wanted["name"]

        def progress(files: int, all_files: int, size: int, all_size: int) -> None:
            self._telling.line(
                f"input {name}: {files:,}/{all_files:,} files, {size:,}/{all_size:,} bytes"
            )

        laid = layout.lay_out(progress)
        for root in content.places():  # a layout may link to local files outside it
            folder = root.place.store().folder
            if folder is not None:
                self._seen_by_containers(folder, folder, False)
        self._layouts.append((name, layout, laid))
        return laid

    def _linked(self, wanted: Json, target: Path, private: bool = True) -> Path:
        """Link ``target`` at the requested path, or in the inputs folder; return the link."""
        asked = _asked_for(wanted)
        if asked is None and wanted.get("path_on_compute"):
            asked = Path(self._order["work"]) / os.path.expandvars(wanted["path_on_compute"])
        elif asked is None:
            asked = self.folder / "inputs" / wanted["name"]
        else:
            self._links.append(asked)
        _link(asked, target, (self._cache.folder, self.folder.parent))
        real = target.resolve()
        self._seen_by_containers(real, real, not private)
        if asked in self._links:
            self._seen_by_containers(real, asked, not private)
        return asked

    def _seen_by_containers(self, here: Path, there: Path, write: bool) -> None:
        bind = (str(here), str(there), write)
        if bind not in self.binds:
            self.binds.append(bind)


def _own_folder(named: str) -> Path:
    """Create this run's runtime folder, and remove those that dead helpers left behind."""
    folder = paths.runtime_folder("data", named)
    files.write_atomic(str(folder / _OWNER), files.to_json(identity.identify()))
    for other in folder.parent.iterdir():
        owner = files.read_json(str(other / _OWNER))
        if owner and identity.is_local(owner) and not identity.is_alive(owner):
            mounting.clear_stale()
            shutil.rmtree(other, ignore_errors=True)
    return folder


def _is_here(content: Content) -> bool:
    """Whether all files are on this machine already."""
    return all(root.place.store().folder is not None for root in content.places())


def _asked_for(wanted: Json) -> Path | None:
    """The absolute path that the job requested, with variables expanded, or None."""
    text = os.path.expandvars(wanted.get("path_on_compute") or "")
    return Path(os.path.normpath(text)) if os.path.isabs(text) else None


def _link(place: Path, target: Path, ours: tuple[Path, ...]) -> None:
    """Link ``place`` to ``target``, replacing an earlier run's link into one of ``ours``."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        before = Path(os.readlink(place)) if place.is_symlink() else None
        if before == target:
            return
        if before is not None and any(each in before.parents for each in ours):
            place.unlink()
        elif place.is_dir() and not os.listdir(place):
            place.rmdir()
        place.symlink_to(target)
    except FileExistsError:
        raise UserErrorException(
            f"{str(place)!r} already exists and is not empty.", "Use another path_on_compute."
        ) from None
    except OSError as error:
        raise UserErrorException(f"Cannot create {str(place)!r}: {error.strerror}.") from None


def _folder_itself(content: Content) -> Path | None:
    """The local folder that holds exactly the version's files, or None.

    Raises FileChanged if a file differs from the version's manifest.
    """
    roots = set(content.places())
    if len(roots) != 1:
        return None
    root = roots.pop()
    store = root.place.store()
    if store.folder is None or root.under:
        return None
    listed = _readable(store.list(root.folder))
    for row, entry in zip_longest(content.rows(), listed):
        if row is None or entry is None or root.path_of(entry) != row.path:
            return None
        if (entry.size, entry.etag) != (row.size, row.etag):
            raise FileChanged(f"File {entry.path!r} in {store.name} has changed.")
    return store.folder / root.folder if root.folder else store.folder


def _readable(entries: Iterator[Entry]) -> Iterator[Entry | None]:
    """Yield the entries, then None if the listing fails."""
    try:
        yield from entries
    except DatastoreException:
        yield None


def _has_etags(content: Content) -> bool:
    return all(row.etag for row in content.rows())


def _one_file(place: Path, content: Content, pin: Json) -> Path:
    """The path the script gets: the file if the dataset names a single file, else the folder."""
    if pin["files"] != 1:
        return place
    row = next(content.rows())
    sources = content.sources
    key = content.places()[row.place].key_of(row)
    if len(sources) == 1 and not is_pattern(sources[0].path) and key != sources[0].path:
        return place
    return place / row.path


def _copy(content: Content, source: Path, target: Path, overwrite: bool) -> None:
    """Copy a layout to a path that the job chose. Existing identical files are kept."""
    for row in content.rows():
        place, origin = target / row.path, source / row.path
        try:
            if place.exists() and not overwrite:
                if filecmp.cmp(origin, place, shallow=False):
                    continue
                raise UserErrorException(
                    f"{str(place)!r} already exists with different content.",
                    "Remove it, or use another path_on_compute.",
                )
            place.parent.mkdir(parents=True, exist_ok=True)
            part = place.with_name(f".{os.getpid()}.{place.name[:200]}")
            shutil.copyfile(origin, part)
            os.replace(part, place)
        except OSError as error:
            raise UserErrorException(f"Cannot write {str(place)!r}: {error.strerror}.") from None

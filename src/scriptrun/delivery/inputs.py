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
from scriptrun.data.cache.layout import LaidOut, Layout
from scriptrun.data.datasets import content as dataset_content
from scriptrun.data.datasets.content import Content
from scriptrun.data.datastores import classes as datastore_classes
from scriptrun.data.errors import DatastoreException, FileChanged
from scriptrun.data.mount import mount as dataset_mount
from scriptrun.data.stores.globs import is_pattern
from scriptrun.data.stores.protocol import FileEntry, is_unchanged
from scriptrun.data.stores.timeouts import time_limit
from scriptrun.data.summary import format_size
from scriptrun.delivery.log import DataLog
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.runtime import disks, files, foreign_names, identity
from scriptrun.spec.errors import ScriptrunError, UserErrorException
from scriptrun.spec.job import JobSpec
from scriptrun.spec.job_data import DatasetPin, JobInput
from scriptrun.store import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

_OWNER = "owner.json"
#: with mode="auto", inputs larger than this (in bytes) are mounted instead of downloaded
LARGE = 1 << 30


class InputDelivery:
    """The inputs of one job on this node. ``delivered`` maps each name to what the job gets."""

    def __init__(self, workspace: WorkspaceFiles, job: JobSpec, order: Json, log: DataLog) -> None:
        self._workspace, self._job, self._order, self._log = workspace, job, order, log
        self._cache = Cache()
        name = f"{job.id}.{order['attempt']}.{order['node']}"
        self.folder = _create_runtime_folder(name)
        self.delivered: Json = {}
        self._layouts: list[tuple[str, Layout, LaidOut]] = []
        self._links: list[Path] = []
        self._mounts: list[tuple[str, dataset_mount.ActiveMount]] = []
        #: bind mounts for a container: (host path, container path, writable)
        self.binds: list[tuple[str, str, bool]] = [(str(self.folder), str(self.folder), False)]

    def deliver(self) -> None:
        """Deliver every input. Raises a ScriptrunError that names the input that failed."""
        for input_spec in self._job.data.inputs:
            try:
                self.delivered[input_spec.name] = self._deliver_input(input_spec)
            except ScriptrunError as error:
                message = f"cannot deliver input {input_spec.name!r}: {error.message}"
                raise UserErrorException(message, error.hint) from None

    def close(self) -> list[str]:
        """Unmount, repair changed cache files, remove the links, and release the cache.

        Returns the mount problems that occurred during the job.
        """
        mounts, self._mounts = self._mounts, []
        mount_problems = [
            f"input {name!r}: {active.problem()}" for name, active in mounts if active.problem()
        ]
        for _, mount in mounts:
            mount.close()
        layouts, self._layouts = self._layouts, []
        for name, layout, laid_out in layouts:
            changed_paths = layout.repair()
            if changed_paths:
                examples = ", ".join(changed_paths[:3]) + (
                    ", ..." if len(changed_paths) > 3 else ""
                )
                self._log.warn(
                    f"the job changed {len(changed_paths)} files of input {name!r} ({examples}); "
                    "scriptrun "
                    "removed them from this machine's cache; to modify files, use a copy "
                    "(as_download to an absolute path)"
                )
            laid_out.release()
        for link in self._links:
            if link.is_symlink() and self.folder in Path(os.readlink(link)).parents:
                link.unlink(missing_ok=True)  # the cached files may be shared with other runs
        shutil.rmtree(self.folder, ignore_errors=True)
        return mount_problems

    def _deliver_input(self, input_spec: JobInput) -> Json:
        start = time.monotonic()
        pin = input_spec.dataset
        details: Json
        facts = {
            "kind": input_spec.kind,
            "mode": input_spec.mode,
            "variables": list(input_spec.variables),
            "pin": None if pin is None else pin.as_dict(),
        }
        if input_spec.mode == "direct" and pin is not None:
            return {**facts, "value": pin.id}
        if pin is None:
            path, details = self._link_live_path(input_spec), {"how": "linked"}
        else:
            path, details = self._deliver_version(input_spec, pin)
        seconds = round(time.monotonic() - start, 3)
        self._log_delivery(input_spec, pin, details, path, seconds)
        return {**facts, "value": str(path), "path": str(path)}

    def _log_delivery(
        self,
        input_spec: JobInput,
        pin: DatasetPin | None,
        details: Json,
        path: Path,
        seconds: float,
    ) -> None:
        totals = {"files": pin.files, "bytes": pin.bytes} if pin else {}
        self._log.data(input=input_spec.name, **details, **totals, seconds=seconds, path=str(path))
        count = f"{format_size(totals)}, " if pin else ""
        self._log.line(
            f"input {input_spec.name}: {details['how']} ({count}{seconds:.1f} s): {path}"
        )

    def _link_live_path(self, input_spec: JobInput) -> Path:
        """Link a local datastore's path as it is: the job may write there too."""
        store = datastore_classes.get(self._workspace, str(input_spec.datastore)).store
        assert store.folder is not None
        path = store.folder / (input_spec.path or "")
        if not path.exists():
            path.mkdir(parents=True, exist_ok=True)
        return self._link_input(input_spec, path, read_only=False)

    def _deliver_version(self, input_spec: JobInput, pin: DatasetPin) -> tuple[Path, Json]:
        content = dataset_content.from_facts(pin.as_dict(), pin.definition, self._workspace)
        target = _requested_path(input_spec)
        mode = input_spec.mode
        if mode == "auto":
            mode = "mount" if pin.bytes > LARGE or _is_local(content) else "download"
        local_folder = _matching_local_folder(content) if mode == "mount" else None
        if local_folder is not None:
            return _path_for_script(self._link_input(input_spec, local_folder), content, pin), {
                "how": "linked"
            }
        if mode == "mount" and self._can_mount(input_spec, content):
            return self._mount(input_spec, content, pin), {"how": "mounted"}
        laid_out = self._lay_out(input_spec, content)
        details: Json = {
            "how": "downloaded"
            if laid_out.fetched
            else "cached"
            if laid_out.from_remote
            else "linked",
            "fetched": laid_out.fetched,
            "fetched_bytes": laid_out.fetched_bytes,
        }
        if target is not None and mode == "download":
            _copy_files(content, laid_out.folder, target, input_spec.overwrite)
            self._add_bind(target, target, True)
            return _path_for_script(target, content, pin), {**details, "copied": str(target)}
        return _path_for_script(
            self._link_input(input_spec, laid_out.folder), content, pin
        ), details

    def _can_mount(self, input_spec: JobInput, content: Content) -> bool:
        """Whether to mount the files: not if they are local already, or mounting is unavailable."""
        if _is_local(content) or Layout(content, self._cache).is_complete():
            return False
        reason = dataset_mount.available()
        if reason:
            note = f"input {input_spec.name!r} will be downloaded instead of mounted: {reason}"
            if note not in self._job.notes:
                self._log.note(note)
        return not reason

    def _mount(self, input_spec: JobInput, content: Content, pin: DatasetPin) -> Path:
        mountpoint = self.folder / "mounts" / input_spec.name
        dataset_mount.clear_stale()
        mount = dataset_mount.mount(
            content, mountpoint, self._cache.folder, time_limit(), self._log.warn
        )
        self._mounts.append((input_spec.name, mount))
        return _path_for_script(self._link_input(input_spec, mountpoint), content, pin)

    def _lay_out(self, input_spec: JobInput, content: Content) -> LaidOut:
        assert content.manifest is not None
        private_key = "" if _has_etags(content) else self.folder.name
        layout = Layout(content, self._cache, private_key)
        name = input_spec.name

        def progress(files: int, all_files: int, size: int, all_size: int) -> None:
            self._log.line(
                f"input {name}: {files:,}/{all_files:,} files, {size:,}/{all_size:,} bytes"
            )

        laid_out = layout.lay_out(progress)
        for root in content.resolve_roots():  # a layout may link to local files outside it
            folder = root.store_ref.store().folder
            if folder is not None:
                self._add_bind(folder, folder, False)
        self._layouts.append((name, layout, laid_out))
        return laid_out

    def _link_input(self, input_spec: JobInput, target: Path, read_only: bool = True) -> Path:
        """Link ``target`` at the requested path, or in the inputs folder; return the link."""
        link = _requested_path(input_spec)
        if link is None and input_spec.path_on_compute:
            link = Path(self._order["work"]) / os.path.expandvars(input_spec.path_on_compute)
        elif link is None:
            link = self.folder / "inputs" / input_spec.name
        else:
            self._links.append(link)
        _create_link(link, target, (self._cache.folder, self.folder.parent))
        real_path = target.resolve()
        self._add_bind(real_path, real_path, not read_only)
        if link in self._links:
            self._add_bind(real_path, link, not read_only)
        return link

    def _add_bind(self, host_path: Path, container_path: Path, writable: bool) -> None:
        bind = (str(host_path), str(container_path), writable)
        if bind not in self.binds:
            self.binds.append(bind)


def _create_runtime_folder(name: str) -> Path:
    """Create this run's runtime folder, and remove those that dead helpers left behind."""
    folder = paths.runtime_folder("data", name)
    owner_file = str(folder / _OWNER)
    files.write_atomic(owner_file, files.to_json(identity.identify()), durable=False)
    for sibling in folder.parent.iterdir():
        owner = files.read_object(sibling / _OWNER)
        if owner and identity.is_local(owner) and not identity.is_alive(owner):
            dataset_mount.clear_stale()
            shutil.rmtree(sibling, ignore_errors=True)
    return folder


def _is_local(content: Content) -> bool:
    """Whether all files are on this machine already."""
    return all(root.store_ref.store().folder is not None for root in content.resolve_roots())


def _requested_path(input_spec: JobInput) -> Path | None:
    """The absolute path that the job requested, with variables expanded, or None."""
    text = os.path.expandvars(input_spec.path_on_compute or "")
    return Path(os.path.normpath(text)) if os.path.isabs(text) else None


def _create_link(path: Path, target: Path, own_roots: tuple[Path, ...]) -> None:
    """Link ``path`` to ``target``, replacing an earlier run's link into one of ``own_roots``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        old_target = Path(os.readlink(path)) if path.is_symlink() else None
        if old_target == target:
            return
        if old_target is not None and any(root in old_target.parents for root in own_roots):
            path.unlink()
        elif path.is_dir() and not os.listdir(path):
            path.rmdir()
        path.symlink_to(target)
    except FileExistsError:
        raise UserErrorException(
            f"{str(path)!r} already exists and is not empty.", "Use another path_on_compute."
        ) from None
    except OSError as error:
        raise UserErrorException(
            f"Cannot create {str(path)!r}: {disks.describe(error, path)}."
        ) from None


def _matching_local_folder(content: Content) -> Path | None:
    """The local folder that holds exactly the version's files, or None.

    Raises FileChanged if a file differs from the version's manifest.
    """
    roots = set(content.resolve_roots())
    if len(roots) != 1:
        return None
    root = roots.pop()
    store = root.store_ref.store()
    if store.folder is None or root.under:
        return None
    entries = _until_unreadable(store.list(root.folder))
    for row, entry in zip_longest(content.rows(), entries):
        if row is None or entry is None or root.dataset_path(entry) != row.path:
            return None
        if entry.size != row.size or not is_unchanged(store, entry, row.etag):
            raise FileChanged(f"File {entry.path!r} in {store.name} has changed.")
    return store.folder / root.folder if root.folder else store.folder


def _until_unreadable(entries: Iterator[FileEntry]) -> Iterator[FileEntry | None]:
    """Yield the entries, then None if the listing fails."""
    try:
        yield from entries
    except DatastoreException:
        yield None


def _has_etags(content: Content) -> bool:
    return all(row.etag for row in content.rows())


def _path_for_script(folder: Path, content: Content, pin: DatasetPin) -> Path:
    """The path the script gets: the file if the dataset names a single file, else the folder."""
    if pin.files != 1:
        return folder
    row = next(content.rows())
    sources = content.sources
    store_path = content.resolve_roots()[row.root_index].store_path(row)
    if len(sources) == 1 and not is_pattern(sources[0].path) and store_path != sources[0].path:
        return folder
    return folder / row.path


def _copy_files(content: Content, source: Path, target: Path, overwrite: bool) -> None:
    """Copy a layout to a path that the job chose. Existing identical files are kept."""
    for row in content.rows():
        target_path = Path(foreign_names.join(target, row.path, "The list of the dataset's files"))
        source_path = source / row.path
        try:
            if target_path.exists() and not overwrite:
                if filecmp.cmp(source_path, target_path, shallow=False):
                    continue
                raise UserErrorException(
                    f"{str(target_path)!r} already exists with different content.",
                    "Remove it, or use another path_on_compute.",
                )
            target_path.parent.mkdir(parents=True, exist_ok=True)
            part = target_path.with_name(f".{os.getpid()}.{target_path.name[:200]}")
            shutil.copyfile(source_path, part)
            os.replace(part, target_path)
        except OSError as error:
            raise UserErrorException(
                f"Cannot write {str(target_path)!r}: {disks.describe(error, target_path)}."
            ) from None

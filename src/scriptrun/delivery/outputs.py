"""Upload a job's outputs to their datastores and verify each file before the run completes."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from scriptrun.data.cache import transfer
from scriptrun.data.datasets import sources
from scriptrun.data.datasets.file import FileDatasetFactory
from scriptrun.data.datastores import classes as datastore_classes
from scriptrun.data.errors import AccessDenied, FileExists, StoreUnreachable
from scriptrun.data.stores import probe
from scriptrun.data.stores.local import check_readable
from scriptrun.data.stores.object import ObjectStore
from scriptrun.data.summary import fill_in
from scriptrun.delivery.log import DataLog
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.runtime import file_walk, source_files
from scriptrun.runtime.linked_content import PART_SUFFIX, LinkedContent
from scriptrun.runtime.linked_limit import LinkedLimit
from scriptrun.spec.errors import ScriptrunError, UserErrorException
from scriptrun.spec.job import JobSpec
from scriptrun.spec.job_data import JobOutput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.data.stores.protocol import Store
    from scriptrun.runtime.hints import Json

#: seconds between two scans of an output that is uploaded while the job runs
SCAN_INTERVAL = 2.0
#: seconds to wait for an output's store to respond before the script starts
CHECK_TIMEOUT = 5.0


class OutputDelivery:
    """The outputs of one job on this node. ``ready`` maps each name to what the job gets."""

    def __init__(self, workspace: WorkspaceFiles, job: JobSpec, order: Json, log: DataLog) -> None:
        self._workspace, self._job, self._order, self._log = workspace, job, order, log
        self._root = Path(order["folder"]) / "data" / f"{order['attempt']}-{order['node']}"
        self.ready: Json = {}
        self._outputs: list[Output] = []

    def prepare(self) -> None:
        """Create the folders that the job writes to."""
        for output_spec in self._job.data.outputs:
            path = fill_in(output_spec.path, self._job.id, output_spec.name)
            store = datastore_classes.get(self._workspace, output_spec.datastore).store
            is_mount = output_spec.mode == "mount"
            direct_folder = store.folder / path if store.folder is not None and is_mount else None
            folder = self._create_folder(output_spec, direct_folder)
            self.ready[output_spec.name] = {
                "kind": "output",
                "mode": output_spec.mode,
                "value": str(folder),
                "path": str(folder),
            }
            if isinstance(store, ObjectStore):
                _check_store(output_spec.name, store, path)
            is_direct = direct_folder is not None and folder.resolve() == direct_folder.resolve()
            output = Output(output_spec, store, path, folder, is_direct, self._log)
            output.is_retry = self._order["attempt"] > 1
            output.work = self._order["work"]
            self._outputs.append(output)
            output.start_watching()

    def send(self, state: str) -> None:
        """Upload and verify the outputs, and register the datasets that the job requested.

        Raises UserErrorException that lists every failed output; their files are kept.
        """
        problems = []
        for output in self._outputs:
            try:
                output.send()
            except ScriptrunError as error:
                problems.append(self._keep_files(output, error))
        if problems:
            raise UserErrorException("; ".join(problems))
        shutil.rmtree(self._root, ignore_errors=True)
        if state == "Completed" and self._order["nodes"] == 1:
            self.register()

    def register(self) -> None:
        """Register the outputs as datasets, once all nodes have uploaded their files."""
        for output in self._outputs:
            try:
                self._register(output)
            except ScriptrunError as error:
                name = output.spec.name
                message = f"cannot register output {name!r}: {error.message}"
                raise UserErrorException(message, error.hint) from None

    def close(self) -> None:
        """Stop watching all outputs."""
        for output in self._outputs:
            output.stop_watching()

    def _create_folder(self, output_spec: JobOutput, direct_folder: Path | None) -> Path:
        """Create the folder that the job writes to, and return it."""
        source = os.path.expandvars(output_spec.source or "")
        if direct_folder is not None:
            direct_folder.mkdir(parents=True, exist_ok=True)
        if direct_folder is not None and not source:
            return direct_folder
        folder = Path(self._order["work"]) / source if source else self._root / output_spec.name
        folder.mkdir(parents=True, exist_ok=True)
        if direct_folder is not None and not any(folder.iterdir()):
            folder.rmdir()
            folder.symlink_to(direct_folder)
        return folder

    def _register(self, output: Output) -> None:
        registration = output.spec.registration
        if registration is None:
            return
        store = datastore_classes.get(self._workspace, output.spec.datastore)
        dataset = FileDatasetFactory.from_files((store, output.path))
        registered = dataset.register(
            self._workspace,
            registration.name,
            registration.description,
            registration.tags,
            True,
        )
        self._log.note(f"registered dataset {registered.name!r}, version {registered.version}")

    def _keep_files(self, output: Output, error: ScriptrunError) -> str:
        name = output.spec.name
        message = f"cannot upload output {name!r}: {error.message}"
        folder = output.folder
        if folder.exists() and self._root not in folder.parents:
            copy = self._root / name
            try:
                shutil.copytree(folder, copy, dirs_exist_ok=True)
                folder = copy
            except OSError:
                pass
        return f"{message} Its files remain in {folder}."


def _check_store(name: str, store: ObjectStore, path: str) -> None:
    """Check before the script starts that the output's store can be used.

    A store that is slow or denies listing may still accept the upload later, so only a missing
    bucket or missing or invalid credentials fail here. Raises UserErrorException for those.
    """
    error = probe.listing_error(store, path, CHECK_TIMEOUT)
    if isinstance(error, ScriptrunError) and not isinstance(error, StoreUnreachable | AccessDenied):
        message = f"cannot upload output {name!r}: {error.message}"
        raise UserErrorException(message, error.hint)


class Output:
    """One output folder, uploaded at the end, or with mode mount as soon as files stop changing."""

    def __init__(
        self, spec: JobOutput, store: Store, path: str, folder: Path, is_direct: bool, log: DataLog
    ) -> None:
        self.spec, self.store, self.path, self.folder = spec, store, path, folder
        self.is_direct, self._log = is_direct, log
        self.is_retry = False
        #: the job's working directory, which is removed at the end
        self.work = ""
        self._uploaded: dict[str, tuple[int, int]] = {}
        self._last_scan: dict[str, tuple[int, int]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._started = time.monotonic()

    def start_watching(self) -> None:
        """Watch the folder if its files are uploaded while the job runs."""
        if self.spec.mode == "mount" and not self.is_direct:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    def stop_watching(self) -> None:
        """Stop the watching thread, if there is one."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def send(self) -> None:
        """Upload every file that has not been uploaded in its current state."""
        self.stop_watching()
        start = time.monotonic()
        if self.is_direct:
            self._keep_linked_content()
        else:
            left_out: list[tuple[str, str]] = []
            files = self._scan(lambda *each: left_out.append(each))
            check_readable(self.folder, left_out)
            self._warn("were not uploaded", left_out)
            for name in [name for name in self._uploaded if name not in files]:
                self.store.delete(self._store_path(name))
                del self._uploaded[name]
            self._upload({n: stamp for n, stamp in files.items() if self._uploaded.get(n) != stamp})
        size = sum(size for size, _ in self._uploaded.values())
        seconds = round(time.monotonic() - start, 3)
        destination = f"{self.spec.datastore}:{self.path}"
        facts = {"files": len(self._uploaded), "bytes": size} if not self.is_direct else {}
        method = "written directly" if self.is_direct else "uploaded"
        self._log.data(output=self.spec.name, how=method, to=destination, seconds=seconds, **facts)
        self._log.line(f"output {self.spec.name}: {method} to {destination} {facts or ''}")

    def _keep_linked_content(self) -> None:
        """Let what was written directly hold no links into the job's working directory."""
        if self.store.folder is None or not self.work:
            return
        folder = os.path.realpath(self.store.folder / self.path)
        limit = LinkedLimit(folder, os.environ)
        links = LinkedContent(folder, self.work, False, only_from_work=True, limit=limit)
        links.keep()
        self._warn("could not be kept", links.unkept)

    def _warn(self, outcome: str, reasons: list[tuple[str, str]]) -> None:
        if reasons:
            self._log.warn(
                f"output {self.spec.name}: files {outcome}: {file_walk.describe(reasons)}"
            )

    def _scan(self, leave_out: Callable[[str, str], object]) -> dict[str, tuple[int, int]]:
        """The selected files, each with its size and modification time."""
        files = {}
        globs = self.spec.source_globs
        matchers = [sources.path_matcher(glob) for glob in globs] if globs else None
        unchanged = self._unchanged_names()
        for name in file_walk.files_below(self.folder, leave_out=leave_out):
            is_selected = matchers is None or any(matches(name) for matches in matchers)
            if not is_selected or name.endswith(PART_SUFFIX) or name in unchanged:
                continue
            try:
                status = (self.folder / name).stat()
            except OSError as error:  # the script has just removed it
                leave_out(name, str(error.strerror))
                continue
            files[name] = (status.st_size, status.st_mtime_ns)
        return files

    def _unchanged_names(self) -> set[str]:
        """The source's files in the folder that the script left as they were."""
        if not self.work or not self.spec.source:
            return set()
        prefix = os.path.relpath(self.folder, self.work).replace(os.sep, "/") + "/"
        prefix = "" if prefix == "./" else prefix
        found = source_files.unchanged(self.work)
        return {name[len(prefix) :] for name in found if name.startswith(prefix)}

    def _upload(self, stamps: dict[str, tuple[int, int]]) -> None:
        must_be_new = not (self.spec.overwrite or self.spec.mode == "mount" or self.is_retry)

        def put(name: str) -> None:
            try:
                transfer.put(self.store, self.folder / name, self._store_path(name), must_be_new)
            except FileExists:
                raise UserErrorException(
                    f"{self._store_path(name)!r} already exists in {self.store.name}. Use "
                    "as_upload(overwrite=True) to replace it."
                ) from None
            self._uploaded[name] = stamps[name]

        transfer.in_parallel(put, list(stamps), self.store.at_once)

    def _store_path(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name

    def _watch(self) -> None:
        """Upload files that did not change between two scans; ``send`` uploads the rest."""
        while not self._stop.wait(SCAN_INTERVAL):
            scan = self._scan(lambda *_: None)
            stable = {
                name: stamp
                for name, stamp in scan.items()
                if self._last_scan.get(name) == stamp and self._uploaded.get(name) != stamp
            }
            self._last_scan = scan
            try:
                self._upload(stable)
            except (ScriptrunError, OSError) as error:
                self._log.line(f"output {self.spec.name}: {error}; retrying")

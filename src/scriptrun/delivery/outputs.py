"""Upload a job's outputs to their datastores and verify each file before the run completes."""

from __future__ import annotations

import os
import queue
import shutil
import threading
import time
from pathlib import Path

from scriptrun.data.cache import transfer
from scriptrun.data.datasets import sources
from scriptrun.data.datasets.file import FileDatasetFactory
from scriptrun.data.datastores import classes as datastore_classes
from scriptrun.data.errors import FileExists, Refused, Unreachable
from scriptrun.data.stores.local import LocalStore
from scriptrun.data.stores.object import ObjectStore
from scriptrun.data.summary import fill_in
from scriptrun.delivery.log import Telling
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.errors import ScriptrunError, UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.runtime.hints import Json

#: seconds between two scans of an output that is uploaded while the job runs
LOOK = 2.0
#: seconds to wait for an output's store to respond before the script starts
SOON = 5.0


class Sending:
    """The outputs of one job on this node. ``ready`` maps each name to what the job gets."""

    def __init__(self, home: WorkspaceFiles, job: Json, order: Json, telling: Telling) -> None:
        self._home, self._job, self._order, self._telling = home, job, order, telling
        self._root = Path(order["folder"]) / "data" / f"{order['attempt']}-{order['node']}"
        self.ready: Json = {}
        self._outputs: list[Output] = []

    def prepare(self) -> None:
        """Create the folders that the job writes to."""
        for wanted in self._job["data"].get("outputs") or ():
            path = fill_in(wanted["path"], self._job["id"], wanted["name"])
            store = datastore_classes.get(self._home, wanted["datastore"]).store
            mounted = wanted["mode"] == "mount"
            direct = store.folder / path if store.folder is not None and mounted else None
            place = self._place(wanted, direct)
            self.ready[wanted["name"]] = {
                "kind": "output",
                "mode": wanted["mode"],
                "value": str(place),
                "path": str(place),
            }
            if isinstance(store, ObjectStore):
                _see_that_it_is_there(wanted["name"], store, path)
            output = Output(wanted, store, path, place, direct is not None, self._telling)
            output.again = self._order["attempt"] > 1
            self._outputs.append(output)
            output.begin()

    def send(self, state: str) -> None:
        """Upload and verify the outputs, and register the datasets that the job requested.

        Raises UserErrorException that lists every failed output; their files are kept.
        """
        problems = []
        for output in self._outputs:
            try:
                output.send()
            except ScriptrunError as error:
                problems.append(self._kept(output, error))
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
                name = output.wanted["name"]
                message = f"cannot register output {name!r}: {error.message}"
                raise UserErrorException(message, error.hint) from None

    def close(self) -> None:
        """Stop watching all outputs."""
        for output in self._outputs:
            output.end()

    def _place(self, wanted: Json, direct: Path | None) -> Path:
        """Create the folder that the job writes to, and return it."""
        source = os.path.expandvars(wanted.get("source") or "")
        if direct is not None:
            direct.mkdir(parents=True, exist_ok=True)
        if direct is not None and not source:
            return direct
        place = Path(self._order["work"]) / source if source else self._root / wanted["name"]
        place.mkdir(parents=True, exist_ok=True)
        if direct is not None and not any(place.iterdir()):
            place.rmdir()
            place.symlink_to(direct)
        return place

    def _register(self, output: Output) -> None:
        asked = output.wanted.get("registration")
        if not asked:
            return
        store = datastore_classes.get(self._home, output.wanted["datastore"])
        made = FileDatasetFactory.from_files((store, output.path))
        kept = made.register(
            self._home, asked["name"], asked.get("description"), asked.get("tags"), True
        )
        self._telling.note(f"registered dataset {kept.name!r}, version {kept.version}")

    def _kept(self, output: Output, error: ScriptrunError) -> str:
        name = output.wanted["name"]
        text = f"cannot upload output {name!r}: {error.message}"
        place = output.place
        if place.exists() and self._root not in place.parents:
            kept = self._root / name
            try:
                shutil.copytree(place, kept, dirs_exist_ok=True)
                place = kept
            except OSError:
                pass
        return f"{text} Its files remain in {place}."


def _see_that_it_is_there(name: str, store: ObjectStore, path: str) -> None:
    """Check before the script starts that the output's store can be used.

    A store that is slow or denies listing may still accept the upload later, so only a missing
    bucket or missing or invalid credentials fail here. Raises UserErrorException for those.
    """
    answers: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            next(iter(store.list(path)), None)
            answers.put(None)
        except Exception as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        error = answers.get(timeout=SOON)
    except queue.Empty:
        return
    if isinstance(error, ScriptrunError) and not isinstance(error, Unreachable | Refused):
        message = f"cannot upload output {name!r}: {error.message}"
        raise UserErrorException(message, error.hint)


class Output:
    """One output folder, uploaded at the end, or with mode mount as soon as files stop changing."""

    def __init__(
        self, wanted: Json, store: Any, path: str, place: Path, direct: bool, telling: Any
    ) -> None:
        self.wanted, self.store, self.path, self.place = wanted, store, path, place
        self.direct, self._telling = direct, telling
        self.again = False
        self._sent: dict[str, tuple[int, int]] = {}
        self._seen: dict[str, tuple[int, int]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._began = time.monotonic()

    def begin(self) -> None:
        """Watch the folder if its files are uploaded while the job runs."""
        if self.wanted["mode"] == "mount" and not self.direct:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Stop the watching thread, if there is one."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def send(self) -> None:
        """Upload every file that has not been uploaded in its current state."""
        self.end()
        began = time.monotonic()
        if not self.direct:
            files = self._files()
            for name in [name for name in self._sent if name not in files]:
                self.store.delete(self._target(name))
                del self._sent[name]
            self._upload({n: at for n, at in files.items() if self._sent.get(n) != at})
        size = sum(size for size, _ in self._sent.values())
        seconds = round(time.monotonic() - began, 3)
        where = f"{self.wanted['datastore']}:{self.path}"
        facts = {"files": len(self._sent), "bytes": size} if not self.direct else {}
        how = "written directly" if self.direct else "uploaded"
        self._telling.data(output=self.wanted["name"], how=how, to=where, seconds=seconds, **facts)
        self._telling.line(f"output {self.wanted['name']}: {how} to {where} {facts or ''}")

    def _files(self) -> dict[str, tuple[int, int]]:
        """The selected files, each with its size and modification time."""
        found = {}
        globs = self.wanted.get("source_globs")
        tests = [sources.matching(glob) for glob in globs] if globs else None
        if not self.place.is_dir():
            return {}
        for entry in LocalStore(str(self.place), self.place).list():
            if tests is None or any(test(entry.path) for test in tests):
                found[entry.path] = (entry.size, int(entry.etag, 16))
        return found

    def _upload(self, names: dict[str, tuple[int, int]]) -> None:
        new = not (self.wanted["overwrite"] or self.wanted["mode"] == "mount" or self.again)

        def put(name: str) -> None:
            try:
                transfer.put(self.store, self.place / name, self._target(name), new)
            except FileExists:
                raise UserErrorException(
                    f"{self._target(name)!r} already exists in {self.store.name}. Use "
                    "as_upload(overwrite=True) to replace it."
                ) from None
            self._sent[name] = names[name]

        transfer.in_parallel(put, list(names), self.store.at_once)

    def _target(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name

    def _watch(self) -> None:
        """Upload files that did not change between two scans; ``send`` uploads the rest."""
        while not self._stop.wait(LOOK):
            now = self._files()
            settled = {
                name: at
                for name, at in now.items()
                if self._seen.get(name) == at and self._sent.get(name) != at
            }
            self._seen = now
            try:
                self._upload(settled)
            except (ScriptrunError, OSError) as error:
                self._telling.line(f"output {self.wanted['name']}: {error}; retrying")

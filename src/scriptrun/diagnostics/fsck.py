"""Checks that every file of a workspace, and of this machine's cache, is readable and whole.

Nothing is changed. It may run while jobs run: what is being written has a temporary name or ends
within its last line, and what vanishes meanwhile is not damage.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from scriptrun.data.cache import files as cache_files
from scriptrun.data.cache.files import Cache
from scriptrun.data.datasets import manifest
from scriptrun.data.errors import DatasetExecutionError
from scriptrun.engines.checks import Check
from scriptrun.environments import locks
from scriptrun.environments.uv import local_sources
from scriptrun.preparation import environment_record
from scriptrun.queue import tickets
from scriptrun.registry import compute_targets, environments, models, services
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.runtime import files, workdir
from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.job import JobSpec
from scriptrun.store import job_runtime, paths, records, yaml_file
from scriptrun.store.secrets import vault
from scriptrun.store.snapshots import check as snapshot_check

#: found damage: the file, what is wrong, and what to do
Finding = tuple[str, str, str]
#: what a search yields: damage, and at its end a summary
Found = Iterator[Finding | str]
_BACKUP = "Restore that file from a backup"
#: folders of the workspace that hold no YAML of its registries
_OTHER_FOLDERS = ("runs", "snapshots", "runtime", "datastores", "wheels")


def checks(workspace: WorkspaceFiles) -> Iterator[Check]:
    """One check for each kind of file, after a failed one for each damaged file of the kind."""
    kinds: list[tuple[str, Callable[[WorkspaceFiles], Found]]] = [
        ("runs", _runs),
        ("snapshots", _snapshots),
        ("registries", _registries),
        ("models", _models),
        ("services", _services),
        ("datasets", _datasets),
        ("lockfiles", _lockfiles),
        ("wheels", _wheels),
        ("runtime", _runtime),
        ("queue", _queue),
        ("secrets", _secrets),
        ("cache", _cache),
    ]
    for name, find in kinds:
        yield from _check_kind(name, find(workspace))


def _check_kind(name: str, findings: Found) -> Iterator[Check]:
    """A failed check for each of the ``findings``; if there is none, the summary at their end."""
    is_whole, summary = True, ""
    try:
        for found in findings:
            if isinstance(found, str):
                summary = found
                continue
            is_whole = False
            path, problem, hint = found
            text = (
                problem.rstrip(".")
                if problem.startswith(path)
                else f"{path}: {problem.rstrip('.')}"
            )
            yield Check(name, "bad", f"{text}.", hint)
    except (ScriptrunError, OSError) as error:
        is_whole = False
        yield Check(name, "bad", str(error), "Fix that, and check again.")
    if is_whole:
        yield Check(name, "ok", summary)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _runs(workspace: WorkspaceFiles) -> Found:
    count = 0
    for path in sorted(workspace.runs_folder.glob("*/*/job.json")):
        count += 1
        yield from _run(workspace, path.parent)
    yield _count(count, "run")


def _run(workspace: WorkspaceFiles, folder: Path) -> Iterator[Finding]:
    job = None
    try:
        job = records.read(folder / "job.json", JobSpec.from_dict)
        if job is None:
            return  # removed meanwhile
    except (OSError, ScriptrunError):
        yield (
            str(folder / "job.json"),
            "it is not the record of a run",
            f"Run {folder.name} cannot be shown or rerun. {_BACKUP}, or remove the run's folder.",
        )
    others = [path for path in folder.glob("*.json") if path.name != "job.json"]
    for path in sorted([*others, *folder.glob("attempts/*/*.json")]):
        problem = "" if path.name.startswith(".") else _json_problem(path)
        if problem:
            yield str(path), problem, f"{_BACKUP}: run {folder.name} may look lost."
    for path in sorted(folder.glob("events/*.jsonl")):
        yield from _event_file(path)
    try:
        environment_record.read_lockfile(folder)
    except ScriptrunError as error:
        yield str(folder / environment_record.LOCKFILE), "its checksum differs", error.hint
    yield from _missing_parts(workspace, job) if job else ()


def _json_problem(path: Path) -> str:
    try:
        is_whole = files.read_object(path) is not None
    except OSError:
        is_whole = False
    was_removed = not is_whole and not os.path.lexists(path)
    return "" if is_whole or was_removed else f"it {records.problem(path)}"


def _event_file(path: Path) -> Iterator[Finding]:
    try:
        with files.open_record(path) as handle:
            *lines, _ = handle.read().split(b"\n")  # the last one may be being written
    except FileNotFoundError:
        return  # removed meanwhile
    except OSError:
        yield str(path), f"it {records.problem(path)}", f"{_BACKUP}, or remove it."
        return
    for number, line in enumerate(lines, 1):
        if files.parse_json(line) is None:
            yield (
                f"{path}, line {number}",
                "it is not valid JSON",
                f"{_BACKUP}, or remove the line.",
            )


def _missing_parts(workspace: WorkspaceFiles, job: JobSpec) -> Iterator[Finding]:
    manifest_path = workdir.manifest_path(workspace.snapshots_folder, job.snapshot or "")
    if job.snapshot and not os.path.exists(manifest_path):
        yield manifest_path, "it is missing", f"Run {job.id} cannot be rerun. {_BACKUP}."
    for pin in job.data.pins:
        path = manifest.manifest_path(workspace.directory / "manifests", pin.manifest)
        if not path.exists():
            yield str(path), "it is missing", f"Run {job.id} cannot be rerun. {_BACKUP}."


def _snapshots(workspace: WorkspaceFiles) -> Found:
    check = snapshot_check.SnapshotCheck(workspace.snapshots_folder)
    for damage in check.damages():
        yield damage.path, damage.problem, f"{damage.meaning} {workdir.REPAIR}"
    yield f"{_count(check.snapshots, 'snapshot')}, {check.size / 1e6:,.1f} MB"


def _registries(workspace: WorkspaceFiles) -> Found:
    count = 0
    for path in _yaml_files(workspace.directory):
        count += 1
        try:
            value = yaml_file.parse(path)
        except ScriptrunError as error:
            yield str(path), error.message, error.hint
            continue
        if not yaml_file.is_copy_whole(path, value):
            copy = str(path.with_name(f".{path.name}.json"))
            yield copy, f"it differs from {path.name}", "Remove it: it is only a copy."
    yield from _loadable(lambda: environments.all_environments(workspace))
    yield from _loadable(lambda: compute_targets.all_targets(workspace))
    yield _count(count, "file")


def _yaml_files(directory: Path) -> Iterator[Path]:
    for folder, names, file_names in os.walk(directory):
        others = _OTHER_FOLDERS if folder == str(directory) else ()
        names[:] = sorted(name for name in names if name[0] != "." and name not in others)
        for name in sorted(file_names):
            if name.endswith(".yaml"):
                yield Path(folder, name)


def _loadable(load: Callable[[], object]) -> Iterator[Finding]:
    try:
        load()
    except ScriptrunError as error:
        yield "registry", error.message, error.hint
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        yield "registry", f"a file has unexpected content ({error})", f"{_BACKUP}."


def _models(workspace: WorkspaceFiles) -> Found:
    count = 0
    for name in models.names(workspace):
        for number in models.version_numbers(workspace, name):
            count += 1
            try:
                record = models.get(workspace, name, number)
                errors = list(models.damages(workspace, record))
            except ScriptrunError:
                continue  # its YAML cannot be read: among the registries
            except (KeyError, TypeError):
                yield f"{name}:{number}", "its record has unexpected content", f"{_BACKUP}."
                continue
            for error in errors:
                yield f"{name}:{number}", error.message, error.hint
    yield _count(count, "model version")


def _services(workspace: WorkspaceFiles) -> Found:
    names = services.names(workspace)
    for name in names:
        path = str(workspace.directory / "services" / f"{name}.json")
        try:
            record = services.read(workspace, name)
        except ScriptrunError as error:
            yield path, error.message, error.hint
            continue
        run_id = None if record is None else record.run
        if run_id and workspace.find_run(run_id) is None:
            hint = f"Start the service again, or remove it: scriptrun service remove {name}"
            yield path, f"its run {run_id} is missing", hint
    yield _count(len(names), "service")


def _datasets(workspace: WorkspaceFiles) -> Found:
    count = 0
    for path in sorted((workspace.directory / "manifests").glob("*.manifest")):
        count += 1
        try:
            for _ in manifest.Manifest(path).rows():
                pass
        except DatasetExecutionError as error:
            if path.exists():
                yield str(path), "it is damaged", f"{error.hint} {_BACKUP} to rerun earlier runs."
    yield _count(count, "dataset manifest")


def _lockfiles(workspace: WorkspaceFiles) -> Found:
    count = 0
    for path in sorted(Path(workspace.locks_folder).glob("*.json")):
        count += 1
        lockfile = files.read_json(str(path))
        is_whole = (
            isinstance(lockfile, dict)
            and locks.is_whole(lockfile)
            and locks.is_named_rightly(str(path), lockfile)
        )
        if not is_whole and path.exists():
            yield str(path), "it is damaged", "Remove it: the next run locks the environment again."
    yield _count(count, "lockfile")


def _wheels(workspace: WorkspaceFiles) -> Found:
    count = 0
    for path in sorted((workspace.directory / "wheels").glob("*/*")):
        count += 1
        if local_sources.is_damaged(str(path)):
            yield str(path), "its SHA-256 is not that of its folder's name", "Add the wheel again."
    yield _count(count, "wheel")


def _runtime(workspace: WorkspaceFiles) -> Found:
    count = 0
    for folder in sorted((workspace.directory / "runtime").glob("?" * 16)):
        count += 1
        for name in job_runtime.damaged_files(folder):
            yield str(folder / name), "it is damaged", "The next run replaces it."
    yield _count(count, "version")


def _queue(workspace: WorkspaceFiles) -> Found:
    paths_of_tickets = tickets.waiting(tickets.queue_of(workspace.id)) if workspace.id else []
    for path in paths_of_tickets:
        try:
            whole = tickets.read(path) is not None or not path.exists()
        except (KeyError, TypeError):
            whole = False
        if not whole:
            run = tickets.run_id_of(path)
            yield str(path), "it is not a ticket", f"Cancel run {run}, and submit it again."
    yield _count(len(paths_of_tickets), "queued run")


def _secrets(workspace: WorkspaceFiles) -> Found:
    names = vault.names()
    names += [
        vault.workspace_secret(workspace.id, name)
        for name in (vault.names(workspace.id) if workspace.id else [])
    ]
    keys = [vault.service_secret(workspace.id, name) for name in services.names(workspace)]
    names += [name for name in keys if vault.exists(name)]
    for name in names:
        try:
            vault.find(name)
        except ScriptrunError as error:
            yield str(vault.folder() / yaml_file.file_name(name)), error.message, error.hint
    yield _count(len(names), "secret")


def _cache(_: WorkspaceFiles) -> Found:
    import sqlite3

    folder = paths.cache_root()
    databases = sorted(folder.rglob("*.sqlite"))
    for path in databases:
        try:
            database = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)
            try:
                (answer,) = database.execute("pragma quick_check(1)").fetchone()
            finally:
                database.close()
        except sqlite3.OperationalError:
            continue  # removed, or being written
        except sqlite3.DatabaseError as error:
            answer = str(error)
        if answer != "ok":
            yield str(path), answer, "Remove it: it is rebuilt."
    cache, count = Cache(), 0
    for path in sorted((cache.folder / "files").glob("??/*")):
        if path.name.startswith("."):
            continue  # being downloaded
        count += 1
        try:
            with open(path, "rb", buffering=0, opener=files.regular_opener) as file:
                if not cache_files.is_whole(cast(BinaryIO, file)) and path.exists():
                    yield str(path), "its checksum differs", "Remove it: it is downloaded again."
        except FileNotFoundError:
            continue
    indexes = f"{len(databases):,} {'index' if len(databases) == 1 else 'indexes'}"
    yield f"{folder}, {indexes}, {_count(count, 'downloaded file')}"

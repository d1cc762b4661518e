"""Checks of this machine: what runs need, with a hint for each failure."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from scriptrun.engines import registry
from scriptrun.engines.checks import MIN_FREE_BYTES, Check
from scriptrun.engines.local import slots
from scriptrun.environments.conda import client as conda_client
from scriptrun.environments.conda import request as conda_request
from scriptrun.environments.interpreter import existing as interpreter_existing
from scriptrun.environments.interpreter import facts as interpreter_facts
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.queue import tickets
from scriptrun.registry import compute_targets
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.runtime import disks
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.job import JobSpec
from scriptrun.store import container_tool, paths


def checks(workspace: WorkspaceFiles, python: str) -> Iterator[Check]:
    """All checks; ``python`` is the interpreter of jobs without an environment."""
    for name, run_check in (
        ("python", _tool),
        ("jobs' python", lambda: _interpreter(python)),
        ("uv", _uv),
        ("conda", _conda),
        ("containers", _containers),
        ("git", _git),
        ("workspace", lambda: _workspace(workspace)),
        ("cache", lambda: _writable("cache", paths.cache_folder())),
        ("queue", lambda: _queue(workspace)),
        ("compute", lambda: _engine(workspace)),
        ("slots", lambda: _slots(workspace)),
        ("gpus", _gpus),
    ):
        yield _guarded(name, run_check)


def machine_checks(workspace: WorkspaceFiles) -> Iterator[Check]:
    """What runs need of this machine when it is the compute target."""
    yield _guarded("workspace", lambda: _workspace(workspace))
    yield _guarded("cache", lambda: _writable("cache", paths.cache_folder()))
    yield _guarded("slots", lambda: _slots(workspace))
    yield _guarded("gpus", _gpus)


def _guarded(name: str, run_check: Callable[[], Check]) -> Check:
    try:
        return run_check()
    except ScriptrunError as error:
        return Check(name, "bad", error.message, error.hint)
    except OSError as error:
        return Check(name, "bad", f"{error.filename or name}: {disks.describe(error)}")


def _tool() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("python", "ok", f"{version} in {sys.prefix}")


def _interpreter(python: str) -> Check:
    spec = EnvironmentSpec(interpreter=python)
    problems = interpreter_existing.Existing.check(spec)
    if problems:
        return Check("jobs' python", "bad", problems[0])
    facts = interpreter_facts.get(python)
    summary = f"{facts.version}, {python}"
    if tuple(map(int, facts.version.split(".")[:2])) < (3, 6):
        return Check("jobs' python", "bad", summary, "Jobs need Python 3.6 or newer.")
    return Check("jobs' python", "ok", summary)


def _uv() -> Check:
    path = uv_tool.binary()
    return Check("uv", "ok", f"{uv_tool.version()} {path}".strip())


def _conda() -> Check:
    if conda_request.is_installed():
        return Check("conda", "ok", f"py-rattler, packages in {conda_client.cache_folder()}")
    return Check("conda", "ok", f"no py-rattler; {conda_request.INSTALL} for packages not on PyPI")


def _containers() -> Check:
    tool = container_tool.tool()
    if tool is None:  # needed only for images
        return Check("containers", "ok", f"none: {container_tool.problem()}")
    mode = " without root" if tool.rootless else ""
    return Check("containers", "ok", f"{tool.kind} {tool.version}{mode}, {tool.path}")


def _git() -> Check:
    path = shutil.which("git")
    if path:
        return Check("git", "ok", path)
    return Check("git", "warning", "not found; runs do not record commits", "Install git.")


def _workspace(workspace: WorkspaceFiles) -> Check:
    if not workspace.id:
        summary = f"none; the first run creates one in {workspace.root}"
        return _writable("workspace", workspace.root, summary)
    return _writable("workspace", workspace.directory)


def _writable(name: str, folder: Path, summary: str = "") -> Check:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        hint = (
            "Change its permissions, or set another folder (SCRIPTRUN_WORKSPACE, SCRIPTRUN_CACHE)."
        )
        return Check(
            name, "bad", f"cannot write {str(folder)!r}: {disks.describe(error, folder)}", hint
        )
    free = shutil.disk_usage(folder).free
    summary = f"{summary or folder}, {free / 1e9:.1f} GB free"
    return Check(
        name,
        "ok" if free > MIN_FREE_BYTES else "warning",
        summary,
        "" if free > MIN_FREE_BYTES else "Free some disk space.",
    )


def _queue(workspace: WorkspaceFiles) -> Check:
    root = paths.runtime_root()
    if not workspace.id:
        return Check("queue", "ok", str(root))
    waiting = len(tickets.waiting(tickets.queue_of(workspace.id)))
    return Check("queue", "ok", f"{waiting} {'run' if waiting == 1 else 'runs'} queued")


def _engine(workspace: WorkspaceFiles) -> Check:
    engine = compute_targets.resolve(workspace, None)
    problems = engine.check(JobSpec("doctor", "doctor", workspace.name, ""))
    if problems:
        return Check("compute", "bad", "; ".join(problems))
    return Check("compute", "ok", f"{engine.name} ({registry.kind_of(engine)})")


def _slots(workspace: WorkspaceFiles) -> Check:
    if os.name != "posix":
        return Check("slots", "warning", "local jobs require Linux or macOS")
    limit = getattr(compute_targets.resolve(workspace, None), "max_runs", None)
    search = slots.Search()
    try:
        slot = slots.take(paths.slots_root(), limit, search=search)
    except slots.SlotsUnusable as error:
        hint = "Remove that folder, or set SCRIPTRUN_SLOTS to one that all users can write."
        return Check("slots", "warning", f"{error}; your runs use private slots", hint)
    if slot is None:
        return Check("slots", "ok", f"the next run will be queued: it {search.reason()}")
    slot.close()
    return Check("slots", "ok", f"available in {paths.slots_root()}")


def _gpus() -> Check:
    models = slots.machine_models()
    if not models:
        return Check("gpus", "ok", "no NVIDIA GPU")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    usable = slots.visible_gpus(list(models), visible)
    listed = "; ".join(f"{models[uuid]} {uuid}".strip() for uuid in usable)
    if len(usable) == len(models):
        return Check("gpus", "ok", listed)
    hint = "Unset CUDA_VISIBLE_DEVICES to make all GPUs available to runs."
    summary = f"{len(usable)} of {len(models)} usable (CUDA_VISIBLE_DEVICES={visible})"
    return Check("gpus", "warning", f"{summary}: {listed}" if listed else summary, hint)

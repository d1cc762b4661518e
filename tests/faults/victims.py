"""Finding the processes that a workspace's runs consist of, to kill them."""

from __future__ import annotations

from pathlib import Path

from scriptrun.runtime import files
from scriptrun.testing import jobs
from scriptrun.tracking import run_folder


def comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def guards(workspace) -> list[int]:
    found = []
    for path in workspace.runs_folder.glob("*/*/attempts/*/node-0.start.json"):
        owner = files.read_json(str(path)) or {}
        if owner and comm(owner["pid"]) == "scriptrun-guard":
            found.append(owner["pid"])
    return found


def launchers(workspace) -> list[int]:
    return [
        pid
        for guard in guards(workspace)
        for pid in children(guard)
        if comm(pid) == "scriptrun-run"
    ]


def scripts(workspace) -> list[int]:
    return [
        pid
        for launcher in launchers(workspace)
        for pid in children(launcher)
        if not comm(pid).startswith("scriptrun-")
    ]


def runners(workspace) -> list[int]:
    return [pid for pid in jobs.living(str(workspace.root)) if comm(pid) == "scriptrun-queue"]


def every_run(workspace) -> list[Path]:
    return [
        folder
        for folder in run_folder.all_folders(workspace.runs_folder)
        if (folder / "job.json").exists()
    ]

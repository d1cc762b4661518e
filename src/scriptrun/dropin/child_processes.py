"""Lets the processes that old code starts find what it finds: its Python, and ``azureml``."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
from multiprocessing import spawn

from scriptrun.spec import tool_python

#: the folder that provides ``azureml`` to other processes of this Python
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "in_children")


def prepare() -> None:
    """Prepare this process, whose children inherit its variables."""
    _put_own_python_first()
    inherited = os.environ.get("PYTHONPATH")
    entries = inherited.split(os.pathsep) if inherited else []
    if FOLDER not in entries:
        os.environ["PYTHONPATH"] = os.pathsep.join([*entries, FOLDER])
    _enable_in_spawned()


def _put_own_python_first() -> None:
    """Let ``python`` and ``pip`` be those of this process, as in an activated environment."""
    folder = os.path.dirname(sys.executable or "")
    search_path = os.environ.get("PATH") or os.defpath
    for name in ("python", "python3"):
        own, found = os.path.join(folder, name), shutil.which(name, path=search_path)
        if os.path.exists(own) and found != own:
            os.environ["PATH"] = os.pathsep.join([folder, search_path])
            return


def _enable_in_spawned() -> None:
    """Make ``azureml`` importable in processes that multiprocessing spawns."""
    original = spawn.get_command_line

    modules = ["scriptrun.dropin"]
    if tool_python.READER in sys.modules:  # which finds scriptrun
        modules.insert(0, tool_python.READER)

    def get_command_line(**kwargs: object) -> list[str]:
        words = original(**kwargs)
        return [
            f"import {', '.join(modules)}; {word}" if previous == "-c" else word
            for previous, word in zip(["", *words], words, strict=False)
        ]

    spawn.get_command_line = get_command_line
    if "forkserver" in multiprocessing.get_all_start_methods():
        multiprocessing.set_forkserver_preload(modules)

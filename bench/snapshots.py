"""Snapshots of 10,000 files, 200 MB, against ``cp -r`` and ``git status`` on the same tree.

On tmpfs where there is one; both sides in turn, medians of five. Each side is a command of its own,
and so is ours, but for the interpreter's start, which is no part of the question: we are measured
in a process that lives. Prints one JSON line a figure.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FILES = 10_000
BYTES = 20_000
ROUNDS = 5


def measure() -> list[dict[str, Any]]:
    """The figures, each with the reference that was measured in turn with it."""
    shm = Path("/dev/shm")
    base = Path(tempfile.mkdtemp(dir=shm if os.access(shm, os.W_OK) else None))
    before = os.environ.get("SCRIPTRUN_CACHE")
    os.environ["SCRIPTRUN_CACHE"] = str(base / "cache")
    try:
        _make_tree(base / "tree")
        return [*_first(base), *_unchanged(base), *_memory(base)]
    finally:
        if before is None:
            del os.environ["SCRIPTRUN_CACHE"]
        else:
            os.environ["SCRIPTRUN_CACHE"] = before
        shutil.rmtree(base, ignore_errors=True)


def _make_tree(tree: Path) -> None:
    rng = random.Random(1)
    for number in range(FILES):
        folder = tree / f"part{number // 100:03}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file{number:05}.bin").write_bytes(rng.randbytes(BYTES))


def _first(base: Path) -> list[dict[str, Any]]:
    from scriptrun.runtime import workdir
    from scriptrun.store.snapshots import snapshots

    digest = ""

    def ours() -> None:
        nonlocal digest
        digest = snapshots.take(base / "store", base / "tree").digest

    def laid_out() -> None:
        workdir.materialise(base / "store", digest, base / "work")

    def copy() -> None:
        subprocess.run(["cp", "-r", base / "tree", base / "copy"], check=True)

    times: dict[str, list[float]] = {"ours": [], "laid out": [], "copy": []}
    for _ in range(ROUNDS):
        for name in ("cache", "store", "work", "copy"):
            shutil.rmtree(base / name, ignore_errors=True)
        times["copy"].append(_seconds(copy))
        times["ours"].append(_seconds(ours))
        times["laid out"].append(_seconds(laid_out))
    shutil.rmtree(base / "copy")
    copied = statistics.median(times["copy"])
    return [
        _figure("first snapshot", statistics.median(times["ours"]), "cp -r", copied, 3.0),
        _figure("working directory", statistics.median(times["laid out"]), "cp -r", copied, 3.0),
    ]


def _unchanged(base: Path) -> list[dict[str, Any]]:
    from scriptrun.store.snapshots import snapshots

    git = ["git", "-C", str(base / "tree"), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], check=True)
    snapshots.take(base / "store", base / "tree")
    times: dict[str, list[float]] = {"ours": [], "git": []}
    for _ in range(ROUNDS):
        times["git"].append(
            _seconds(lambda: subprocess.run([*git, "status"], check=True, capture_output=True))
        )
        times["ours"].append(_seconds(lambda: snapshots.take(base / "store", base / "tree")))
    ours, status = statistics.median(times["ours"]), statistics.median(times["git"])
    return [_figure("unchanged snapshot", ours, "git status", status, 6.0)]


def _memory(base: Path) -> list[dict[str, Any]]:
    """The highest memory for all files, against that for a tree of a hundredth."""
    if not os.path.exists("/proc/self/status"):
        return []  # elsewhere a process's highest memory counts its parent's as well
    small = base / "small"
    shutil.copytree(base / "tree" / "part000", small / "part000")
    script = (
        "import sys; from scriptrun.store.snapshots import snapshots; "
        "snapshots.take(*sys.argv[1:]);"
        "print(next(x.split()[1] for x in open('/proc/self/status') if x.startswith('VmHWM')))"
    )
    peaks = []
    for source in (base / "tree", small):
        words = [sys.executable, "-c", script, str(base / "memory"), str(source)]
        done = subprocess.run(words, check=True, capture_output=True)
        peaks.append(int(done.stdout) * 1024 / 1e6)
    return [_figure("memory of a first snapshot", peaks[0], "100 files", peaks[1], 1.5, "MB")]


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _figure(
    name: str, value: float, reference_name: str, reference: float, target: float, unit: str = "s"
) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(value, 4),
        "unit": unit,
        "reference_name": reference_name,
        "reference": round(reference, 4),
        "ratio": round(value / reference, 3),
        "target": f"ratio {target:g}",
    }


if __name__ == "__main__":
    for figure in measure():
        print(json.dumps(figure))

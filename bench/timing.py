"""What the benchmarks share: alternating repeats, medians, and the environments they run in."""

from __future__ import annotations

import functools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".venv-bench"


def environment(name: str, *install: str) -> Path:
    """The ``bin`` of a virtual environment, made at first use and when ``install`` changes.

    Byte code is compiled, as pip does it for users.
    """
    place = PLACE / name
    stamp = place / ".ready"
    wanted = " ".join(install) + repr(
        [os.stat(p).st_mtime_ns for p in install if os.path.isfile(p)]
    )
    if not stamp.exists() or stamp.read_text() != wanted:
        uv = shutil.which("uv") or "uv"
        make = [uv, "venv", "-q", "--clear", "--python", sys.executable, str(place)]
        subprocess.run(make, check=True)
        pip = [
            uv,
            "pip",
            "install",
            "-q",
            "--compile-bytecode",
            "--python",
            str(place / "bin/python"),
        ]
        subprocess.run([*pip, *install], check=True)
        stamp.write_text(wanted)
    return place / "bin"


def references() -> Path:
    """The ``bin`` of the other tools: TorchX, MLflow, submitit."""
    return environment("references", "-r", str(ROOT / "requirements/bench.txt"))


@functools.cache
def scriptrun(extra: str = "") -> Path:
    """The ``bin`` of scriptrun as a user has it: this checkout's wheel (with ``extra``)."""
    place = environment(f"scriptrun-{extra}" if extra else "scriptrun", "pathspec")
    pip = ["uv", "pip", "install", "-q", "--compile-bytecode", "--reinstall-package", "scriptrun"]
    subprocess.run([*pip, "--python", str(place / "python"), f"{ROOT}[{extra}]"], check=True)
    return place


def alternate(sides: dict[str, Callable[[], float]], repeats: int = 5) -> dict[str, float]:
    """The median of each side's figure; the sides take turns, after one unmeasured turn each."""
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for side in sides.values():
        side()
    for _ in range(repeats):
        for name, side in sides.items():
            figures[name].append(side())
    return {name: statistics.median(found) for name, found in figures.items()}


def seconds(command: list[str], **options: object) -> float:
    """How long a command takes, whose output is dropped; it must succeed."""
    began = time.perf_counter()
    subprocess.run(
        command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **options
    )
    return time.perf_counter() - began


def fsync_milliseconds(place: Path, repeats: int = 40) -> float:
    """One fsync of a small file that was just written: what the disk of ``place`` asks for it."""
    figures = []
    for number in range(repeats):
        with open(place / f"fsync-{number}", "xb") as file:
            file.write(b"x" * 1000)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            figures.append(1000 * (time.perf_counter() - began))
    return statistics.median(figures)


@contextmanager
def own_places(memory: bool = False) -> Iterator[Path]:
    """A fresh directory that holds scriptrun's caches too; in memory where asked and possible."""
    base = "/dev/shm" if memory and os.access("/dev/shm", os.W_OK) else None
    kept = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="scriptrun-bench-", dir=base) as place:
        for name in ("CACHE", "RUNTIME", "SLOTS"):
            os.environ[f"SCRIPTRUN_{name}"] = str(Path(place, name.lower()))
        os.environ.pop("SCRIPTRUN_WORKSPACE", None)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        try:
            yield Path(place)
        finally:
            os.environ.clear()
            os.environ.update(kept)


def row(
    name: str, value: float, unit: str, against: str, reference: float, target: str = ""
) -> dict[str, object]:
    """One line of the results."""
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "reference_name": against,
        "reference": reference,
        "ratio": value / reference if reference else float("nan"),
        "target": target,
    }

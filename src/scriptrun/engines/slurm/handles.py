"""What a run's folder holds of its jobs in Slurm, and handing a run over exactly once.

``slurm/<attempt>/`` has ``job.sh`` (the script), ``order.json`` (what the launchers read),
``submitting.json`` (who hands it over; created exclusively) and ``job.json`` (the handle; published
by exclusive link). A job whose submitter was killed between sbatch and the handle is found again by
its name, which is the run's id; a job that begins publishes the handle itself where there is none,
and the one that claims the run makes it its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from scriptrun.engines.base import NoRoom
from scriptrun.engines.slurm import commands as slurm_commands
from scriptrun.engines.slurm import script as slurm_script
from scriptrun.runtime import files, identity
from scriptrun.spec.errors import ExperimentExecutionException


def handle_of(folder: Path) -> dict[str, Any] | None:
    """The newest handle of the run: ``job`` ("12" or "12_3"), ``user``, ``attempt``; None: none."""
    try:
        numbers = sorted((int(name) for name in os.listdir(folder / "slurm")), reverse=True)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    for number in numbers:
        handle = read_handle(slurm_script.place_of(folder, number))
        if handle is not None:
            return handle
    return None


def has_result(folder: Path) -> bool:
    """Whether the newest attempt of the run has told how it ended."""
    try:
        numbers = [int(name) for name in os.listdir(folder / "attempts") if name.isdigit()]
    except (FileNotFoundError, NotADirectoryError):
        return False
    newest = str(max(numbers, default=0))
    return (folder / "attempts" / newest / "result.json").exists()


def read_handle(place: Path) -> dict[str, Any] | None:
    """The handle in ``place``, or None."""
    handle: dict[str, Any] | None = files.read_json(str(place / "job.json"))
    return handle


def claim(place: Path) -> bool:
    """Say that this process hands the run over; False: another one began to, and is gone.

    Raises NoRoom while that other one lives.
    """
    place.mkdir(parents=True, exist_ok=True)
    path = str(place / "submitting.json")
    if files.publish(path, files.to_json(identity.of_process())):
        return True
    who = files.read_json(path) or {}
    if identity.is_here(who) and who.get("pid") != os.getpid() and identity.is_alive(who):
        raise NoRoom("another process is submitting the run to Slurm")
    return False


def give_up(place: Path) -> None:
    """Leave it to others to hand the run over: whoever does looks first whether Slurm has it."""
    files.write_atomic(str(place / "submitting.json"), files.to_json({}))


def found_again(name: str, ssh: str | None = None) -> str | None:
    """The id of the job ``name``, if Slurm knows one that has not ended."""
    said = slurm_commands.ask(["squeue", "--noheader", f"--name={name}", "--format=%i"], ssh)
    listed = said.text.split()
    return listed[0] if listed else None


def send(script: Path, variables: dict[str, str], ssh: str | None = None) -> str:
    """Give ``script`` to sbatch, with what the job shall be passed, and return the job's id.

    Raises ExperimentExecutionException with Slurm's own words when it refuses.
    """
    said = slurm_commands.send(str(script), variables, ssh)
    if said.code:
        raise ExperimentExecutionException(
            f"Slurm rejected the job: {slurm_commands.trouble(said)}",
            f"Batch script: {script}",
        )
    return said.text.strip().partition(";")[0]


def keep(place: Path, job: str, attempt: int) -> dict[str, Any]:
    """Publish the handle of ``job`` in ``place``; the one that stands."""
    value = {"job": job, "attempt": attempt, "user": user(), "by": identity.of_process()}
    files.publish(str(place / "job.json"), files.to_json(value))
    return read_handle(place) or value


def user() -> str:
    """The name under which this process's jobs run."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())

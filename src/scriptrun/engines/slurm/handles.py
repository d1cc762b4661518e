"""The files in a run's folder about its Slurm jobs, and submitting a run exactly once.

``slurm/<attempt>/`` has ``job.sh`` (the script), ``order.json`` (what the launchers read),
``submitting.json`` (which process submits it; created exclusively) and ``job.json`` (the handle;
published by exclusive link). If the submitter is killed between sbatch and the handle, the job is
found by its comment, which has the run's ID; a job that starts without a handle publishes it
itself, and whoever claims the run next adopts it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from scriptrun.engines.base import NoRoom
from scriptrun.engines.slurm import commands as slurm_commands
from scriptrun.engines.slurm import script as slurm_script
from scriptrun.runtime import files, identity, results
from scriptrun.spec.errors import ExperimentExecutionException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: a job, or a task of an array: nothing that Slurm's commands read as an option or as several
_JOB = r"\d{1,18}(?:_\d{1,18})?"


def latest_handle(folder: Path) -> Json | None:
    """The run's newest handle: ``job`` ("12" or "12_3"), ``user``, ``attempt``; or None."""
    try:
        numbers = sorted((int(name) for name in os.listdir(folder / "slurm")), reverse=True)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    for number in numbers:
        handle = read_handle(slurm_script.attempt_folder(folder, number))
        if handle is not None:
            return handle
    return None


def job_ids(folder: Path) -> list[str]:
    """The IDs of the run's jobs, of the oldest attempt first."""
    numbers = sorted(int(name) for name in files.names_in(folder / "slurm") if name.isdecimal())
    found = (read_handle(slurm_script.attempt_folder(folder, number)) for number in numbers)
    return [*dict.fromkeys(str(handle["job"]) for handle in found if handle is not None)]


def has_result(folder: Path) -> bool:
    """Whether the run's newest attempt has written its result."""
    names = files.names_in(folder / "attempts")
    numbers = [int(name) for name in names if name.isascii() and name.isdigit()]
    return results.read(str(folder), max(numbers, default=0)) is not None


def read_handle(folder: Path) -> Json | None:
    """The handle in ``folder``; None if there is none that can be read."""
    handle = files.read_object(folder / "job.json")
    job = handle.get("job") if handle is not None else None
    return handle if isinstance(job, str) and re.fullmatch(_JOB, job, re.ASCII) else None


def claim(folder: Path) -> bool:
    """Claim the run for this process; False if another process had begun to submit it, and died.

    Raises NoRoom while that process lives.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = str(folder / "submitting.json")
    if files.publish(path, files.to_json(identity.identify())):
        return True
    owner = files.read_object(path) or {}
    if identity.is_local(owner) and owner.get("pid") != os.getpid() and identity.is_alive(owner):
        raise NoRoom("another process is submitting the run to Slurm")
    return False


def release_claim(folder: Path) -> None:
    """Release the claim; the next process checks first whether Slurm has the job."""
    files.write_atomic(str(folder / "submitting.json"), files.to_json({}))


def find_job(name: str, run_id: str, ssh: str | None = None) -> str | None:
    """The ID of the job of the run ``run_id``, which is called ``name``; None if it has ended."""
    argv = ["squeue", "--noheader", f"--name={name}", "--format=%i|%k"]
    pairs = (line.partition("|") for line in slurm_commands.run(argv, ssh).text.splitlines())
    comment = slurm_script.comment_of(run_id)
    return next((job for job, _, text in pairs if text.strip() == comment), None)


def is_job_of(job: str, comment: str, ssh: str | None = None) -> bool:
    """Whether Slurm says that the job has that comment. Raises SlurmUnreachable."""
    argv = ["squeue", "--noheader", f"--jobs={job}", "--format=%k"]
    return slurm_commands.run(argv, ssh).text.split() == [comment]


def send(script: Path, variables: dict[str, str], ssh: str | None = None) -> str:
    """Submit ``script`` with the job's ``variables`` and return the job ID.

    Raises ExperimentExecutionException with Slurm's message if it rejects the job.
    """
    result = slurm_commands.submit(str(script), variables, ssh)
    if result.code:
        raise ExperimentExecutionException(
            f"Slurm rejected the job: {slurm_commands.error_text(result)}",
            f"Batch script: {script}",
        )
    return result.text.strip().partition(";")[0]


def publish_handle(folder: Path, job: str, attempt: int, array: str = "") -> Json:
    """Publish the handle of ``job`` in ``folder``; returns the published one.

    ``array`` is the name of the array's folder if the job is a task of one.
    """
    value = {"job": job, "attempt": attempt, "user": user(), "by": identity.identify()}
    if array:
        value["array"] = array
    files.publish(str(folder / "job.json"), files.to_json(value))
    return read_handle(folder) or value


def user() -> str:
    """The name under which this process's jobs run."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())

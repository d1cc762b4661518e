"""Slurm's commands: called in one place, with a time-out, here or where the target says."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

from scriptrun.spec.errors import ExperimentExecutionException

#: seconds that a command of Slurm may take: one that meets a busy controller waits for it
PATIENCE = 60.0
#: variables of an account and of Slurm's own settings, which every job gets
ACCOUNT = ("HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
SETTINGS = ("SLURM_CONF", "SLURM_CLUSTERS")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: what Slurm's commands say when the controller does not answer them
_SILENCE = (
    "unable to contact slurm controller",
    "socket timed out",
    "connection refused",
    "connection timed out",
    "transport endpoint",
    "zero bytes were transmitted",
    "slurm_persist_conn_open",
    "slurm backup controller in standby mode",
    "could not establish a configuration source",
)


class Unreachable(ExperimentExecutionException):
    """Slurm does not answer: nothing is known of its jobs, and none of them has failed for it."""


@dataclass(frozen=True)
class Said:
    """What a command said: its exit code and its streams."""

    code: int
    out: str
    err: str

    @property
    def trouble(self) -> str:
        """The command's own words for what went wrong."""
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        return "; ".join(line.partition("error: ")[2] or line for line in lines) or "no word of why"


def ask(argv: list[str], environ: dict[str, str] | None = None, ssh: str | None = None) -> Said:
    """Run one of Slurm's commands to its end.

    ``environ`` is the whole environment of the command (default: this process's). Raises
    Unreachable when Slurm does not answer, ExperimentExecutionException where the command is not
    to be had. The place where a target behind ssh is asked differently is this one.
    """
    if ssh:
        raise ExperimentExecutionException(
            f"The Slurm behind {ssh} cannot be asked: this scriptrun has no way there yet.",
            "Run it on the login node itself.",
        )
    program = shutil.which(argv[0])
    if program is None:
        raise ExperimentExecutionException(
            f"Slurm's command {argv[0]} is not here.", "Install Slurm's clients (slurm-client)."
        )
    try:
        done = subprocess.run(
            [program, *argv[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            env=environ,
        )
    except subprocess.TimeoutExpired:
        raise Unreachable(
            f"Slurm does not answer: {argv[0]} took more than {PATIENCE:g} s"
        ) from None
    said = Said(done.returncode, _text(done.stdout), _text(done.stderr))
    if said.code and any(word in said.err.lower() for word in _SILENCE):
        raise Unreachable(f"Slurm does not answer: {said.trouble}")
    return said


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def job_environment(inherited: dict[str, str], passed: tuple[str, ...]) -> dict[str, str]:
    """The environment with which sbatch is called, all of which the job gets: nothing but the
    account's own variables, Slurm's settings and what was named."""
    named = (*ACCOUNT, *SETTINGS, *passed)
    chosen = {name: inherited[name] for name in named if name in inherited}
    chosen |= {name: inherited[name] for name in inherited if name.startswith("SBATCH_")}
    for name in SETTINGS:
        if name in os.environ:
            chosen[name] = os.environ[name]
    return {"PATH": PATH, **chosen}

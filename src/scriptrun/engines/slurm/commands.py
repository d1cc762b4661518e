"""Runs Slurm's commands with a timeout, on this machine or over the target's ssh."""

from __future__ import annotations

import os
import shlex

from scriptrun.engines.base import NoAnswer
from scriptrun.engines.transport import Done, Here, Ssh, Transport
from scriptrun.engines.transport import Unreachable as MachineUnreachable
from scriptrun.spec.errors import ExperimentExecutionException

#: variables that a job inherits where sbatch is called: the account's, and Slurm's settings
ACCOUNT = ("HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
SETTINGS = ("SLURM_CONF", "SLURM_CLUSTERS", "SBATCH_ACCOUNT", "SBATCH_PARTITION", "SBATCH_QOS")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: messages of Slurm's commands when the controller does not respond
_SILENCE = (
    "unable to contact slurm controller",
    "socket timed out",
    "connection refused",
    "connection timed out",
    "transport endpoint",
    "zero bytes were transmitted",
    "slurm backup controller in standby mode",
    "could not establish a configuration source",
)


class Unreachable(NoAnswer):
    """Slurm, or the machine it runs on, does not respond."""


def cluster(ssh: str | None) -> str:
    """A key for the target's cluster; one process may use several, even without ssh."""
    return ssh or ":".join(os.environ.get(name, "") for name in ("SLURM_CONF", "SLURM_CLUSTERS"))


def transport(ssh: str | None) -> Transport:
    """The transport that runs the target's commands."""
    return Ssh(ssh) if ssh else Here()


def ask(argv: list[str], ssh: str | None = None) -> Done:
    """Run one of Slurm's commands and return its result.

    Raises SlurmUnreachable if Slurm or its machine does not respond, ExperimentExecutionException
    if the command is not installed.
    """
    return _heard(argv[0], _run(argv, b"", ssh), ssh)


def send(script: str, variables: dict[str, str], ssh: str | None = None) -> Done:
    """Call sbatch for ``script`` in exactly the environment that the job inherits.

    That is the account's variables, Slurm's settings and ``variables``, whose values travel on
    standard input, so that no process list shows them.
    """
    kept = " ".join(f'${{{name}+{name}="${name}"}}' for name in (*ACCOUNT, *SETTINGS))
    outer = (
        "found=$(command -v sbatch) || exit 127; "
        f'exec env -i PATH="${{found%/*}}:{PATH}" {kept} /bin/sh -s "$found"'
    )
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    lines.append(f'exec "$1" --parsable --export=ALL {shlex.quote(script)} </dev/null')
    data = "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n"
    return _heard("sbatch", _run(["/bin/sh", "-c", outer], data, ssh), ssh)


def _run(argv: list[str], data: bytes, ssh: str | None) -> Done:
    try:
        return transport(ssh).run(argv, data)
    except MachineUnreachable as error:
        raise Unreachable(f"Slurm does not respond: {error.message}") from None


def _heard(name: str, said: Done, ssh: str | None) -> Done:
    if said.code == 127:
        where = f"on {ssh}" if ssh else "on this machine"
        raise ExperimentExecutionException(
            f"Slurm command {name!r} not found {where}.",
            "Install Slurm's client tools (slurm-client).",
        )
    if said.code and any(word in said.complaint.lower() for word in _SILENCE):
        raise Unreachable(f"Slurm does not respond: {trouble(said)}")
    return said


def trouble(said: Done) -> str:
    """The command's error messages in one line, else its exit code."""
    lines = [line.strip() for line in said.err.decode("utf-8", "replace").splitlines()]
    told = [line.partition("error: ")[2] or line for line in lines if line]
    return "; ".join(told) or f"exit code {said.code}"

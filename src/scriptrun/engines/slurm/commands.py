"""Runs Slurm's commands with a timeout, on this machine or over the target's ssh."""

from __future__ import annotations

import os
import shlex

from scriptrun.engines.base import NoAnswer
from scriptrun.engines.transport import CommandResult, LocalTransport, SshTransport, Transport
from scriptrun.engines.transport import HostUnreachable as MachineUnreachable
from scriptrun.spec.errors import ExperimentExecutionException

#: variables that a job inherits from sbatch's environment: the account's, and Slurm's settings
ACCOUNT_VARIABLES = ("HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
SLURM_VARIABLES = (
    "SLURM_CONF",
    "SLURM_CLUSTERS",
    "SBATCH_ACCOUNT",
    "SBATCH_PARTITION",
    "SBATCH_QOS",
)
FALLBACK_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: messages of Slurm's commands when the controller does not respond
_NO_RESPONSE = (
    "unable to contact slurm controller",
    "socket timed out",
    "connection refused",
    "connection timed out",
    "transport endpoint",
    "zero bytes were transmitted",
    "slurm backup controller in standby mode",
    "could not establish a configuration source",
)


class SlurmUnreachable(NoAnswer):
    """Slurm, or the machine it runs on, does not respond."""


def cluster_key(ssh: str | None) -> str:
    """A key for the target's cluster; one process may use several, even without ssh."""
    return ssh or ":".join(os.environ.get(name, "") for name in ("SLURM_CONF", "SLURM_CLUSTERS"))


def transport(ssh: str | None) -> Transport:
    """The transport that runs the target's commands."""
    return SshTransport(ssh) if ssh else LocalTransport()


def run(argv: list[str], ssh: str | None = None) -> CommandResult:
    """Run one of Slurm's commands and return its result.

    Raises SlurmUnreachable if Slurm or its machine does not respond, ExperimentExecutionException
    if the command is not installed.
    """
    return _require_response(argv[0], _run(argv, b"", ssh), ssh)


def submit(script: str, variables: dict[str, str], ssh: str | None = None) -> CommandResult:
    """Submit ``script`` with sbatch, in exactly the environment that the job inherits.

    It consists of the account's variables, Slurm's settings and ``variables``, whose values are
    passed on standard input, so that no process list shows them.
    """
    inherited = " ".join(
        f'${{{name}+{name}="${name}"}}' for name in (*ACCOUNT_VARIABLES, *SLURM_VARIABLES)
    )
    wrapper = (
        "found=$(command -v sbatch) || exit 127; "
        f'exec env -i PATH="${{found%/*}}:{FALLBACK_PATH}" {inherited} /bin/sh -s "$found"'
    )
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    lines.append(f'exec "$1" --parsable --export=ALL {shlex.quote(script)} </dev/null')
    stdin = "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n"
    return _require_response("sbatch", _run(["/bin/sh", "-c", wrapper], stdin, ssh), ssh)


def _run(argv: list[str], stdin: bytes, ssh: str | None) -> CommandResult:
    try:
        return transport(ssh).run(argv, stdin)
    except MachineUnreachable as error:
        raise SlurmUnreachable(f"Slurm does not respond: {error.message}") from None


def _require_response(name: str, result: CommandResult, ssh: str | None) -> CommandResult:
    if result.code == 127:
        where = f"on {ssh}" if ssh else "on this machine"
        raise ExperimentExecutionException(
            f"Slurm command {name!r} not found {where}.",
            "Install Slurm's client tools (slurm-client).",
        )
    if result.code and any(word in result.error_line.lower() for word in _NO_RESPONSE):
        raise SlurmUnreachable(f"Slurm does not respond: {error_text(result)}")
    return result


def error_text(result: CommandResult) -> str:
    """The command's error messages in one line, else its exit code."""
    lines = [line.strip() for line in result.err.decode("utf-8", "replace").splitlines()]
    messages = [line.partition("error: ")[2] or line for line in lines if line]
    return "; ".join(messages) or f"exit code {result.code}"

"""Processes that outlive the one that starts them: launchers, runners, drivers of sweeps."""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping, Sequence

from scriptrun.runtime import identity, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen


def start(
    command: Sequence[str],
    name: str,
    environ: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    pass_fds: Sequence[int] = (),
    new_session: bool = True,
) -> Popen[bytes]:
    """Start ``command`` with nothing of this process's but ``pass_fds``.

    ``name`` is the process name that it takes; within a job it is waited for, since until then it
    looks like a leftover of the script. ``environ`` defaults to this process's own, without the
    variables of a job. ``stdin`` is written to its standard input, which is then closed.
    """
    import subprocess

    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=pass_fds,
        start_new_session=new_session,
        cwd="/" if os.name == "posix" else None,
        env=outside_a_job() if environ is None else environ,
    )
    if process.stdin is not None:
        with process.stdin as pipe:
            pipe.write(stdin or b"")
    if processes.in_job():
        processes.await_name(process.pid, name)
    _started[:] = [each for each in _started if each.poll() is None]
    _started.append(process)
    return process


def outside_a_job() -> dict[str, str]:
    """This process's variables, without those by which a job is known."""
    return {name: value for name, value in os.environ.items() if name not in identity.OF_A_JOB}


#: those that this process has started, and that lived at the last look
_started: list[Popen[bytes]] = []


@atexit.register
def _outlive() -> None:
    """They outlive this process, which is no cause for Python to warn."""
    for process in _started:
        process.returncode = 0

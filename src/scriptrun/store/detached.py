"""Starts processes that outlive this one: launchers, runners, sweep drivers."""

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
    """Start ``command``, which inherits only ``pass_fds`` from this process.

    ``name`` is the process name that it sets; inside a job, this call waits for that, since until
    then it looks like a leftover of the script. ``environ`` defaults to this process's variables
    without those that mark a job. ``stdin`` is written to its standard input, which is then closed.
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
        env=environ_outside_job() if environ is None else environ,
    )
    if process.stdin is not None:
        with process.stdin as pipe:
            pipe.write(stdin or b"")
    if processes.in_job():
        processes.await_name(process.pid, name)
    _started[:] = [started for started in _started if started.poll() is None]
    _started.append(process)
    return process


def environ_outside_job() -> dict[str, str]:
    """This process's variables, without those that mark a job."""
    return {name: value for name, value in os.environ.items() if name not in identity.JOB_VARIABLES}


#: the processes that this one has started and that were last seen alive
_started: list[Popen[bytes]] = []


@atexit.register
def _silence_warnings() -> None:
    """Keep Python from warning that these processes are still running."""
    for process in _started:
        process.returncode = 0

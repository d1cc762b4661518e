"""Who a process is, so that a later look can tell whether it still lives (Python 3.6+).

A pid alone is used again after a while; pid, start time, boot and host together are not.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


#: variables by which a process is known to belong to a job
OF_A_JOB = ("SCRIPTRUN_RUN_ID", "SCRIPTRUN_RUN_FOLDER", "SCRIPTRUN_RANK", "SCRIPTRUN_NODE")


def of_process(pid: "int | None" = None) -> "Json":
    """The identity of process ``pid`` (default: this one) as a JSON value."""
    pid = os.getpid() if pid is None else pid
    return {"host": host(), "boot": boot(), "pid": pid, "start": start_time(pid)}


def is_here(identity: "Json") -> bool:
    """Whether ``identity`` was taken on this host (its life can be judged from here)."""
    return identity.get("host") == host()


def is_alive(identity: "Json") -> bool:
    """Whether the process of ``identity`` lives; meaningful only where ``is_here``."""
    if identity.get("boot") != boot():
        return False
    start = start_time(identity["pid"])
    return start is not None and start == identity.get("start")


def host() -> str:
    """This machine's name."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    import socket

    return socket.gethostname()


def boot() -> str:
    """What changes with every boot of this machine; "" where the system does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as handle:
            return handle.read().strip()
    except OSError:
        return ""


def start_time(pid: int) -> "str | None":
    """When ``pid`` was started, in the system's own units as text; None if it is gone."""
    try:
        with open("/proc/{}/stat".format(pid), "rb") as handle:
            fields = handle.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None if os.path.isdir("/proc/self") else _start_time_by_ps(pid)
    return None if fields[0] in (b"Z", b"X") else fields[19].decode()


def _start_time_by_ps(pid: int) -> "str | None":
    import subprocess

    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        universal_newlines=True,
    ).stdout.strip()
    if not answer or answer.startswith("Z"):
        return None
    return answer.split(None, 1)[1]

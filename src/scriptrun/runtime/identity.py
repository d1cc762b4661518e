"""Identify processes, to check later whether they are still alive (Python 3.6+).

Pids are reused; the combination of pid, start time, boot and host is not. In a container a process
has another pid: those of another PID namespace cannot be compared.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


#: variables that mark a process as part of a job
JOB_VARIABLES = ("SCRIPTRUN_RUN_ID", "SCRIPTRUN_RUN_FOLDER", "SCRIPTRUN_RANK", "SCRIPTRUN_NODE")


def identify(pid: "int | None" = None) -> "Json":
    """The identity of process ``pid`` (default: this one) as a JSON value."""
    pid = os.getpid() if pid is None else pid
    return {
        "host": host(),
        "boot": boot_id(),
        "pid_namespace": pid_namespace(),
        "pid": pid,
        "start": start_time(pid),
    }


def is_of_this_host(identity: "Json") -> bool:
    """Whether ``identity`` is of a process on this host, perhaps in a container."""
    return identity.get("host") == host()


def is_local(identity: "Json") -> bool:
    """Whether ``is_alive`` can check ``identity``: it is of this host and PID namespace.

    Nothing of an earlier boot is alive, whatever its namespace was. Records of earlier versions
    have no namespace: they count as of this one.
    """
    if not is_of_this_host(identity):
        return False
    namespace = identity.get("pid_namespace")
    return namespace in (None, pid_namespace()) or identity.get("boot") != boot_id()


def is_identity(value: object) -> bool:
    """Whether ``value``, read from a file, is what ``identify`` returns."""
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(name), str) for name in ("host", "boot"))
        and type(value.get("pid")) is int
    )


def is_alive(identity: "Json") -> bool:
    """Whether the process of ``identity`` is alive; only valid if ``is_local``."""
    if identity.get("boot") != boot_id() or type(identity.get("pid")) is not int:
        return False
    start = start_time(identity["pid"])
    return start is not None and start == identity.get("start")


def may_be_alive(identity: "Json") -> bool:
    """Whether the process is alive, or is of another host or PID namespace, where none can see."""
    return not is_local(identity) or is_alive(identity)


def pid_namespace() -> "int | None":
    """The number of this process's PID namespace; None on systems without (Linux has them)."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return None


def host() -> str:
    """This machine's host name."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    import socket

    return socket.gethostname()


def boot_id() -> str:
    """An ID that changes with every boot of this machine; "" if unavailable."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as handle:
            return handle.read().strip()
    except OSError:
        return ""


def start_time(pid: int) -> "str | None":
    """When ``pid`` started, as text in the system's units; None if it is gone."""
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


def set_process_name(name: str) -> None:
    """Set this process's name to ``name`` (at most 15 characters; Linux only)."""
    try:
        with open("/proc/self/comm", "w") as handle:
            handle.write(name)
    except OSError:
        pass

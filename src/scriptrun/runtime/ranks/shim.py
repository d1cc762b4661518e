"""One rank of an MPI job: started by mpirun or srun, it runs the script and records how it ended.

Usage: ``python -I -S shim.py PLAN``, where PLAN is the attempt's ``ranks.json``. A keeper process
in its own session sits between the process that mpirun knows and the script: if mpirun kills all
ranks at once (MPI_Abort; MPICH at any failure), the keeper lets the script save and records its
end. It forwards signals and exits as the script did. Standard library only.
"""

import json
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from scriptrun.runtime.hints import Json


#: where MPI libraries say which rank this is
RANKS = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK")
_FORWARDED_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)
#: seconds in which a script that brought the job down may exit by itself
_EXIT_GRACE = 0.1
#: bytes reserved for the record of a rank's end, so that a full disk cannot lose it
_RECORD_SIZE = 512


def main(path: str) -> "NoReturn":
    """Run this rank of the plan at ``path``; never returns."""
    with open(path, "rb") as handle:
        plan = json.loads(handle.read().decode("utf-8", "surrogatepass"))
    names = [*RANKS, *plan.get("numbered_by", ())]
    rank = next(int(os.environ[name]) for name in names if name in os.environ)
    reading, writing = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        os.close(writing)
        os.setsid()
        _run_script(plan, rank, os.path.dirname(path), reading)
    os.close(reading)
    for number in _FORWARDED_SIGNALS:
        signal.signal(number, lambda number, _: _send(keeper, number))
    _exit_like(_wait(keeper))


def _run_script(plan: "Json", rank: int, folder: str, parent_pipe: int) -> "NoReturn":
    """Run this rank's script; ``parent_pipe`` closes when the process that mpirun knows ends."""
    task, step = plan["ranks"][rank], _step_id(plan)
    log = os.open(task["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    wake, wake_writer = os.pipe()
    os.set_blocking(wake_writer, False)
    pid = os.fork()
    if pid == 0:
        _execute(task, log)
    stop_signals: "list[int]" = []
    _reserve_record(folder, rank)
    for number in _FORWARDED_SIGNALS:
        signal.signal(number, lambda number, _: _forward(pid, number, stop_signals))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
    _write_record(folder, rank, "start", process=_identity(os.getpid()), step=step)
    status = _watch(pid, parent_pipe, wake, stop_signals, plan.get("grace", 10.0))
    facts = {"status": status, "node": task["node"], "stopped": bool(stop_signals)}
    _write_record(folder, rank, "end", starved=bool(step) and _ran_out_of_memory(status), **facts)
    _exit_like(status)


def _ran_out_of_memory(status: int) -> bool:
    """Whether the script of a scheduler's step ran out of memory: only this process can tell.

    A step has its own control group; elsewhere the launcher shares it.
    """
    if status != signal.SIGKILL:
        return False
    path = os.path.abspath(__file__)
    sys.path.insert(0, path[: -len(os.path.join("scriptrun", "runtime", "ranks", "shim.py"))])
    from scriptrun.runtime.launcher import oom  # loaded only if something was killed

    return oom.kill_count() > 0


def _watch(pid: int, parent_pipe: int, wake: int, stop_signals: "list[int]", grace: float) -> int:
    """The script's wait status; once mpirun abandons it, the script gets SIGTERM to save."""
    kill_at = None
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        watched = [wake] if kill_at else [wake, parent_pipe]
        ready, _, _ = select.select(watched, [], [], 1.0 if kill_at else None)
        if wake in ready:
            os.read(wake, 4096)
        elif parent_pipe in ready:
            time.sleep(_EXIT_GRACE)
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return status
            _forward(pid, signal.SIGTERM, stop_signals)
            kill_at = time.monotonic() + grace
        elif kill_at and time.monotonic() > kill_at:
            _send(pid, signal.SIGKILL)


def _wait(pid: int) -> int:
    while True:
        try:
            return os.waitpid(pid, 0)[1]
        except InterruptedError:
            pass


def _forward(pid: int, number: int, stop_signals: "list[int]") -> None:
    """Send the script a signal; SIGTERM only once, as several may arrive for the same stop."""
    if number == signal.SIGTERM:
        if stop_signals:
            return
        stop_signals.append(number)
    _send(pid, number)


def _execute(task: "Json", log: int) -> "NoReturn":
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(task["work"])
        environ = dict(os.environ)
        for before, after in task.get("moved") or ():
            environ = {name: value.replace(before, after) for name, value in environ.items()}
        environ.update(task["variables"])
        os.execve(task["argv"][0], task["argv"], environ)
    except OSError as error:
        os.write(2, "{}\n".format(error).encode("utf-8", "backslashreplace"))
    finally:
        os._exit(127)


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        pass


def _write_record(folder: str, rank: int, event: str, **facts: object) -> None:
    """Write ``rank-<rank>.<what>.json`` atomically."""
    target = os.path.join(folder, "rank-{}.{}.json".format(rank, event))
    try:
        handle = os.open(target + ".tmp", os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            data = json.dumps(dict(facts, rank=rank, t=time.time())).encode()
            os.write(handle, data.ljust(_RECORD_SIZE if event == "end" else 0))
        finally:
            os.close(handle)
        os.rename(target + ".tmp", target)
    except OSError:
        pass  # a full disk: mpirun's own messages must do


def _reserve_record(folder: str, rank: int) -> None:
    """Reserve disk space for the record of the rank's end."""
    try:
        with open(os.path.join(folder, "rank-{}.end.json.tmp".format(rank)), "wb") as handle:
            handle.write(b" " * _RECORD_SIZE)
    except OSError:
        pass  # a full disk


def _step_id(plan: "Json") -> str:
    """The step of a scheduler's that this rank belongs to ("12.1"); "" where there is none."""
    found = [os.environ.get(name, "") for name in plan.get("step_of", ())]
    return ".".join(found) if found and all(found) else ""


def _identity(pid: int) -> "Json":
    """Like ``runtime.identity.identify``, without importing it."""
    host = os.uname().nodename
    try:
        with open("/proc/sys/kernel/random/boot_id") as handle:
            boot = handle.read().strip()
        with open("/proc/{}/stat".format(pid), "rb") as handle:
            start = handle.read().rpartition(b")")[2].split()[19].decode()
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except (OSError, IndexError):
        return {"host": host, "boot": "", "pid": pid, "start": None}
    return {"host": host, "boot": boot, "pid_namespace": namespace, "pid": pid, "start": start}


def _exit_like(status: int) -> "NoReturn":
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main(sys.argv[1])

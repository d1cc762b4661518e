"""One rank of an MPI job: started by mpirun or srun, it runs the script and tells how that ended.

As a program: ``python -I -S shim.py PLAN``, where PLAN is the attempt's ``ranks.json``. It stays
the script's parent, hands signals on, and ends as the script did. Standard library only.
"""

import json
import os
import signal
import sys
import time

#: where MPI libraries and Slurm say which rank this is
RANKS = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID")
_HANDED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)


def main(path):
    """Run this rank of the plan at ``path``; never returns."""
    rank = next(int(os.environ[name]) for name in RANKS if name in os.environ)
    with open(path, "rb") as handle:
        task = json.loads(handle.read().decode("utf-8", "surrogatepass"))["ranks"][rank]
    place = os.path.dirname(path)
    log = os.open(task["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    pid = os.fork()
    if pid == 0:
        _execute(task, log)
    for number in _HANDED_ON:
        signal.signal(number, lambda number, _: _hand_on(pid, number))
    _tell(place, rank, "start", process=_identity(pid))
    while True:
        try:
            _, status = os.waitpid(pid, 0)
            break
        except InterruptedError:
            pass
    _tell(place, rank, "end", status=status, node=task["node"])
    _end_like(status)


def _execute(task, log):
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(task["work"])
        environ = dict(os.environ)
        environ.update(task["variables"])
        os.execve(task["argv"][0], task["argv"], environ)
    except OSError as error:
        os.write(2, "{}\n".format(error).encode("utf-8", "backslashreplace"))
    finally:
        os._exit(127)


def _hand_on(pid, number):
    try:
        os.kill(pid, number)
    except OSError:
        pass


def _tell(place, rank, what, **facts):
    """Write ``rank-<rank>.<what>.json`` so that it is there whole or not at all."""
    target = os.path.join(place, "rank-{}.{}.json".format(rank, what))
    try:
        with open(target + ".tmp", "wb") as handle:
            handle.write(json.dumps(dict(facts, rank=rank, t=time.time())).encode())
        os.rename(target + ".tmp", target)
    except OSError:
        pass  # a full disk: mpirun's own words must do


def _identity(pid):
    """As ``runtime.identity.of_process``, without loading it."""
    host = os.uname().nodename
    try:
        with open("/proc/sys/kernel/random/boot_id") as handle:
            boot = handle.read().strip()
        with open("/proc/{}/stat".format(pid), "rb") as handle:
            start = handle.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return {"host": host, "boot": "", "pid": pid, "start": None}
    return {"host": host, "boot": boot, "pid": pid, "start": start}


def _end_like(status):
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main(sys.argv[1])

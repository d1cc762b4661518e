"""The launcher's parent: claims the run, watches the launcher, and cleans up if it is killed.

It is a subreaper: if the launcher dies, the script and its descendants become children of the
guard, which ends them and publishes a result. If the guard is killed, the launcher continues alone.
"""

import os
import signal
import sys
import time

from .. import (
    durability,
    events,
    files,
    identity,
    process_record,
    processes,
    results,
    standard_streams,
)
from ..order import Attempt, LaunchOrder
from . import collect, record_sync

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.order import Listener


#: the launcher's exit code when another attempt owns the run
SUPERSEDED = 75
#: its exit code when the run's job.json cannot be read
DAMAGED_JOB = 65


def guard(attempt: "Attempt") -> "NoReturn":
    """Run the job of ``attempt`` in this process and one child, then exit; never returns.

    The order's ``keep`` descriptors stay open until the end.
    """
    code, order = 70, attempt.order
    try:
        _detach(order.keep)
        if order.on_term:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the launcher's business
        identity.set_process_name(processes.GUARD)
        code = 0
        if _claim(order):
            code = _run_claimed(attempt)
            process_record.end(order, os.getpid())
    except BaseException:  # the last resort: log the error
        _log_exception(order)
        if not os.path.lexists(os.path.join(order.folder, "job.json")):
            process_record.end(order, os.getpid())  # nobody can ask for it any more
    finally:
        for descriptor in order.keep:
            os.close(descriptor)
        try:
            _wake_runner(order)
        finally:
            os._exit(code)


def fork(order: "LaunchOrder") -> int:
    """Start the job of ``order`` from this process, which must have one thread; return the pid."""
    pid = os.fork()
    if pid == 0:
        guard(Attempt(order))
    return pid


def _detach(keep: "Sequence[int]") -> None:
    """Detach from the terminal and the open files of the parent process."""
    try:
        os.setsid()
    except PermissionError:
        pass  # already a group leader, e.g. started by srun
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    standard_streams.open_closed()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    low = 3
    for descriptor in sorted(keep):
        os.set_inheritable(descriptor, False)
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))


def _claim(order: "LaunchOrder") -> bool:
    """Claim the node for this process; False if another process has it."""
    folder = results.attempt_folder(order.folder, order.attempt)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "node-{}.start.json".format(order.node))
    claimed = False
    try:
        own = identity.identify()
        process_record.begin(order, own)
        claimed = files.publish(path, files.to_json(own), may_be_empty=True)
        if claimed:  # before the script starts, or a power cut could let it start twice
            durability.sync_files([os.path.dirname(folder), order.folder])
        return claimed
    except OSError:
        _remove_if_empty(folder)  # a full disk: not an attempt, the run stays queued
        raise
    finally:
        if not claimed:
            process_record.end(order, os.getpid())


def _run_claimed(attempt: "Attempt") -> int:
    order = attempt.order
    folder = order.folder
    if attempt.handle:
        _write_handle(*attempt.handle)
    if os.path.lexists(os.path.join(folder, "cancel.json")):
        results.publish(folder, order.attempt, _canceled_result(order))
        return 0
    attempt.guard = os.getpid()
    pid = os.fork()
    if pid == 0:
        _run_launcher(attempt)
    processes.become_subreaper()
    record_sync.start(folder)
    if order.on_term:  # a scheduler's warning goes to the launcher alone
        for number in (signal.SIGUSR1, signal.SIGURG):
            signal.signal(number, lambda *_: processes.send(pid, signal.SIGTERM))
    status = _wait_for_launcher(pid, attempt.listen() if attempt.listen is not None else ())
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    if code == SUPERSEDED:
        _withdraw_claim(order)
    elif code != 0:
        _clean_up(attempt, status)
    else:  # processes orphaned before the launcher became a subreaper are now our children
        processes.clear_descendants()
    return 0


def _write_handle(path: str, handle: "Json") -> None:
    """Write the handle of this job, as a cluster may have several jobs for one attempt."""
    if (files.read_object(path) or {}).get("job") == handle["job"]:
        return
    try:
        files.write_atomic(path, files.to_json(handle))
    except OSError:
        pass  # a full disk


def _withdraw_claim(order: "LaunchOrder") -> None:
    """Withdraw the claim: another attempt has the run, or it is still queued."""
    folder = results.attempt_folder(order.folder, order.attempt)
    for name in ("reserve", "node-{}.start.json".format(order.node)):
        files.unlink_quietly(os.path.join(folder, name))
    _remove_if_empty(folder)


def _remove_if_empty(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError:
        pass  # it holds a result


def _canceled_result(order: "LaunchOrder") -> "Json":
    if order.ticket:
        files.unlink_quietly(order.ticket)
    reason = "canceled before it started"
    return results.result(results.CANCELED, reason, node=order.node, by="guard")


def _run_launcher(attempt: "Attempt") -> "NoReturn":
    code = 70
    try:
        from scriptrun.runtime.launcher import launcher

        try:
            launcher.launch(attempt, fork)
            code = 0
            if attempt.guard is not None and os.getppid() != attempt.guard:
                process_record.end(attempt.order, attempt.guard)  # the guard was killed
        except launcher.Superseded:
            code = SUPERSEDED
        except launcher.DamagedJob as error:
            code = DAMAGED_JOB
            _log(attempt.order, "{}\n".format(error))
    except BaseException:
        _log_exception(attempt.order)
    finally:
        os._exit(code)


def _wait_for_launcher(pid: int, listener: "Listener") -> int:
    """The wait status of the launcher, which gets SIGTERM when ``listener`` reports preemption."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return status
        if listener and ended == listener[0] and listener[1](status):
            processes.send(pid, signal.SIGTERM)


def _clean_up(attempt: "Attempt", status: int) -> None:
    """The launcher died without a result: end its processes and publish one."""
    order = attempt.order
    failed_at = time.time()
    record = process_record.read(process_record.path_of(order, os.getpid()) or "")
    processes.clear_descendants(record.living_scripts() if record else (), patience=0.5)
    if order.container:
        from scriptrun.runtime.containers import docker

        docker.remove_containers(order)
    if order.ticket and os.path.exists(order.ticket):
        return  # the script had not started: the run is still queued, and the next runner starts it
    if os.WIFSIGNALED(status):
        reason = "the launcher was killed by " + processes.signal_name(os.WTERMSIG(status))
    elif os.WEXITSTATUS(status) == DAMAGED_JOB:
        reason = "{} is damaged or gone".format(os.path.join(order.folder, "job.json"))
    else:
        reason = "the launcher exited with code {}".format(os.WEXITSTATUS(status))
    if order.nodes > 1:
        reason = reason.replace("the launcher", "the launcher of node {}".format(order.node))
    value = results.result(results.FAILED, reason, node=order.node, by="guard")
    log = events.EventWriter(order.folder, "guard-{}".format(order.node))
    _keep_linked_content(order, log)
    if order.nodes > 1:
        from scriptrun.runtime.multinode import gang, gather

        value["cause"] = gang.cause_of(value, failed_at)
        job = files.read_object(os.path.join(order.folder, "job.json")) or {}
        attempt.started = True
        if gang.end(job, attempt, value, log):
            return
    try:
        collect.collect(order.folder)
        if order.nodes > 1:
            gather.gather(order.folder, log)
    finally:
        from scriptrun.runtime.launcher import launcher

        job = files.read_object(os.path.join(order.folder, "job.json")) or {}
        launcher.publish(job, order, value, log)


def _keep_linked_content(order: "LaunchOrder", log: "events.EventWriter") -> None:
    from scriptrun.runtime.launcher import output_links

    try:
        output_links.keep_content(order.folder, order.node, order.nodes, log, order.inherited)
    except OSError as error:
        _log(order, "{}\n".format(error))


def _log_exception(order: "LaunchOrder") -> None:
    import traceback  # loaded only when something has gone wrong

    _log(order, traceback.format_exc())


def _log(order: "LaunchOrder", text: str) -> None:
    try:
        path = os.path.join(order.folder, "system_logs", "launcher.txt")
        events.append(path, text.encode("utf-8", "surrogateescape"))
    except OSError:
        pass


def _wake_runner(order: "LaunchOrder") -> None:
    """Start a runner if runs are queued and none is active."""
    wake = order.wake
    if not wake:
        return
    try:
        waiting = any(name.endswith(".json") for name in os.listdir(wake["queue"]))
    except OSError:
        return
    if waiting and not _is_locked(wake["lock"]):
        start_detached(wake["command"], _runner_environment(order.inherited))


def _is_locked(path: str) -> bool:
    """Whether a runner is active; it checks the queue once more after it releases its lock."""
    import fcntl

    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(handle)


def _runner_environment(environ: "Mapping[str, str]") -> "dict[str, str]":
    """``environ`` without the variables that would make the runner look like part of a job."""
    return {name: value for name, value in environ.items() if name not in identity.JOB_VARIABLES}


def start_detached(command: "list[str]", environ: "Mapping[str, str] | None" = None) -> None:
    """Start ``command`` in its own session without a terminal; do not wait for it."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.execve(command[0], command, os.environ if environ is None else environ)
    except OSError:
        pass
    finally:
        os._exit(127)


if sys.version_info < (3, 8):
    raise ImportError("the launcher needs Python 3.8 or newer")

"""One node's job as a straight line: working directory, start, supervise, outputs, result."""

import os
import time

from . import (
    collect,
    delivery,
    events,
    files,
    identity,
    processes,
    results,
    retrying,
    supervise,
    variables,
    workdir,
)

#: seconds after the script's end in which the launcher is told what the script was told before
TOLD = 0.1


class Superseded(Exception):
    """Another attempt has the run, or nobody may: this one leaves without a word."""


def launch(order):
    """Run the job of ``order`` on this node, to its published result.

    Raises nothing for what goes wrong with the job itself: that is the result's business. Raises
    Superseded when the run is not this attempt's to start.
    """
    processes.call_me(processes.LAUNCHER)
    if order.get("on_term"):
        supervise.listen()
    folder = order["folder"]
    log = events.EventWriter(folder, "node-{}".format(order["node"]))
    job = files.read_json(os.path.join(folder, "job.json"))
    began = time.time()
    data = delivery.Helper(job, order)
    try:
        value = _run(job, order, log, data)
    except Superseded:
        import shutil

        shutil.rmtree(collect.staging(folder, order["attempt"]), ignore_errors=True)
        raise
    except delivery.NotDelivered as error:
        value = results.result(error.state, str(error))
    except OSError as error:
        value = results.result(results.FAILED, sentence(error, job, order))
    except Exception as error:  # a damaged snapshot, or our own bug: the run must end all the same
        import traceback  # loaded only when something has gone wrong

        _complain(folder, traceback.format_exc())
        value = results.result(results.FAILED, "it could not be started: {}".format(error))
    if order.get("on_term") and not supervise.asked():
        time.sleep(TOLD)
    order["told_to_stop"] = supervise.asked()
    if order.get("container"):
        from scriptrun.runtime import contained

        contained.settle(order, value)
    left = processes.clear_descendants(events.groups_begun(folder, order["node"]))
    if left:
        log.write("note", message="ended what the script left running: " + ", ".join(sorted(left)))
    value.update(began=began, ended=time.time(), node=order["node"], by="launcher")
    _end(job, order, value, log, data)


def _run(job, order, log, data):
    folder = order["folder"]
    try:
        if not order["node"]:
            results.reserve(folder, order["attempt"])
        _lay_out(job, order)
    finally:
        _take_ticket(job, order)  # from here on the run is never started a second time
    if order["nodes"] > 1 or job["distribution"]["kind"]:
        from scriptrun.runtime import gang  # only jobs of several ranks load it

        return gang.run(job, order, log, data)
    work = move_in(order, log, data)
    task = variables.single(job, order)
    log.write("state", state="Running")
    pid = start(job, order, task, work, log)
    processes.become_subreaper()
    return outcome(watch(job, order, [pid]).wait(), job.get("script") or "the command")


def move_in(order, log, data):
    """Make what was laid out this node's working directory and bring the data; give its path."""
    work = collect.move_in(order["folder"], order["attempt"], order["node"])
    if data.wanted:
        log.write("state", state="Preparing", reason="its data is brought")
    order["brought"] = data.bring(work)
    return work


def start(job, order, task, work, log):
    """Start ``task`` in the working directory ``work``, say that it began, and return its pid."""
    output = open_log(order["folder"], task.log)
    try:
        if order.get("container"):
            from scriptrun.runtime import contained  # only jobs in containers load it

            pid = contained.start(job, order, task, work, output)
        else:
            environ = variables.process_environment(job, order, task.variables)
            pid = processes.spawn(task.argv, work, environ, output)
    finally:
        os.close(output)
    more = {"rank": task.rank, "log": task.log} if task.name else {}
    log.write(
        "began",
        attempt=order["attempt"],
        node=order["node"],
        pid=pid,
        launcher=identity.of_process(),
        script=identity.of_process(pid),
        **more,
    )
    return pid


def _lay_out(job, order):
    work = collect.staging(order["folder"], order["attempt"], order["node"])
    os.makedirs(work)
    os.makedirs(collect.checkpoints(order["folder"]), exist_ok=True)
    if job.get("snapshot"):
        workdir.materialise(order["store"], job["snapshot"], work)
    collect.prepare(work)


def _take_ticket(job, order):
    """Take the run's ticket: of all who may try, the one that removes it starts the script.

    Raises Superseded for all others, and for one whose guard is gone: to those who look, its
    attempt has ended, and the next is on its way.
    """
    ticket = order.get("ticket")
    if not ticket:
        return
    if os.getppid() != order.get("guard"):
        raise Superseded("its guard is gone")
    try:
        retrying.take(job, ticket)
    except FileNotFoundError:
        raise Superseded("its ticket is gone") from None


def watch(job, order, pids):
    """The supervision of this node's processes ``pids``."""
    folder = order["folder"]
    beat = os.path.join(
        results.attempt_folder(folder, order["attempt"]), "node-{}.beat".format(order["node"])
    )
    cancel = os.path.join(folder, "cancel.json")
    grace = job.get("grace_seconds", 10.0)
    made = supervise.Watch(pids, job.get("max_run_duration_seconds"), grace, cancel, beat)
    made.warn = job.get("warn_before_seconds") or 0.0
    made.on_term = order.get("on_term", "")
    made.on_limit = lambda living: _stacks(order, living)
    if order.get("container"):
        from scriptrun.runtime import contained

        contained.look_after(made, order)
    return made


def _stacks(order, living):
    from scriptrun.runtime import stacks  # only what hangs is looked into

    stacks.collect(order, living)


def outcome(ending, what):
    """How it ended, as a result; ``what`` is "train.py", "train.py on rank 3" or the like."""
    facts = {"exit_code": ending.exit_code, "signal": ending.signal, "usage": ending.usage}
    if ending.canceled:
        return results.result(results.CANCELED, "canceled while it ran", **facts)
    if ending.stopped:
        if ending.stopped.startswith(supervise.TOO_LONG):
            facts["ended_by"] = "time-limit"
        return results.result(
            results.FAILED, "{} was stopped: {}".format(what, ending.stopped), **facts
        )
    if ending.signal:
        reason = "{} was ended by {}".format(what, ending.signal)
        if ending.signal == "SIGKILL":
            reason += " (by a person, or by the system for want of memory)"
        return results.result(results.FAILED, reason, **facts)
    if ending.exit_code:
        reason = "{} ended with exit code {}".format(what, ending.exit_code)
        return results.result(results.FAILED, reason, **facts)
    return results.result(results.COMPLETED, **facts)


def _end(job, order, value, log, data):
    """The last steps, to the result; a full disk must not keep the result from being told."""
    folder = order["folder"]
    if order["nodes"] > 1:
        from scriptrun.runtime import gang

        _try(folder, lambda: data.finish(value))
        if gang.end(job, order, value, log):
            return
    _try(folder, lambda: log.write("state", state="Finalizing"))
    _try(folder, lambda: data.finish(value))
    _try(folder, lambda: collect.collect(folder))
    if order["nodes"] > 1:
        from scriptrun.runtime import together

        _try(folder, lambda: together.gather(folder, log))
    last = _judge(order, value) if order.get("told_to_stop") else True
    publish(job, order, value, log, last)


def publish(job, order, value, log, last=True):
    """Publish how the attempt ended; where it is the run's end, unless that is started again."""
    folder, attempt = order["folder"], order["attempt"]
    if last and retrying.wanted(job, order, value):
        results.publish_surely(folder, attempt, value, log, last=False)
        last = not retrying.start_again(job, order, value, log)
        if not last:
            return
    if last:
        retrying.forget(order)
    results.publish_surely(folder, attempt, value, log, last=last)


def _judge(order, value):
    """Let what told the job to stop say why; whether that is the run's end."""
    from scriptrun.runtime import on_slurm

    return on_slurm.judge(order, value)


def _try(folder, step):
    try:
        step()
    except OSError as error:
        _complain(folder, error)


def _complain(folder, error):
    try:
        path = os.path.join(folder, "system_logs", "launcher.txt")
        events.append(path, "{}\n".format(error).encode("utf-8", "backslashreplace"))
    except OSError:
        pass


def sentence(error, job, order):
    """Why the job could not be started, of the OSError that kept it."""
    name = error.filename
    if order.get("container") and name == order["container"]["tool"]:
        return "the container tool {} cannot be executed: {}".format(name, error.strerror)
    if name and name == order.get("python"):
        return "the interpreter {} cannot be executed: {}".format(name, error.strerror)
    where = ": {}".format(name) if name else ""
    return "{} could not be started: {}{}".format(
        job.get("script") or "the command", error.strerror or error, where
    )


def open_log(folder, name):
    """The log ``name`` of the run, open for appending."""
    path = os.path.join(folder, *name.split("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

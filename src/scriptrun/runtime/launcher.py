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
    supervise,
    variables,
    workdir,
)


class Superseded(Exception):
    """Another attempt has the run, or nobody may: this one leaves without a word."""


def launch(order):
    """Run the job of ``order`` on this node, to its published result.

    Raises nothing for what goes wrong with the job itself: that is the result's business. Raises
    Superseded when the run is not this attempt's to start.
    """
    processes.call_me(processes.LAUNCHER)
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
        value = results.result(results.FAILED, _sentence(error, job, order))
    except Exception as error:  # a damaged snapshot, or our own bug: the run must end all the same
        import traceback  # loaded only when something has gone wrong

        _complain(folder, traceback.format_exc())
        value = results.result(results.FAILED, "it could not be started: {}".format(error))
    left = processes.clear_descendants(events.groups_begun(folder, order["node"]))
    if left:
        log.write("note", message="ended what the script left running: " + ", ".join(sorted(left)))
    value.update(began=began, ended=time.time(), node=order["node"], by="launcher")
    _finish(folder, log, data, value)
    results.publish_surely(folder, order["attempt"], value, log)


def _run(job, order, log, data):
    folder = order["folder"]
    try:
        results.reserve(folder, order["attempt"])
        _lay_out(job, order)
    finally:
        _take_ticket(order)  # from here on the run is never started a second time
    work = collect.move_in(folder, order["attempt"])
    if data.wanted:
        log.write("state", state="Preparing", reason="its data is brought")
    brought = data.bring(work)
    system = dict(variables.system_variables(job, order), **brought)
    environ = variables.process_environment(job, order, system)
    argv = variables.command_line(job, order, system)
    log.write("state", state="Running")
    output = _open_log(folder)
    try:
        pid = processes.spawn(argv, work, environ, output)
    finally:
        os.close(output)
    log.write(
        "began",
        attempt=order["attempt"],
        node=order["node"],
        pid=pid,
        launcher=identity.of_process(),
        script=identity.of_process(pid),
    )
    processes.become_subreaper()
    return _outcome(_watch(job, order, pid).wait(), job)


def _lay_out(job, order):
    work = collect.staging(order["folder"], order["attempt"])
    os.makedirs(work)
    if job.get("snapshot"):
        workdir.materialise(order["store"], job["snapshot"], work)
    collect.prepare(work)


def _take_ticket(order):
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
        os.unlink(ticket)
    except FileNotFoundError:
        raise Superseded("its ticket is gone") from None


def _watch(job, order, pid):
    folder = order["folder"]
    beat = os.path.join(
        results.attempt_folder(folder, order["attempt"]), "node-{}.beat".format(order["node"])
    )
    cancel = os.path.join(folder, "cancel.json")
    grace = job.get("grace_seconds", 10.0)
    return supervise.Watch(pid, job.get("max_run_duration_seconds"), grace, cancel, beat)


def _outcome(ending, job):
    facts = {"exit_code": ending.exit_code, "signal": ending.signal, "usage": ending.usage}
    what = job.get("script") or "the command"
    if ending.canceled:
        return results.result(results.CANCELED, "canceled while it ran", **facts)
    if ending.stopped:
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


def _finish(folder, log, data, value):
    """The last steps before the result; a full disk must not keep the result from being told."""
    for step in (
        lambda: log.write("state", state="Finalizing"),
        lambda: data.finish(value),
        lambda: collect.collect(folder),
    ):
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


def _sentence(error, job, order):
    name = error.filename
    if name and name == order.get("python"):
        return "the interpreter {} cannot be executed: {}".format(name, error.strerror)
    where = ": {}".format(name) if name else ""
    return "{} could not be started: {}{}".format(
        job.get("script") or "the command", error.strerror, where
    )


def _open_log(folder):
    path = os.path.join(folder, "user_logs", "std_log.txt")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

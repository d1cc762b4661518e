"""The launcher's steps, each by itself: how an end is told, tried again, and cleared up after."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.dropin import child_processes
from scriptrun.runtime import events, files, hints, processes, results, search_path
from scriptrun.runtime.launcher import (
    delivery_client,
    entry,
    guard,
    launcher,
    oom,
    retry,
    stacks,
    steps,
    supervise,
)
from scriptrun.runtime.order import Attempt, LaunchOrder
from scriptrun.testing.jobs import PATIENCE, until

RETRIED = {"limit": 2, "on": ["node-lost", "exit:7", "signal:SIGKILL", "time-limit"]}


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "run"
    (made / "attempts" / "1").mkdir(parents=True)
    return made


def order_of(folder, **more):
    root = str(folder.parent)
    places = {"workspace": root, "store": root, "runtime": os.path.join(root, "kit")}
    return LaunchOrder(folder=str(folder), **{**places, "environ": {"PATH": os.defpath}, **more})


def test_a_jobs_start_loads_no_annotations():
    code = (
        "import sys\nfrom scriptrun.runtime.launcher import entry, launcher, retry, steps\n"
        "from scriptrun.runtime.multinode import gang\n"
        "print([each for each in sys.argv[1:] if each in sys.modules])"
    )
    kit = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(results.__file__))))
    code = f"import sys; sys.path.insert(0, {kit!r})\nimport types\n" + (
        f"sys.modules['scriptrun'] = types.ModuleType('scriptrun')\n"
        f"sys.modules['scriptrun'].__path__ = [{os.path.join(kit, 'scriptrun')!r}]\n" + code
    )
    argv = [sys.executable, "-I", "-S", "-c", code, hints.__name__, "typing", "__future__"]
    assert subprocess.check_output(argv, text=True).strip() == "[]"


@pytest.mark.parametrize(
    ("environment", "rest", "expected"),
    [
        ({}, None, ["/kit"]),
        (None, "", ["/kit"]),
        ({"pins": "exact"}, None, ["/kit"]),
        ({"pins": "auto"}, None, ["/kit", "/kit/old"]),
        ({"pins": "relax"}, None, ["/kit", "/kit/old"]),
        ({"pins": "auto"}, "/mine:/other", ["/kit", "/kit/old", "/mine", "/other"]),
        ({}, f"/mine:{child_processes.FOLDER}", ["/kit", "/mine"]),
    ],
)
def test_what_runs_with_a_job_is_found_first(environment, rest, expected):
    assert (
        search_path.build_pythonpath({"environment": environment}, "/kit", rest).split(":")
        == expected
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"exit_code": 7}, {"exit:7"}),
        ({"exit_code": 0}, set()),
        ({"signal": "SIGKILL"}, {"signal:SIGKILL"}),
        ({"ended_by": "preempted", "exit_code": 7}, {"preempted"}),
        ({"by": "guard", "signal": "SIGKILL"}, {"node-lost"}),
        ({"by": "launcher", "ended_by": ""}, set()),
    ],
)
def test_what_ended_an_attempt_is_named(value, expected):
    assert retry.causes(value) == expected


def test_an_attempt_is_repeated_as_often_as_was_asked_and_not_once_canceled(folder):
    job, failed = {"retry": RETRIED}, results.result(results.FAILED, "r", exit_code=7)
    wanted = [retry.should_retry(job, str(folder), attempt, failed) for attempt in (1, 2, 3)]
    assert wanted == [True, True, False]
    assert not retry.should_retry({}, str(folder), 1, failed)
    assert not retry.should_retry(job, str(folder), 1, {**failed, "exit_code": 8})
    assert not retry.should_retry(job, str(folder), 1, {**failed, "state": results.CANCELED})
    (folder / "cancel.json").write_text("{}")
    assert not retry.should_retry(job, str(folder), 1, failed)


def test_a_ticket_is_taken_once_and_comes_back_for_the_next_attempt(folder, tmp_path):
    ticket = tmp_path / "ticket.json"
    ticket.write_text("mine")
    job = {"retry": RETRIED}
    order = order_of(folder, ticket=str(ticket))
    retry.take_ticket(job, str(ticket))
    with pytest.raises(FileNotFoundError):
        retry.take_ticket(job, str(ticket))
    log = events.EventWriter(folder, "node-0")
    value = results.result(results.FAILED, "exited with code 7", exit_code=7)
    assert retry.schedule_retry(job, order, value, log)
    assert ticket.read_text() == "mine"
    assert [each["kind"] for each in events.read(log.path)] == ["note"]
    retry.take_ticket(job, str(ticket))
    retry.drop_began_ticket(order)
    assert os.listdir(tmp_path) == ["run"]
    assert not retry.schedule_retry(job, order, value, log)
    retry.drop_began_ticket(order)


def test_a_ticket_of_a_job_that_is_not_repeated_is_gone(folder, tmp_path):
    (tmp_path / "t.json").write_text("")
    retry.take_ticket({"retry": {}}, str(tmp_path / "t.json"))
    assert os.listdir(tmp_path) == ["run"]


def test_only_the_last_attempts_end_is_the_runs(folder, tmp_path):
    (tmp_path / "t.json.began").write_text("")
    order = order_of(folder, ticket=str(tmp_path / "t.json"))
    log = events.EventWriter(folder, "node-0")
    job = {"retry": {"limit": 1, "on": ["exit:7"]}}
    for attempt in (1, 2):
        (folder / "attempts" / str(attempt)).mkdir(exist_ok=True)
        value = results.result(results.FAILED, "code 7", exit_code=7, node=0)
        launcher.publish(job, order.replace(attempt=attempt), value, log)
        if attempt == 1:
            assert (tmp_path / "t.json").exists()
            assert not (folder / "attempts/1/result.json").exists()
            retry.take_ticket(job, order.ticket)
    assert files.read_json(str(folder / "attempts/2/result.json"))["exit_code"] == 7
    assert not list(tmp_path.glob("t.json*"))


USAGE = {"user_seconds": 0.0, "system_seconds": 0.0, "peak_memory_kb": 1}


@pytest.mark.parametrize(
    ("ending", "state", "words"),
    [
        (supervise.ExitSummary(0, USAGE), "Completed", ""),
        (supervise.ExitSummary(None, USAGE), "Completed", ""),
        (supervise.ExitSummary(3 << 8, USAGE), "Failed", "train.py exited with code 3"),
        (supervise.ExitSummary(11, USAGE), "Failed", "killed by SIGSEGV"),
        (supervise.ExitSummary(9, USAGE), "Failed", "SIGKILL (by a user or the OOM killer)"),
        (supervise.ExitSummary(15, USAGE, canceled=True), "Canceled", "canceled while running"),
        (supervise.ExitSummary(15, USAGE, "lost"), "Failed", "train.py was stopped: lost"),
    ],
)
def test_an_end_is_told_in_a_sentence(ending, state, words):
    value = steps.outcome(ending, "train.py")
    assert value["state"] == state and words in value["reason"]
    assert bool(value["reason"]) is (state != "Completed")
    assert value["usage"] == USAGE and not value.get("ended_by")


def test_a_time_limit_and_want_of_memory_are_told_apart_from_other_ends():
    stopped = supervise.ExitSummary(15, USAGE, supervise.TOO_LONG + "60")
    assert steps.outcome(stopped, "x")["ended_by"] == "time-limit"
    starved = supervise.ExitSummary(9, USAGE)
    starved.starved = True
    assert steps.outcome(starved, "x")["reason"].endswith("out of memory")


@given(st.integers(0, 255), st.integers(1, 64))
def test_an_end_has_an_exit_code_or_a_signal_and_never_both(code, number):
    left, died = supervise.ExitSummary(code << 8, USAGE), supervise.ExitSummary(number, USAGE)
    assert (left.exit_code, left.signal) == (code, None)
    assert died.exit_code is None and died.signal


def test_what_could_not_be_started_is_named(folder):
    order = order_of(folder, python="/env/python", container={"tool": "/bin/podman"})
    sentences = [
        steps.start_error(OSError(2, "not there", name), {"script": "train.py"}, order)
        for name in ("/bin/podman", "/env/python", "/there/x", None)
    ]
    assert ["podman" in each for each in sentences] == [True, False, False, False]
    assert "interpreter /env/python: not there" in sentences[1]
    assert "train.py: not there: /there/x" in sentences[2]
    assert sentences[3].endswith("train.py: not there")
    assert "command" in steps.start_error(OSError("odd"), {}, order_of(folder))


def test_a_log_is_opened_below_the_run_and_appended_to(folder):
    for text in (b"a\n", b"b\n"):
        handle = steps.open_log(str(folder), "user_logs/deep/log.txt")
        assert not os.get_inheritable(handle)
        os.write(handle, text)
        os.close(handle)
    assert (folder / "user_logs/deep/log.txt").read_text() == "a\nb\n"


def test_nothing_is_counted_before_the_count_begins():
    code = (
        "import os, subprocess, sys; from scriptrun.runtime.launcher import oom\n"
        "assert oom.killed_since_start() == 0\noom.start_counting()\n"
        "subprocess.run([sys.executable, '-c', 'import os; os.kill(os.getpid(), 9)'])\n"
        "print(oom.killed_since_start(), oom.kill_count() >= 0)"
    )
    argv = [sys.executable, "-c", code]
    assert subprocess.check_output(argv, text=True).split() == ["0", "True"]
    assert oom.kill_count() >= 0


def spy(folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "py-spy"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_jobs_own_py_spy_is_taken_first(folder, tmp_path):
    order = order_of(folder, environ={"PATH": str(tmp_path / "path")}, tool=("/none/python",))
    assert stacks.find_py_spy(order) is None
    on_path = spy(tmp_path / "path", "")
    assert stacks.find_py_spy(order) == str(on_path)
    own = spy(tmp_path / "env", "")
    assert stacks.find_py_spy(order.replace(bin=str(tmp_path / "env"))) == str(own)
    beside = spy(tmp_path / "tool", "")
    named = order.replace(environ={"PATH": "/none"}, tool=(str(tmp_path / "tool/python"),))
    assert stacks.find_py_spy(named) == str(beside)


def test_stacks_of_python_processes_and_no_others_are_kept(folder, tmp_path):
    spy(tmp_path / "env", 'echo "$@"; printf "\\377" >&2')
    order = order_of(folder, bin=str(tmp_path / "env"), node=3)
    hung = [
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE),
        subprocess.Popen(["cat"], stdin=subprocess.PIPE),
    ]
    pids = [each.pid for each in hung]
    until(lambda: "python" in processes.program_name(pids[0]))
    stacks.collect(order, [*pids, pids[0]])
    for each in hung:
        each.communicate(b"\n", timeout=PATIENCE)
    text = (folder / stacks.LOG).read_text()
    assert text.count(f"node 3, process {pids[0]}:\ndump --pid {pids[0]}\n") == 1
    assert f"process {pids[1]}" not in text and "\ufffd" in text


def test_without_py_spy_the_log_says_so(folder):
    order = order_of(folder, environ={"PATH": "/none"}, tool=("/none/python",))
    stacks.collect(order, [os.getpid()])
    assert "py-spy is not installed" in (folder / stacks.LOG).read_text()


def test_a_launcher_refuses_an_order_of_another_scriptrun(folder):
    value = {**order_of(folder).to_json(), "schema": 999}
    argv = [sys.executable, "-c", f"from {entry.__name__} import main; main()"]
    done = subprocess.run(argv, input=json.dumps(value).encode(), capture_output=True)
    assert done.returncode == 1 and b"another scriptrun wrote" in done.stderr
    assert os.listdir(folder / "attempts" / "1") == []


def launch(order):
    """Run the job of ``order`` in a process of its own, to the end of its guard."""
    argv = [sys.executable, "-c", f"from {entry.__name__} import main; main()"]
    done = subprocess.run(argv, input=json.dumps(order.to_json()).encode(), timeout=PATIENCE)
    return done.returncode


def job_of(folder, command="true", **more):
    job = {
        "id": folder.name, "experiment": "e", "workspace": "w", "format": 1, "script": "",
        "command": command, "arguments": [], "distribution": {"kind": "", "processes_per_node": 1},
        **more,
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job))
    return job


def test_a_run_that_was_canceled_before_is_not_started(folder, tmp_path):
    job_of(folder)
    (folder / "cancel.json").write_text("{}")
    (tmp_path / "t.json").write_text("")
    assert launch(order_of(folder, ticket=str(tmp_path / "t.json"))) == 0
    value = files.read_json(str(folder / "attempts/1/result.json"))
    assert (value["state"], value["by"]) == ("Canceled", "guard")
    assert not (tmp_path / "t.json").exists() and not (folder / "work").exists()


def test_a_node_that_is_claimed_is_left_alone(folder):
    job_of(folder)
    (folder / "attempts/1/node-0.start.json").write_text('{"pid": 1}')
    assert launch(order_of(folder)) == 0
    assert os.listdir(folder / "attempts/1") == ["node-0.start.json"]


def test_a_run_is_laid_out_runs_and_is_collected(folder, tmp_path):
    job_of(folder, "echo $SCRIPTRUN_RUN_ID; echo kept > outputs/a; echo gone > b; exit 3")
    (tmp_path / "t.json").write_text("")
    assert launch(order_of(folder, ticket=str(tmp_path / "t.json"))) == 0
    value = files.read_json(str(folder / "attempts/1/result.json"))
    assert (value["state"], value["exit_code"], value["by"]) == ("Failed", 3, "launcher")
    assert (folder / "user_logs/std_log.txt").read_text() == "run\n"
    assert (folder / "outputs/a").read_text() == "kept\n"
    assert not (folder / "work").exists() and not (tmp_path / "t.json").exists()


def test_without_its_ticket_an_attempt_leaves_without_a_trace(folder, tmp_path):
    job_of(folder)
    assert launch(order_of(folder, attempt=2, ticket=str(tmp_path / "gone.json"))) == 0
    assert os.listdir(folder / "attempts") == ["1"]
    assert not list(folder.glob("work*"))


def test_a_damaged_snapshot_is_the_end_of_the_run_and_told(folder):
    job_of(folder, snapshot="0" * 64)
    assert launch(order_of(folder)) == 0
    value = files.read_json(str(folder / "attempts/1/result.json"))
    assert (value["state"], value["by"]) == ("Failed", "launcher") and value["reason"]


@pytest.mark.parametrize(
    ("field", "value"), [("distribution", 7), ("data", ["x"]), ("arguments", {}), ("id", None)]
)
def test_a_damaged_job_is_the_end_of_the_run_and_named(folder, field, value):
    job = {**job_of(folder), field: value}
    for text in ('{"cut', json.dumps(job)):
        (folder / "job.json").write_text(text)
        assert launch(order_of(folder)) == 0
        result = files.read_json(str(folder / "attempts/1/result.json"))
        assert (result["state"], result["by"]) == ("Failed", "guard")
        assert result["reason"] == f"{folder / 'job.json'} is damaged or gone"
        for name in ("result.json", "node-0.json", "node-0.start.json"):
            (folder / "attempts/1" / name).unlink()
    log = (folder / "system_logs/launcher.txt").read_text()
    assert log.splitlines()[-1].endswith(f"job.json is damaged: its field '{field}'")
    assert "Traceback" not in log


def test_whoever_ends_starts_a_runner_where_something_waits_and_none_lives(folder, tmp_path):
    job_of(folder)
    queue = tmp_path / "queue"
    queue.mkdir()
    code = "import os, json, sys; json.dump(sorted(os.environ), open(sys.argv[1], 'w'))"
    for name, waits in (("no", False), ("yes", True)):
        if waits:
            (queue / "1.json").write_text("")
        command = [sys.executable, "-c", code, str(tmp_path / name)]
        wake = {"queue": str(queue), "lock": str(tmp_path / "lock"), "command": command}
        environ = {"PATH": os.defpath, "SCRIPTRUN_RUN_ID": "other", "KEPT": "1"}
        (folder / "cancel.json").write_text("{}")
        (folder / "attempts/1/node-0.start.json").unlink(missing_ok=True)
        assert launch(order_of(folder, wake=wake, environ=environ)) == 0
    names = until(lambda: files.read_json(str(tmp_path / "yes")))
    assert "KEPT" in names and "SCRIPTRUN_RUN_ID" not in names
    assert not (tmp_path / "no").exists()


def test_what_is_started_detached_has_a_session_and_no_terminal(tmp_path):
    target = tmp_path / "told"
    code = (
        "import json, os, sys; told = [os.getsid(0) == os.getpid(), os.getppid(), os.read(0, 1)]\n"
        "open(sys.argv[1] + '.part', 'w').write(json.dumps([os.getsid(0), told[2].decode(), os.environ['A']]))\n"
        "os.rename(sys.argv[1] + '.part', sys.argv[1])"
    )
    argv = [sys.executable, "-c", code, str(target)]
    starts = f"from {guard.__name__} import start_detached as s; s({argv!r}, {{'A': 'b'}})"
    subprocess.run([sys.executable, "-c", starts], check=True, timeout=PATIENCE)
    until(target.exists)
    session, read, variable = json.loads(target.read_text())
    assert session != os.getsid(0) and (read, variable) == ("", "b")


HELPER = """
import json, os, sys
for line in sys.stdin:
    question = json.loads(line)
    open(sys.argv[1], "a").write(line)
    told = json.load(open(sys.argv[2]))[question["do"]]
    if told is None: sys.exit(3)
    print(json.dumps(told), flush=True)
"""


def helper(folder, answers, data=(("inputs", [{}]),)):
    """The launcher's side, and a helper that says ``answers`` ahead of what scriptrun's own does."""
    root = folder.parent
    (root / "answers").write_text(json.dumps(answers))
    program = root / "tool"
    code = f"#!{sys.executable}\nimport sys\nsys.argv[1:] = {[str(root / 'asked'), str(root / 'answers')]!r}\n"
    program.write_text(code + HELPER)
    program.chmod(0o755)
    attempt = Attempt(order_of(folder, tool=(str(program),)))
    return delivery_client.DeliveryClient({"data": dict(data)}, attempt), attempt


def asked(folder):
    return [json.loads(line) for line in (folder.parent / "asked").read_text().splitlines()]


def test_a_job_without_data_starts_no_helper(folder):
    client, _ = helper(folder, {}, data=())
    value = results.result(results.COMPLETED)
    assert client.deliver("/work") == {}
    client.finish(value)
    assert value["state"] == "Completed" and not (folder.parent / "asked").exists()


def test_data_is_brought_and_its_variables_are_the_jobs(folder):
    answer = {"variables": {"A": "/a"}, "environ": {"a": "/a"}, "binds": [["/a", "/a", True]]}
    client, attempt = helper(folder, {"deliver": answer, "finish": {"error": ""}})
    assert client.deliver("/work") == {"A": "/a"}
    assert attempt.order.environ["a"] == "/a" and attempt.brought_plain == {"a": "/a"}
    assert attempt.binds == [["/a", "/a", True]]
    value = results.result(results.COMPLETED)
    client.finish(value)
    client.finish(value)
    assert value["state"] == "Completed"
    assert [each["do"] for each in asked(folder)] == ["deliver", "finish"]
    assert asked(folder)[0]["work"] == "/work"
    assert stat.S_ISREG(os.stat(folder / "system_logs/data.txt").st_mode)


def test_what_cannot_be_brought_is_why_the_run_ends(folder):
    client, _ = helper(folder, {"deliver": {"error": "no such datastore"}})
    with pytest.raises(delivery_client.DeliveryFailure, match="no such datastore") as caught:
        client.deliver("/work")
    assert caught.value.state == results.FAILED
    client.close()


def test_a_helper_that_dies_is_told_with_its_log(folder):
    client, _ = helper(folder, {"deliver": None})
    with pytest.raises(delivery_client.DeliveryFailure, match=r"system_logs/data\.txt"):
        client.deliver("/work")
    client.close()


@pytest.mark.parametrize("tool", [(), ("/none/python",)])
def test_a_node_without_scriptrun_cannot_bring_data(folder, tool):
    client = delivery_client.DeliveryClient(
        {"data": {"outputs": [{}]}}, Attempt(order_of(folder, tool=tool))
    )
    with pytest.raises(delivery_client.DeliveryFailure, match=tool[0] if tool else "scriptrun"):
        client.deliver("/work")


@pytest.mark.parametrize(
    ("state", "expected"),
    [("Completed", ("Failed", "disk full")), ("Failed", ("Failed", "own; disk full"))],
)
def test_what_cannot_be_uploaded_changes_the_result(folder, state, expected):
    client, _ = helper(folder, {"deliver": {}, "finish": {"error": "disk full"}})
    client.deliver("/work")
    value = results.result(state, "own" if state == "Failed" else "")
    client.finish(value)
    assert (value["state"], value["reason"]) == expected


def test_an_environment_that_is_built_on_the_node_is_the_orders(folder):
    where = {"python": "/n/python", "bin": "/n", "prefix": "/n"}
    client, attempt = helper(folder, {"environment": where}, data=())
    attempt.secrets = {"TOKEN": "s"}
    client.build_environment()
    assert (attempt.order.python, attempt.order.prefix) == ("/n/python", "/n")
    assert asked(folder)[0]["secrets"] == {"TOKEN": "s"}
    client.close()
    client, _ = helper(folder, {"environment": {"error": "no index"}}, data=())
    with pytest.raises(delivery_client.DeliveryFailure, match="no index"):
        client.build_environment()
    client.close()

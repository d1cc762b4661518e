"""The life of a service's processes: starts, deaths, signals, time limits."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading

import pytest

from scriptrun.runtime.serving import (  # noqa: F401 - run in the server
    entry,
    listener,
    master,
    pulse,
    worker,
    worker_process,
)
from scriptrun.runtime.serving.errors import ServiceError
from scriptrun.runtime.serving.order import ServiceOrder
from scriptrun.testing.jobs import until

WAITS = """
import json, os, time
def init():
    print('loaded by', os.getpid())
def run(data):
    print('called', data)
    path = json.loads(data).get('until')
    while path and not os.path.exists(path):
        time.sleep(0.005)
    if 'code' in json.loads(data):
        exec(json.loads(data)['code'])
    return {'pid': os.getpid()}
"""


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_state_says_where_it_listens(serve):
    served = serve(WAITS, workers=2)
    told = served.state()
    assert (told["host"], told["workers"], told["restarts"]) == ("127.0.0.1", 2, 0)
    assert told["pid"] == served.process.pid
    assert told["node"] == socket.gethostname()
    assert told["reason"] is None
    assert len(served.workers()) == 2
    assert served.stop() == 0
    assert served.state()["state"] == "stopping"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_requests_end(number, serve, tmp_path):
    served = serve(WAITS)
    go_on = tmp_path / "go on"
    with contextlib.closing(served.connect()) as busy, contextlib.closing(served.connect()) as kept:
        kept.request("GET", "/")
        kept.getresponse().read()
        busy.request("POST", "/score", json.dumps({"until": str(go_on)}))
        until(lambda: "called" in served.log())
        with contextlib.closing(served.connect()) as queued:
            queued.request("POST", "/score", "{}")
            assert served.request("GET", "/").status == 200  # the other one has arrived by now
            port = served.port
            os.killpg(served.process.pid, number)
            until(lambda: served.state()["state"] == "stopping")
            until(lambda: cannot_connect(port))
            go_on.touch()
            answer = busy.getresponse()
            assert (answer.status, answer.getheader("connection")) == (200, "close")
            assert queued.getresponse().status == 200
    assert served.wait() == 0
    assert "Traceback" not in served.log()


def test_a_client_that_sends_half_a_request_does_not_hold_it_up(serve):
    served = serve(WAITS)
    with served.socket() as client:
        client.sendall(b"POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        assert served.request("GET", "/").status == 200
        assert served.stop() == 0
        assert client.recv(65536).startswith(b"HTTP/1.1 408")


def cannot_connect(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return True
    return False


def test_a_second_signal_ends_it_at_once(serve, tmp_path):
    served = serve(WAITS)
    with contextlib.closing(served.connect()) as busy:
        busy.request("POST", "/score", json.dumps({"until": str(tmp_path / "never")}))
        until(lambda: "called" in served.log())
        served.process.send_signal(signal.SIGTERM)
        until(lambda: served.state()["state"] == "stopping")
        served.process.send_signal(signal.SIGTERM)
        assert served.wait() == 0


def test_a_signal_while_the_model_loads(new_service):
    served = new_service("import time\ndef init():\n    print('in', flush=True); time.sleep(600)\n"
                         "def run(data): pass\n").start()  # fmt: skip
    until(lambda: "in\n" in served.log())
    assert served.stop() == 0


def test_a_killed_worker_is_replaced(serve):
    served = serve(WAITS, restarts=2)
    for restart in (1, 2):
        os.kill(served.workers()[0], signal.SIGKILL)
        until(lambda n=restart: served.state()["restarts"] == n and served.state()["workers"] == 1)
        assert served.post("{}").status == 200
    assert served.state()["state"] == "healthy"
    assert "worker 1 was killed by signal 9, perhaps by the OOM killer" in served.log()
    os.kill(served.workers()[0], signal.SIGKILL)
    assert served.wait() == 1
    assert "and the service has used up its 2 restarts" in served.log()


def test_while_a_worker_is_missing_the_service_is_unhealthy(serve, tmp_path):
    served = serve("import os, time\ndef init():\n    while os.path.exists('stop'): time.sleep(.01)\n"
                   "def run(data): return 1\n", workers=2)  # fmt: skip
    (served.work / "stop").touch()
    os.kill(served.workers()[0], signal.SIGKILL)
    served.until_state("unhealthy")
    assert "killed by signal 9" in served.state()["reason"]
    assert served.post("1").json == 1, "the other one answers"
    (served.work / "stop").unlink()
    served.until_state("healthy")
    assert served.state()["reason"] is None


def test_workers_end_with_a_killed_master(serve):
    served = serve(WAITS, workers=2)
    workers = served.workers()
    served.process.kill()
    served.wait()
    until(lambda: not any(is_alive(pid) for pid in workers))
    until(lambda: cannot_connect(served.port))


def test_run_may_end_the_interpreter(serve):
    served = serve(WAITS)
    failed = served.post(json.dumps({"code": "raise SystemExit(3)"}))
    assert failed.status == 500, "an exit is an exception like others"
    first = served.post("{}").json["pid"]
    with pytest.raises((ConnectionError, OSError)):
        served.post(json.dumps({"code": "os._exit(7)"}))
    assert served.post("{}").json["pid"] != first
    assert "worker 1 exited with code 7" in served.log()


def test_what_a_dead_worker_started_is_ended(serve):
    served = serve(WAITS)
    code = "import subprocess, os; print('child', subprocess.Popen(['sleep', '600']).pid)"
    served.post(json.dumps({"code": code}))
    child = int(served.log().partition("child ")[2].split()[0])
    os.kill(served.workers()[0], signal.SIGKILL)
    until(lambda: not is_alive(child))


@pytest.mark.parametrize(
    "code", ["time.sleep(600)", "import re; re.match('(a+)+$', 'a' * 60 + 'b')"],
    ids=["sleeps", "holds the lock"],
)  # fmt: skip
def test_a_run_that_takes_too_long(code, serve):
    served = serve(WAITS, timeout_seconds=0.5, restarts=0)
    first = pid_of_a_call(served)
    try:
        answer = served.post(json.dumps({"code": code}))
    except (ConnectionError, OSError):
        assert "re.match" in code, "nobody can answer for a worker whose lock is held"
    else:
        assert answer.status == 504
        assert answer.json == {"message": "run() took longer than 0.5 seconds (timeout_seconds)."}
        until(lambda: "score.py" in served.log().partition("it was here:")[2])
    assert pid_of_a_call(served) != first
    assert served.state()["restarts"] == 0, "a slow run is no death of the service"
    assert "run() of worker 1 took longer than 0.5 seconds" in served.log()


def pid_of_a_call(served) -> int:
    """The worker that answers; on a slow machine a call may take longer than the limit."""
    found: list[int] = []

    def has_answered() -> bool:
        with contextlib.suppress(OSError):
            answer = served.post("{}")
            found.extend([answer.json["pid"]] if answer.status == 200 else [])
        return bool(found)

    until(has_answered)
    return found[0]


def test_a_body_that_arrives_while_a_run_takes_too_long_is_sent_back(serve):
    served = serve(WAITS, timeout_seconds=3.0)
    with contextlib.closing(served.connect()) as busy, served.socket() as sending:
        busy.request("POST", "/score", json.dumps({"code": "time.sleep(600)"}))
        until(lambda: "called" in served.log())
        sending.sendall(b"POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        assert sending.recv(65536).startswith(b"HTTP/1.1 503 ")
        assert busy.getresponse().status == 504


def test_calls_behind_a_run_that_takes_too_long_are_sent_back(serve):
    served = serve(WAITS, timeout_seconds=3.0)
    answers: list[int] = []

    def call(body: str) -> None:
        answers.append(served.post(body).status)

    slow = threading.Thread(target=call, args=(json.dumps({"code": "time.sleep(600)"}),))
    slow.start()
    until(lambda: "called" in served.log())
    behind = threading.Thread(target=call, args=("{}",))
    behind.start()
    slow.join()
    behind.join()
    assert sorted(answers) in ([503, 504], [200, 504])


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("def init():\n    raise OSError('no such model')\ndef run(data): pass\n",
         "error: The model could not be loaded: OSError: no such model"),
        ("import missing_package\n", "ModuleNotFoundError: No module named 'missing_package'. Add "
         "the package of 'missing_package' to the environment, or missing_package.py to the"),
        ("import json.missing\n", "No module named 'json.missing'\n"),
        ("def run(data): pass\n", "error: The entry script score.py has no function init"),
        ("x = 1\n", "has no function init and no function run"),
        ("def init(:\n", "SyntaxError"),
        ("import sys\ndef init(): sys.exit(5)\ndef run(data): pass\n", "SystemExit: 5"),
        ("import os\ndef init(): os._exit(5)\ndef run(data): pass\n",
         "The model could not be loaded: worker 1 exited with code 5"),
    ],
)  # fmt: skip
def test_a_model_that_does_not_load(script, expected, new_service):
    served = new_service(script).start(restarts=3)
    assert served.wait() == 1
    assert expected in served.log()
    assert served.log().splitlines()[-1].startswith("error: "), "the sentence comes last"
    assert "serving/worker.py" not in served.log()
    assert "starting it again" not in served.log()


def test_a_missing_entry_script(new_service):
    served = new_service().start(entry_script="src/scores.py")
    assert served.wait() == 1
    assert "The entry script 'src/scores.py' is missing" in served.log()


def test_a_model_that_loads_forever(new_service):
    script = "import time\ndef init(): time.sleep(600)\ndef run(data): pass\n"
    served = new_service(script).start(start_seconds=0.5)
    assert served.wait() == 1
    assert "The model did not load within 0.5 seconds (start_seconds)." in served.log()


def test_a_port_that_is_taken(new_service, serve):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        served = new_service().start(port=port)
        assert served.wait() == 1
    assert f"error: Port {port} on 127.0.0.1 is in use" in served.log()
    told = served.state()
    assert (told["state"], told["port"]) == ("failed", port)
    assert told["reason"].startswith(f"Port {port} on 127.0.0.1 is in use")
    first = serve()
    second = new_service().start(port=first.port)
    assert second.wait() == 1
    assert f"Port {first.port} on 127.0.0.1 is in use" in second.log()


@pytest.mark.parametrize(
    ("host", "expected"),
    [("no such host", "is unknown"), ("203.0.113.9", "is not an address of this machine")],
)
def test_a_host_that_cannot_be_had(host, expected, new_service):
    served = new_service().start(host=host)
    assert served.wait() == 1
    assert expected in served.log()


def test_another_service_takes_over_its_port(serve, new_service):
    first = serve("def init(): pass\ndef run(data): return 'first'\n")
    port = first.port
    slow = "import os, time\ndef init():\n    while not os.path.exists('go'): time.sleep(.01)\n"
    second = new_service(slow + "def run(data): return 'second'\n")
    second.start(port=port, replaces="first")
    second.until_state("starting")
    for _ in range(10):
        assert first.post("1").json == "first", "until the new one is ready"
    (second.work / "go").touch()
    second.until_state("healthy")
    assert first.stop() == 0
    for _ in range(10):
        assert second.post("1").json == "second"
    assert second.port == port


def test_no_request_fails_while_a_service_is_replaced(serve, new_service):
    script = "def init(): pass\ndef run(data): return 'ok'\n"
    current = serve(script)
    failures, ended = [], threading.Event()

    def call() -> None:
        while not ended.is_set():
            try:
                assert current.post("1").json == "ok"
            except Exception as problem:
                failures.append(problem)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for _ in range(3):
        successor = new_service(script).start(port=current.port, replaces="it")
        successor.until_state("healthy")
        assert current.stop() == 0
        current = successor
    ended.set()
    for caller in callers:
        caller.join()
    assert failures == []


def test_requests_wait_while_the_model_loads(new_service):
    script = "import os, time\ndef init():\n    while not os.path.exists('go'): time.sleep(.01)\n"
    served = new_service(script + "def run(data): return 1\n").start()
    served.until_state("starting")
    until(lambda: served.state().get("port"))
    with contextlib.closing(served.connect()) as client:
        client.request("POST", "/score", "1")
        (served.work / "go").touch()
        assert client.getresponse().read() == b"1"


def test_memory_of_two_workers_is_their_own(serve, tmp_path):
    served = serve("import os, time\ndef init():\n    global calls\n    calls = []\n"
                   "def run(data):\n    calls.append(1)\n    print('called', flush=True)\n"
                   "    while not os.path.exists(data): time.sleep(.005)\n"
                   "    return [os.getpid(), len(calls)]\n",
                   workers=2)  # fmt: skip
    for turn in (1, 2):
        go_on, before = tmp_path / str(turn), served.log().count("called")
        with (
            contextlib.closing(served.connect()) as one,
            contextlib.closing(served.connect()) as two,
        ):
            for number, client in enumerate((one, two), 1):
                client.request("POST", "/score", str(go_on))
                until(lambda n=before + number: served.log().count("called") == n)
            go_on.touch()
            seen = dict(json.loads(client.getresponse().read()) for client in (one, two))
        assert seen == dict.fromkeys(served.workers(), turn)


def test_a_busy_worker_leaves_new_clients_to_the_others(serve, tmp_path):
    served = serve(WAITS, workers=2)
    go_on = tmp_path / "go on"
    with contextlib.closing(served.connect()) as first, contextlib.closing(served.connect()) as two:
        first.request("POST", "/score", json.dumps({"until": str(go_on)}))
        until(lambda: "called" in served.log())
        others = {served.post("{}").json["pid"] for _ in range(20)}
        assert len(others) == 1, "the one that has time"
        two.request("POST", "/score", json.dumps({"until": str(go_on)}))
        until(lambda: served.log().count(str(go_on)) == 2)
        assert served.request("GET", "/").status == 200, "though all are busy"
        go_on.touch()
        pids = {json.loads(client.getresponse().read())["pid"] for client in (first, two)}
        assert len(pids) == 2
        assert others < pids


@pytest.mark.parametrize("host", ["::1", "0.0.0.0", "localhost"])
def test_other_addresses(host, serve):
    served = serve(host=host)
    with socket.create_connection(("::1" if host == "::1" else "127.0.0.1", served.port)) as client:
        client.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
    assert served.state()["host"] == host


def test_a_client_that_keeps_its_connection_loses_no_request_when_the_service_stops(serve):
    served = serve()
    clients = [served.connect() for _ in range(20)]
    told: list[str | None] = []
    for client in clients:
        client.request("POST", "/score", "1")
        client.getresponse().read()
    served.process.send_signal(signal.SIGTERM)
    until(lambda: served.state()["state"] == "stopping")
    for client in clients:
        client.request("POST", "/score", "2")
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, b'"2"')
        told.append(answer.getheader("connection"))
        client.close()
    assert told[-1] == "close", "the client learns that it must connect again"
    assert served.wait() == 0


HOLDS_THE_LOCK = "import re; re.match('(a+)+$', 'a' * 60 + 'b')"


def test_a_run_that_holds_the_lock_does_not_hold_up_the_end(serve):
    served = serve(WAITS, timeout_seconds=3.0)
    with contextlib.closing(served.connect()) as client:
        client.request("POST", "/score", json.dumps({"code": HOLDS_THE_LOCK}))
        until(lambda: "called" in served.log())
        assert served.stop() == 0


def test_a_model_that_loads_and_holds_the_lock_does_not_hold_up_the_end(new_service):
    served = new_service(f"def init():\n    print('in', flush=True); {HOLDS_THE_LOCK}\n"
                         "def run(data): pass\n").start()  # fmt: skip
    until(lambda: "in\n" in served.log())
    assert served.stop() == 0


def test_the_state_says_why_a_service_has_failed(serve):
    served = serve(WAITS, restarts=0)
    os.kill(served.workers()[0], signal.SIGKILL)
    assert served.wait() == 1
    told = served.state()
    assert (told["state"], told["workers"]) == ("failed", 0)
    assert "was killed by signal 9" in told["reason"] and "0 restarts" in told["reason"]


def test_too_few_descriptors_are_told_in_a_sentence(new_service):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))\n"
    served = new_service()
    served.write("sitecustomize.py", limit)
    runtime = os.pathsep.join((str(served.work), str(served.runtime)))
    served.start(workers=8, environ={"PYTHONPATH": runtime})
    assert served.wait() == 1
    assert "Traceback" not in served.log()
    assert "error: The service cannot go on: [Errno 24] Too many open files" in served.log()


FORGIVING = """
import os
from scriptrun.runtime.serving import entry, master, order
folder = os.environ['SCRIPTRUN_RUN_FOLDER']
program = os.path.abspath(entry.__file__)
raise SystemExit(master.Master(order.read(folder), folder, program, forgiving={}).run())
"""


@pytest.mark.parametrize("forgiving", [0.0, 1000.0])
def test_restarts_count_until_all_workers_have_been_healthy_for_long(forgiving, new_service):
    served = new_service(WAITS)
    served.write("main.py", FORGIVING.format(forgiving))
    served.start(restarts=1, entry=served.work / "main.py").until_state("healthy")
    for restart in (1, 2, 3) if not forgiving else (1,):
        os.kill(served.workers()[0], signal.SIGKILL)
        until(lambda n=restart: served.state()["restarts"] == n and served.state()["workers"] == 1)
        assert served.log().count("(restart 1 of 1)") == restart
    os.kill(served.workers()[0], signal.SIGKILL)
    if forgiving:
        assert served.wait() == 1
    else:
        until(lambda: served.state()["restarts"] == 4 and served.state()["workers"] == 1)


def test_a_port_is_shared_later_where_that_must_be_said_first(monkeypatch):
    monkeypatch.setattr(listener, "_SHARES_LATER", False)
    with listener.open_listener(ServiceOrder()) as first:
        port = first.getsockname()[1]
        with pytest.raises(ServiceError, match=f"Port {port} on 127.0.0.1 is in use"):
            listener.open_listener(ServiceOrder(port=port))
        listener.open_listener(ServiceOrder(port=port, replaces="first")).close()

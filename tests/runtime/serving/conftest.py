"""Real services: the launcher's entry in a process of its own, as a job starts it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import scriptrun.runtime
from scriptrun.runtime.serving import state
from scriptrun.runtime.serving.order import ServiceOrder
from scriptrun.testing.jobs import PATIENCE, until

RUNTIME = Path(scriptrun.runtime.__file__).parent
ECHO = "def init():\n    print('loaded')\n\ndef run(data):\n    return data\n"


class Answer:
    """A response, as a client sees it."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.body = response.status, response.read()
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    @property
    def json(self) -> object:
        return json.loads(self.body)


class Served:
    """A service, its folder, and its client."""

    def __init__(self, folder: Path, runtime: Path) -> None:
        self.folder, self.work, self.runtime = folder, folder / "work", runtime
        self.work.mkdir(parents=True)
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, name: str, text: str) -> None:
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def start(
        self,
        python: str = sys.executable,
        environ: dict[str, str] | None = None,
        entry: Path | None = None,
        **order,
    ):
        order = {"name": "digits", "entry_script": "score.py", **order}
        (self.folder / "service.json").write_text(json.dumps(ServiceOrder(**order).to_json()))
        variables = {
            "PATH": os.defpath, "PYTHONPATH": str(self.runtime), "PYTHONDONTWRITEBYTECODE": "1",
            "SCRIPTRUN_RUN_FOLDER": str(self.folder), "SCRIPTRUN_RUN_ID": "digits_1_00000000",
            "PYTHONIOENCODING": "utf-8", **(environ or {}),
        }  # fmt: skip
        entry = entry or self.runtime / "scriptrun" / "runtime" / "serving" / "entry.py"
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [python, str(entry)], cwd=self.work, env=variables, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        return self

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8")

    def state(self) -> dict:
        return state.read(str(self.folder)) or {}

    def until_state(self, wanted: str) -> Served:
        def has_come() -> bool:
            assert self.process is not None
            assert self.process.poll() is None or self.state()["state"] == wanted, self.log()
            return self.state().get("state") == wanted

        until(has_come, lambda: f"{self.state()}\n{self.log()}")
        return self

    @property
    def port(self) -> int:
        return self.state()["port"]

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def raw(self, data: bytes) -> bytes:
        """What the server sends until it hangs up."""
        with self.socket() as client:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.sendall(data)
            return receive_all(client)

    def request(self, method: str, path: str, body=None, **headers: str) -> Answer:
        """Headers are given as names with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            named.setdefault("Content-Type", "application/json")
        with contextlib.closing(self.connect()) as connection:
            content = body.encode() if isinstance(body, str) else body
            connection.request(method, path, content, named)
            return Answer(connection.getresponse())

    def post(self, body, **headers: str) -> Answer:
        return self.request("POST", "/score", body, **headers)

    def workers(self) -> list[int]:
        """The pids of the workers."""
        assert self.process is not None
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            for pid in [*self.workers(), self.process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()


def receive_all(client: socket.socket) -> bytes:
    received = b""
    while True:
        try:
            data = client.recv(65536)
        except ConnectionResetError:
            return received
        if not data:
            return received
        received += data


@pytest.fixture(scope="session")
def job_runtime(tmp_path_factory) -> Path:
    """The runtime as jobs have it."""
    place = tmp_path_factory.mktemp("runtime")
    inner = place / "scriptrun" / "runtime"
    shutil.copytree(RUNTIME, inner, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(RUNTIME / "fronts" / "script_front.py", place / "scriptrun" / "__init__.py")
    return place


@pytest.fixture(scope="session")
def served_class() -> type[Served]:
    """For fixtures of test modules, which cannot import this file."""
    return Served


@pytest.fixture
def new_service(tmp_path, job_runtime) -> Iterator[Callable[[str], Served]]:
    """Makes services that are not started yet, from the text of an entry script."""
    made: list[Served] = []

    def make(script: str = ECHO, name: str = "score.py") -> Served:
        service = Served(tmp_path / f"run{len(made)}", job_runtime)
        service.write(name, script)
        made.append(service)
        return service

    yield make
    for service in made:
        service.end()


@pytest.fixture
def serve(new_service) -> Callable[..., Served]:
    """Starts a service and waits until it is healthy."""

    def start(script: str = ECHO, **order) -> Served:
        return new_service(script).start(**order).until_state("healthy")

    return start

"""A service's answers beside plain uvicorn with the same function, and its start (needs wrk)."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench import timing
from scriptrun.runtime.serving import order, state

RUNTIME = timing.ROOT / "src/scriptrun/runtime"
REPEATS, SECONDS = 5, 3
#: how many connections send requests at once
CONNECTIONS = (1, 8, 64)
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}

FUNCTION = """
import json

def init():
    pass

def run(text):
    return {"result": sum(json.loads(text)["data"])}
"""
#: what uvicorn serves: the same function, and nothing around it
APPLICATION = """
import json
from score import run

async def app(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    out = json.dumps(run(body.decode())).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(out))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": out})
"""
REQUEST = """
wrk.method = "POST"
wrk.body = '{"data": [1, 2, 3, 4, 5, 6, 7, 8]}'
wrk.headers["Content-Type"] = "application/json"
"""


def measure() -> list[dict[str, object]]:
    """Rows on p50 and p99 of a request, and on the start."""
    if shutil.which("wrk") is None:
        raise RuntimeError("wrk is missing: install it with your package manager (apt install wrk)")
    with timing.own_places(memory=True) as place:
        (place / "app.py").write_text(APPLICATION)
        (place / "score.py").write_text(FUNCTION)
        (place / "post.lua").write_text(REQUEST)
        runtime = lay_out(place / "runtime")
        return [*requests(place, runtime), *start(place, runtime)]


def lay_out(place: Path) -> Path:
    """The runtime as jobs have it."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(RUNTIME, place / "scriptrun/runtime", ignore=ignored)
    shutil.copy(RUNTIME / "fronts/script_front.py", place / "scriptrun/__init__.py")
    return place


class Server:
    """A server in a process of its own, until the end of the ``with`` block."""

    def __init__(self, command: list[str], place: Path, url: str, **variables: str) -> None:
        self.command, self.place, self.url = command, place, url
        self.environ = {**os.environ, **variables}

    def __enter__(self) -> Server:
        self.process = subprocess.Popen(
            self.command, cwd=self.place, env=self.environ, stdin=subprocess.DEVNULL,
            stdout=open(self.place / "log", "ab"), stderr=subprocess.STDOUT,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def await_answer(self) -> None:
        """Wait until it answers."""
        while True:
            try:
                kind = {"Content-Type": "application/json"}
                request = urllib.request.Request(self.url, b'{"data": [1]}', kind)
                urllib.request.urlopen(request).close()
                return
            except urllib.error.HTTPError as problem:
                raise RuntimeError((self.place / "log").read_text()) from problem
            except OSError:
                assert self.process.poll() is None, (self.place / "log").read_text()
                time.sleep(0.001)


def ours(place: Path, runtime: Path) -> tuple[Server, Path]:
    """Our server of the function, and its run's folder."""
    port = free_port()
    folder = Path(place, f"run{port}")
    folder.mkdir()
    given = order.ServiceOrder(name="sum", entry_script="score.py", port=port).to_json()
    (folder / order.FILE).write_text(json.dumps(given))
    entry = str(runtime / "scriptrun/runtime/serving/entry.py")
    variables = {"SCRIPTRUN_RUN_FOLDER": str(folder), "PYTHONPATH": str(runtime)}
    url = f"http://127.0.0.1:{port}/score"
    return Server([sys.executable, entry], place, url, **variables), folder


def uvicorn(place: Path) -> Server:
    """Uvicorn with uvloop and httptools, without a log of requests."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)]
    command += ["--lifespan", "off", "--log-level", "warning", "--no-access-log"]
    return Server(command, place, f"http://127.0.0.1:{port}/")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def requests(place: Path, runtime: Path) -> list[dict[str, object]]:
    """p50 and p99 of each number of connections; the servers take turns."""
    rows = []
    with ExitStack() as stack:
        both = {"ours": ours(place, runtime)[0], "uvicorn": uvicorn(place)}
        for server in both.values():
            stack.enter_context(server).await_answer()
        for count in CONNECTIONS:
            found = {name: [] for name in both}
            for turn in range(REPEATS + 1):
                for name, server in both.items():
                    figures = load(server.url, count, place)
                    if turn:
                        found[name].append(figures)
            for index, percentile in enumerate(("p50", "p99")):
                value, reference = (
                    statistics.median(figures[index] for figures in found[name]) for name in both
                )
                label = f"a request, {count} connections, {percentile}"
                rows.append(timing.row(label, value, "ms", "plain uvicorn", reference, "1.5 times"))
    return rows


def load(url: str, connections: int, place: Path) -> tuple[float, float]:
    """p50 and p99 in milliseconds, as wrk measures them."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "-s", "post.lua"]
    done = subprocess.run([*command, url], cwd=place, capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(done.stdout)
    found = dict(re.findall(r"^\s+(50|99)%\s+([\d.]+[a-z]+)$", done.stdout, re.MULTILINE))
    return milliseconds(found["50"]), milliseconds(found["99"])


def milliseconds(text: str) -> float:
    """A duration as wrk prints it."""
    number = re.match(r"[\d.]+", text)
    assert number is not None
    return float(number.group()) * UNITS[text[number.end() :]]


def start(place: Path, runtime: Path) -> list[dict[str, object]]:
    """From the start of the process until it is healthy, with a model that loads at once."""

    def our_start() -> float:
        server, folder = ours(place, runtime)
        began = time.perf_counter()
        with server:
            while (state.read(str(folder)) or {}).get("state") != state.HEALTHY:
                time.sleep(0.001)
            return 1000 * (time.perf_counter() - began)

    def its_start() -> float:
        server = uvicorn(place)
        began = time.perf_counter()
        with server:
            server.await_answer()
            return 1000 * (time.perf_counter() - began)

    sides: dict[str, Callable[[], float]] = {"ours": our_start, "uvicorn": its_start}
    found = timing.alternate(sides, repeats=9)
    label, against = "from the start to healthy", "uvicorn's first answer"
    return [timing.row(label, found["ours"], "ms", against, found["uvicorn"], "1,000 ms")]

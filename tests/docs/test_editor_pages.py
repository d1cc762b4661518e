"""The page about VS Code: its tasks run, and its debugger stops a real job at a line of the source.

The debugger is a client of the Debug Adapter Protocol that sends what VS Code sends.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import page_blocks
import pytest

from scriptrun.testing.jobs import until

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "vscode.md"
FILES = {
    step.marks["file"]: json.loads(step.text)
    for step in page_blocks.steps_of(PAGE)
    if step.kind == "file"
}
TASKS = {task["label"]: task for task in FILES[".vscode/tasks.json"]["tasks"]}


def words(label: str, script: str) -> list[str]:
    """The command of a task, as VS Code starts it for an open file."""
    task = TASKS[label]
    return [each.replace("${relativeFile}", script) for each in (task["command"], *task["args"])]


def environ() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "VIRTUAL_ENV": sys.prefix}


def run(label: str, project: Path, script: str = "train.py") -> subprocess.CompletedProcess:
    return subprocess.run(
        words(label, script), cwd=project, env=environ(), capture_output=True, text=True
    )


@pytest.fixture
def project(tmp_path):
    (tmp_path / "train.py").write_text("lr = 0.5\nprint(lr)\nprint('done')\n")
    return tmp_path


@pytest.mark.parametrize("label", [each for each in TASKS if "debug" not in each])
def test_a_task_runs(label, project):
    if "latest" in label:
        assert run("scriptrun: run this file", project).returncode == 0
    done = run(label, project)
    assert done.returncode == 0, done.stderr
    assert "train.py" in done.stdout or "done" in done.stdout


def test_a_failed_run_is_a_problem_of_the_source(project):
    (project / "train.py").write_text("print(1)\nraise ValueError('too high')\n")
    done = run("scriptrun: run this file", project)
    first, second = TASKS["scriptrun: run this file"]["problemMatcher"]["pattern"]
    lines = done.stderr.splitlines()
    found = [
        (re.search(first["regexp"], one), re.search(second["regexp"], other))
        for one, other in itertools.pairwise(lines)
    ]
    ((message, place),) = [pair for pair in found if all(pair)]
    assert message[first["message"]] == "ValueError: too high"
    assert place[second["file"]] == str(project / "train.py")
    assert place[second["line"]] == "2"


class Debugger:
    """Sends requests to debugpy, and reads its answers and events."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.stream = self.socket.makefile("rb")
        self.number = 0

    def send(self, command: str, **arguments: object) -> None:
        self.number += 1
        request = {"seq": self.number, "type": "request", "command": command}
        content = json.dumps({**request, "arguments": arguments}).encode()
        self.socket.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(content), content))

    def messages(self) -> Iterator[dict]:
        while header := self.stream.readline():
            self.stream.readline()
            yield json.loads(self.stream.read(int(header.split(b":")[1])))

    def wait(self, name: str) -> dict:
        """The body of the next event, or answer to a request, of this name."""
        return next(
            message.get("body") or {}
            for message in self.messages()
            if name in (message.get("event"), message.get("command"))
        )


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def connected(port: int, job: subprocess.Popen) -> Debugger | None:
    assert job.poll() is None, "the job ended before the debugger came"
    try:
        return Debugger(port)
    except ConnectionRefusedError:
        return None


def test_a_breakpoint_in_the_source_stops_the_job(project, port):
    (configuration,) = FILES[".vscode/launch.json"]["configurations"]
    command = words("scriptrun: debug this file", "train.py")
    command[-1] = command[-1].replace(str(configuration["connect"]["port"]), str(port))
    job = subprocess.Popen(command, cwd=project, env=environ(), stdout=subprocess.PIPE)
    try:
        debugger = until(lambda: connected(port, job))
        debugger.send("initialize", adapterID="test", pathFormat="path")
        (mapping,) = configuration["pathMappings"]
        local = mapping["localRoot"].replace("${workspaceFolder}", str(project))
        debugger.send("attach", pathMappings=[{**mapping, "localRoot": local}])
        debugger.wait("initialized")
        source, lines = {"path": str(project / "train.py")}, [{"line": 2}]
        debugger.send("setBreakpoints", source=source, breakpoints=lines)
        debugger.send("configurationDone")
        thread = debugger.wait("stopped")["threadId"]
        debugger.send("stackTrace", threadId=thread)
        frame = debugger.wait("stackTrace")["stackFrames"][0]
        assert (frame["source"]["path"], frame["line"]) == (source["path"], 2)
        debugger.send("evaluate", expression="lr", frameId=frame["id"])
        assert debugger.wait("evaluate")["result"] == "0.5"
        debugger.send("continue", threadId=thread)
        assert b"done" in job.communicate()[0]
        assert job.returncode == 0
    finally:
        job.kill()
        job.wait()

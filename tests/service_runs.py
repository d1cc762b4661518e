"""Runs of kind "service" without the public API: a job, its order, and how to call its server."""

from __future__ import annotations

import json
import os
import urllib.request

from scriptrun.core.run import Run
from scriptrun.runs import status as run_status
from scriptrun.runtime import files
from scriptrun.runtime.serving import order as service_order
from scriptrun.runtime.serving import state as service_state
from scriptrun.spec.run_kinds import SERVICE
from scriptrun.submission import check, submit
from scriptrun.testing import jobs
from scriptrun.testing.jobs import until

#: an entry script that answers with its body
ECHO = """
def init():
    print("model loaded", flush=True)

def run(body):
    return {"body": body}
"""
#: answers once the file that the request names exists; logs the keys that it was started with
GATED = """
import json, os, time

def init():
    print("keys:", os.environ.get("SCRIPTRUN_SERVICE_KEYS"))

def run(body):
    gate = json.loads(body)["gate"]
    print("accepted", flush=True)
    while not os.path.exists(gate):
        time.sleep(0.02)
    return "answered"
"""
#: does not start
RAISES = """
def init():
    raise ValueError("no weights")

def run(body):
    return body
"""


def submit_service(bench, code=ECHO, ready=True, **facts) -> Run:
    """Start a service. Unless ``ready``, the runner looks for its environment and starts it."""
    pending = create_service(bench, code, **facts)
    if not ready:
        pending = pending.replace(ready=None)
    submit.start_or_queue(bench.workspace, pending)
    return run_of(bench, pending)


def create_service(
    bench, code=ECHO, name="echo", job=None, before=lambda *_: None, **fields
) -> submit.PendingRun:
    """Record a service whose entry script is ``code``; ``fields`` are those of its order, ``job``
    those of its JobSpec. ``before(folder)`` writes what else the run's folder holds.

    A container sees no more of the bench's folder than those of other services do.
    """
    config = jobs._config(bench.order(source=bench.source(code, "model")))
    submission = check.check(config, bench.workspace, bench.experiment)
    described = submit.complete(submission, bench.workspace)
    docker = described.environment.docker.replace(arguments=())
    environment = described.environment.replace(docker=docker)
    described = described.replace(
        kind=SERVICE, display_name=name, environment=environment, **(job or {})
    )

    def write(folder):
        before(folder)
        write_order(folder, name=name, entry_script="job.py", **fields)

    return submit.create_run(described, bench.workspace, [], extras=submit.Extras(write))


def run_of(bench, pending) -> Run:
    """The run of a service that was recorded."""
    return Run.get(bench.workspace, pending.job.id)


def write_order(folder, **fields) -> None:
    """Write the order of the service whose run is in ``folder``."""
    order = service_order.ServiceOrder(**fields)
    files.write_atomic(str(folder / service_order.FILE), files.to_json(order.to_json()))


def healthy(run) -> dict:
    """Wait until the service answers, and return what its server reports."""

    def reported():
        run_status.refresh(run.path, run.job)
        state = service_state.read(str(run.path)) or {}
        if state.get("state") == service_state.HEALTHY:
            return state
        assert not run.standing.is_final, (run.standing, jobs.log_of(run))
        return None

    return until(reported, lambda: (run.standing, jobs.log_of(run)))


def call(run, body="{}", path="/score") -> object:
    """One request to the running service, and its answer."""
    state = healthy(run)
    request = urllib.request.Request(
        f"http://{state['host']}:{state['port']}{path}",
        body.encode(),
        {"Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=jobs.PATIENCE) as response:
        return json.loads(response.read())


def servers_of(run) -> list[int]:
    """The pids of the run's living server and its workers (Linux)."""
    mark = f"SCRIPTRUN_RUN_ID={run.id}".encode()
    servers = jobs.living(os.path.join("serving", "entry.py"))
    return [pid for pid in servers if mark in _environment_of(pid)]


def _environment_of(pid) -> bytes:
    try:
        with open(f"/proc/{pid}/environ", "rb") as handle:
            return handle.read()
    except OSError:
        return b""

"""A service takes no slot: it neither waits for the runs of the queue, nor do they wait for it."""

from __future__ import annotations

import pytest
from service_runs import call, create_service, healthy, run_of, submit_service

from scriptrun.core.run import Run
from scriptrun.engines.base import NoRoom
from scriptrun.engines.local import slots
from scriptrun.engines.local.engine import Local
from scriptrun.queue import start
from scriptrun.spec.job import Resources
from scriptrun.store import paths
from scriptrun.submission import batch, submit
from scriptrun.testing.jobs import Bench, until, wait

#: answers with the GPUs that it may use
DEVICES = """
import os

def init():
    pass

def run(body):
    return os.environ.get("CUDA_VISIBLE_DEVICES")
"""


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, Local(max_runs=1))


@pytest.fixture
def services(gate):
    """Services to stop when the test is over, and the run that waits for the gate."""
    started: list[Run] = []
    yield started
    gate.touch()
    for service in started:
        service.cancel()
        wait(service)


def test_a_service_starts_though_the_machine_is_full_and_runs_wait(
    bench, gated_run, gate, services
):
    waiting = bench.submit("print('next')")
    service = submit_service(bench)
    services.append(service)
    assert call(service, "hello") == {"body": "hello"}
    assert waiting.get_status() == "Queued"
    gate.touch()
    assert [wait(run) for run in (gated_run, waiting)] == ["Completed"] * 2
    assert service.get_status() == "Running"


def test_runs_start_beside_a_service_one_after_the_other(bench, services):
    service = submit_service(bench)
    services.append(service)
    healthy(service)
    runs = [bench.submit(f"print({number})") for number in range(3)]
    assert [wait(run) for run in runs] == ["Completed"] * 3
    assert service.get_status() == "Running"
    until(lambda: slots.take(paths.slots_root(), 1), "the service holds a slot").close()


def test_the_runner_starts_a_service_before_the_runs_in_front_of_it(
    bench, gated_run, gate, services
):
    waiting = bench.submit("print('next')")
    service = submit_service(bench, ready=False)
    services.append(service)
    healthy(service)
    assert (waiting.get_status(), gated_run.get_status()) == ("Queued", "Running")
    gate.touch()
    assert wait(waiting) == "Completed"


def test_a_batch_starts_its_services_at_once(bench, gated_run, gate, services):
    pending = [create_service(bench, name=name) for name in ("one", "two")]
    batch.start(bench.workspace, pending)
    services += [run_of(bench, each) for each in pending]
    for service in services:
        assert call(service, "hello") == {"body": "hello"}


@pytest.fixture
def one_gpu(tmp_path, monkeypatch):
    """A machine with one GPU, as its driver's files say."""
    folder = tmp_path / "gpus" / "0000:01:00.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text("Model: \t NVIDIA T4\nGPU UUID:  \t GPU-aa11\n")
    monkeypatch.setattr(slots, "_GPUS", folder.parent)


def test_a_service_has_no_gpu_unless_it_requests_one(bench, one_gpu, services):
    service = submit_service(bench, DEVICES)
    services.append(service)
    assert call(service) == "-1"
    held = slots.take(paths.slots_root(), None)
    assert held is not None and held.gpus == ("GPU-aa11",)
    held.close()


def test_a_service_holds_the_gpu_that_it_requests_and_no_slot(bench, one_gpu, services):
    service = submit_service(bench, DEVICES, job={"resources": Resources(gpus=1)})
    services.append(service)
    assert call(service) == "GPU-aa11"
    assert slots.take(paths.slots_root(), None) is None
    held = slots.take(paths.slots_root(), 1, 0)
    assert held is not None
    held.close()


def test_a_service_waits_for_a_gpu_in_use_and_says_so(bench, one_gpu, services):
    held = slots.take(paths.slots_root(), None, holder="another")
    pending = create_service(bench, job={"resources": Resources(gpus=1)})
    with pytest.raises(NoRoom, match="waits for a free GPU; in use by another"):
        start.start(bench.workspace, pending.job, pending.folder, pending.ready, pending.ticket)
    held.close()
    submit.start_or_queue(bench.workspace, pending)
    services.append(run_of(bench, pending))
    assert call(services[0]) == {"body": "{}"}

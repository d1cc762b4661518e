"""A real GPU, handed out by the local engine: one run at a time, named by its UUID."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys

import pytest

from scriptrun.diagnostics import target
from scriptrun.engines.local import slots
from scriptrun.engines.local.engine import Local
from scriptrun.store import paths
from scriptrun.testing.jobs import Bench, log_of, log_of_rank, until, wait

pytestmark = pytest.mark.skipif(not slots.machine_gpus(), reason="this machine has no NVIDIA GPU")

SPAN = """
import json, os, time
began = time.time()
time.sleep(0.3)
print(json.dumps([os.environ["CUDA_VISIBLE_DEVICES"], began, time.time()]))
"""
#: one rank, with the backend of its first argument; tells which GPU it computed on
REDUCES = """
import json, os, sys
import torch
import torch.distributed as dist
dist.init_process_group(sys.argv[1], init_method="env://")
device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
value = torch.arange(4, dtype=torch.float32, device=device) + dist.get_rank()
dist.all_reduce(value)
facts = torch.cuda.get_device_properties(device)
print(json.dumps([torch.cuda.device_count(), str(facts.uuid), value.tolist(), str(value.device)]))
dist.destroy_process_group()
"""


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, Local())


def test_the_driver_and_its_tool_name_the_same_gpus():
    assert dict(slots.by_nvidia_smi()).keys() == slots.machine_models().keys()
    assert all(slots.machine_models().values())


def test_each_gpu_has_one_run_at_a_time_and_the_others_wait(bench):
    machine = slots.machine_gpus()
    runs = [bench.submit(SPAN) for _ in range(2 * len(machine))]
    assert [wait(run) for run in runs] == ["Completed"] * len(runs)
    spans = [json.loads(log_of(run)) for run in runs]
    assert {uuid for uuid, _, _ in spans} == set(machine)
    for uuid in machine:
        mine = sorted((began, ended) for held, began, ended in spans if held == uuid)
        assert all(ended <= began for (_, ended), (began, _) in itertools.pairwise(mine))


def test_a_run_waits_while_somebody_else_holds_the_gpus(bench):
    held = [slots.take(paths.slots_root(), None) for _ in slots.machine_gpus()]
    try:
        waits = bench.submit(SPAN)
        until(lambda: waits.get_status() == "Queued")
    finally:
        for each in held:
            each.close()
    assert wait(waits) == "Completed"


def test_a_run_that_asks_for_none_sees_none(bench):
    code = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"
    assert log_of(bench.run(code, resources={"gpus": 0})) == "-1\n"


def test_more_than_there_are_is_refused_in_one_sentence(bench):
    with pytest.raises(Exception, match=r"99 GPUs requested per node, but this machine has \d"):
        bench.submit(SPAN, resources={"gpus": 99})


def test_the_tool_tells_of_it(bench):
    found = {each.name: each for each in target.target_checks(bench.workspace, Local())}
    assert all(uuid in found["gpus"].message for uuid in slots.machine_gpus())
    command = [sys.executable, "-m", "scriptrun", "doctor"]
    said = subprocess.run(command, cwd=bench.root, capture_output=True, text=True).stdout
    assert all(uuid in said for uuid in slots.machine_gpus())


@pytest.mark.slow
@pytest.mark.needs_torch
@pytest.mark.parametrize("backend", ["nccl", "gloo"])
def test_torch_computes_on_the_gpu_that_was_handed_out(bench, backend):
    python = os.environ.get("SCRIPTRUN_TEST_TORCH_PYTHON")
    if not python:
        pytest.skip("SCRIPTRUN_TEST_TORCH_PYTHON names no interpreter that has PyTorch")
    run = bench.run(REDUCES, [backend], pytorch=[1, 1], python=python, resources={"gpus": 1})
    assert run.get_status() == "Completed", (run.standing.reason, log_of_rank(run, 0))
    count, uuid, value, device = json.loads(log_of_rank(run, 0).splitlines()[-1])
    assert (count, value, device) == (1, [0.0, 1.0, 2.0, 3.0], "cuda:0")
    assert f"GPU-{uuid}" in slots.machine_gpus()

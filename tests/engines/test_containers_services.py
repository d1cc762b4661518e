"""A service in a container of a real podman: it answers on this machine's loopback address."""

from __future__ import annotations

import pytest
from pods import BASE
from service_runs import call, healthy, submit_service

from scriptrun import Model
from scriptrun.engines.local.engine import Local
from scriptrun.runtime.serving import order as service_order
from scriptrun.testing import jobs
from scriptrun.testing.jobs import Bench, until, wait

pytestmark = pytest.mark.podman

READS = """
import os

def init():
    global weights
    with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "weights.txt")) as handle:
        weights = handle.read()

def run(body):
    return {"weights": weights, "contained": os.path.exists("/run/.containerenv")}
"""


@pytest.fixture
def bench(tmp_path, podman):
    made = Bench(tmp_path, Local(max_runs=1), image=BASE)
    made.workspace.build_environment(jobs._config(made.order("")).run_config.environment)
    return made


def lay_out(bench, tmp_path):
    """A registered model, and what links its file into the folder of a run."""
    (tmp_path / "weights.txt").write_text("1 2 3")
    model = Model.register(bench.workspace, str(tmp_path / "weights.txt"), "net")
    source = model_files(bench.workspace, model)

    def write(folder):
        place = folder / service_order.MODELS / "net" / "1"
        place.mkdir(parents=True)
        (place / "weights.txt").symlink_to(source)

    return write


def model_files(workspace, model):
    digest = model.files[0]["sha256"]
    (path,) = [
        p for p in (workspace.directory / "models").rglob("*") if p.name.endswith(digest[2:])
    ]
    return path


def test_it_answers_reads_its_models_and_stops(bench, podman, tmp_path):
    run = submit_service(
        bench,
        READS,
        before=lay_out(bench, tmp_path),
        models=[{"name": "net", "version": 1, "path": "azureml-models/net/1/weights.txt"}],
        model_dir="azureml-models/net/1",
    )
    try:
        assert healthy(run)["host"] == "127.0.0.1"
        assert call(run) == {"weights": "1 2 3", "contained": True}
        run.cancel()
        assert wait(run) == "Canceled"
        until(lambda: not podman.names())
    finally:
        if not run.standing.is_final:
            run.cancel()
            wait(run)

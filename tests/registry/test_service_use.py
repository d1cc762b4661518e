"""The runs and the models that services need: neither is deleted under them."""

from __future__ import annotations

import os
import stat

import pytest
from service_runs import write_order

from scriptrun import Model, Run
from scriptrun.cleanup import selection, stored_runs
from scriptrun.engines.local.engine import Local
from scriptrun.registry import service_use, services
from scriptrun.registry.services import ServiceRecord
from scriptrun.spec.errors import UserErrorException
from scriptrun.store.records import DamagedRecord
from scriptrun.testing.jobs import Bench, until
from scriptrun.tracking import run_marks


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, Local())


@pytest.fixture
def model(bench, tmp_path):
    for text in ("one", "two"):
        (tmp_path / "weights.txt").write_text(text)
        Model.register(bench.workspace, str(tmp_path / "weights.txt"), "net")
    return Model(bench.workspace, "net", version=1)


def serve(bench, name, *versions, **fields):
    models = [{"name": "net", "version": version} for version in versions]
    models.append({"name": "scaler", "version": None, "path": "scaler.pkl"})
    record = ServiceRecord(name, {"name": name, "models": models}, **fields)
    assert services.create(bench.workspace, record)
    return record


def test_what_services_need(bench):
    assert service_use.services_by_run(bench.workspace) == {}
    serve(bench, "a", 1, run="run_1")
    serve(bench, "b", 1, 2, 1, run="run_2", next="run_3", next_request={"models": None})
    serve(bench, "starting", next="run_4", next_request={"models": [{"name": "net", "version": 3}]})
    assert service_use.services_by_run(bench.workspace) == {
        "run_1": "a",
        "run_2": "b",
        "run_3": "b",
        "run_4": "starting",
    }
    assert service_use.services_by_model(bench.workspace) == {
        ("net", 1): ["a", "b"],
        ("net", 2): ["b"],
        ("net", 3): ["starting"],
    }


def test_the_latest_version_is_the_one_that_the_run_serves(bench):
    run = bench.run("pass")
    write_order(run.path, models=[{"name": "net", "version": 2}, {"name": "file", "version": 1}])
    models = [{"name": "net", "version": None}, {"name": "file", "version": None, "path": "file"}]
    record = ServiceRecord("digits", {"models": models}, run=run.id)
    services.create(bench.workspace, record)
    assert service_use.services_by_model(bench.workspace) == {("net", 2): ["digits"]}


def test_a_damaged_record_is_not_taken_for_one_without_needs(bench):
    serve(bench, "a", 1, run="run_1")
    (bench.workspace.directory / "services" / "a.json").write_text("{")
    with pytest.raises(DamagedRecord):
        service_use.services_by_run(bench.workspace)
    with pytest.raises(DamagedRecord):
        service_use.services_by_model(bench.workspace)


def test_a_served_model_is_not_deleted_until_its_service_is_removed(bench, model):
    serve(bench, "digits", 1)
    with pytest.raises(UserErrorException, match="net:1 is served by 'digits'") as caught:
        model.delete()
    assert "scriptrun service remove digits" in str(caught.value)
    Model(bench.workspace, "net", version=2).delete()
    assert Model(bench.workspace, "net").version == 1
    services.remove(bench.workspace, "digits")
    model.delete()
    with pytest.raises(UserErrorException, match="not found"):
        Model(bench.workspace, "net")


def test_the_run_of_a_service_is_neither_removed_nor_pruned(bench):
    runs = [bench.run("pass") for _ in range(2)]
    serve(bench, "digits", run=runs[0].id)
    with pytest.raises(UserErrorException, match="the run of the service 'digits'"):
        runs[0].remove(force=True)
    for run in runs:  # as a record does that was removed before the service took it
        run_marks.write(run.path, run_marks.REMOVED)
        until(
            lambda run=run: (
                not selection._why_kept(stored_runs.StoredRuns(bench.workspace).runs[run.id])
            ),
            "its launcher lives on",
        )
    report = bench.workspace.prune()
    assert [row.id for row in report.runs] == [runs[1].id]
    assert Run.get(bench.workspace, runs[0].id).get_status() == "Completed"
    services.remove(bench.workspace, "digits")
    assert [row.id for row in bench.workspace.prune().runs] == [runs[0].id]


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_requests_with_their_variables_are_their_owners_alone(bench):
    serve(bench, "one")
    folder = bench.workspace.directory / "services"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    serve(bench, "two")
    assert services.names(bench.workspace) == ["one", "two"]

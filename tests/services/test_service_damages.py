"""Services whose records are damaged, or whose workspace was moved, can be stopped and removed."""

from __future__ import annotations

import pytest
from service_runs import servers_of

from scriptrun import Run, Webservice, Workspace
from scriptrun.cli import main
from scriptrun.registry import services as registry
from scriptrun.services import rollout
from scriptrun.testing import jobs
from scriptrun.testing.jobs import until


def test_a_service_with_a_damaged_job_is_removed(bench):
    service = bench.deploy()
    run = service.current_run
    assert servers_of(run)
    (run.path / "job.json").write_text("{")
    service.delete()
    assert registry.names(bench.workspace) == []
    until(lambda: not servers_of(run))


@pytest.mark.parametrize("name", ["job.json", "service.json"])
def test_a_stopped_service_with_a_damaged_run_starts_from_its_request(bench, name):
    service = bench.deploy()
    service.stop()
    (service.current_run.path / name).write_text("{")
    bench.write(version="2")
    assert service.start()
    service.wait_for_deployment(timeout_sec=120)
    assert service.run("1")["version"] == "2"


def test_a_service_with_a_damaged_record_is_removed(bench, capsys, monkeypatch):
    monkeypatch.chdir(bench.workspace.root)
    service, other = bench.deploy(), bench.deploy("other")
    run = service.current_run
    (bench.workspace.directory / "services" / "digits.json").write_text("{")
    assert main(["service", "show", "digits"]) == 2
    assert "scriptrun service remove digits" in capsys.readouterr().err
    assert main(["service", "remove", "digits"]) == 0
    assert Run.get(bench.workspace, run.id).status == "Canceled"
    assert not servers_of(run)
    assert list(bench.workspace.webservices) == ["other"]
    assert other.run("1")["data"] == 1


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_service_ends_in_a_workspace_that_was_moved(bench, is_replaced):
    service = bench.deploy()
    run = service.current_run
    moved = bench.tmp_path / "moved"
    bench.workspace.root.rename(moved)
    bench.workspace = Workspace(moved)
    if is_replaced:
        found = Webservice(bench.workspace, "digits")
        found.restart()
        found.wait_for_deployment(timeout_sec=120)
        assert found.current_run.id != run.id
        until(lambda: registry.get(bench.workspace, "digits").retired == [])
    rollout.stop(bench.workspace, "digits")
    assert not servers_of(run)
    rollout.remove(bench.workspace, "digits")
    assert registry.names(bench.workspace) == []
    until(lambda: not jobs.living(str(moved)))

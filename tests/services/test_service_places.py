"""Services of workspaces that were copied, or that another user owns; how long stopping may take."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from service_bench import served

from scriptrun import Webservice, Workspace
from scriptrun.cleanup import selection, stored_runs
from scriptrun.registry import models
from scriptrun.registry import services as registry
from scriptrun.services import rollout
from scriptrun.spec.errors import UserErrorException, WebserviceException, WorkspaceException
from scriptrun.testing.jobs import until

#: a user that no machine has
MALLORY = 61234


@pytest.mark.parametrize(("timeout", "grace"), [(120.0, 125.0), (1.0, 10.0), (None, 65.0)])
def test_stopping_gives_a_request_as_long_as_it_may_take(bench, timeout, grace):
    service = bench.deploy(timeout_seconds=timeout)
    assert service.current_run.job.grace_seconds == grace


def test_what_is_done_in_a_copy_does_not_touch_the_service(bench, tmp_path):
    service = bench.deploy(models=(served(bench.model()),))
    shutil.copytree(bench.workspace.root, tmp_path / "copy", symlinks=True)
    copy = Workspace(tmp_path / "copy")
    rollout.remove(copy, "digits")
    assert registry.names(copy) == [] and registry.names(bench.workspace) == ["digits"]
    assert service.run("1")["data"] == 1
    assert service.current_run.get_status() == "Running"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
def test_nothing_of_another_users_workspace_is_served(bench):
    service = bench.deploy(models=(served(bench.model()),))
    rollout.stop(bench.workspace, "digits")
    runs = sorted(bench.workspace.runs_folder.glob("*/*"))
    for folder, _, names in os.walk(bench.workspace.directory):
        for name in ("", *names):
            os.chown(os.path.join(folder, name), MALLORY, MALLORY, follow_symlinks=False)
    root = str(bench.workspace.root)
    with pytest.raises(WorkspaceException, match="scriptrun trust"):
        Webservice(Workspace(root), "digits")
    finish = f"from scriptrun.services import finish; finish.main({root!r}, 'digits')"
    done = subprocess.run([sys.executable, "-c", finish], capture_output=True, text=True)
    assert done.returncode != 0 and "trust" in done.stderr
    assert sorted(bench.workspace.runs_folder.glob("*/*")) == runs
    for folder, _, names in os.walk(bench.workspace.directory):
        for name in ("", *names):
            os.chown(os.path.join(folder, name), 0, 0, follow_symlinks=False)
    assert service.current_run.get_status() == "Canceled"


def test_pruning_the_run_of_a_removed_service_keeps_its_models(bench):
    model = bench.model()
    service = bench.deploy(models=(served(model),))
    run = service.current_run
    with pytest.raises(UserErrorException, match="the run of the service 'digits'"):
        run.remove()
    rollout.stop(bench.workspace, "digits")
    with pytest.raises(WebserviceException, match="digits:1 is served by 'digits'"):
        model.delete()
    rollout.remove(bench.workspace, "digits")
    until(lambda: not is_kept(bench, run), "its launcher lives on")
    run.remove()
    assert [row.id for row in bench.workspace.prune().runs] == [run.id]
    assert not run.path.exists()
    record = models.get(bench.workspace, "digits", 1)
    assert list(models.damages(bench.workspace, record)) == []
    model.delete()


def is_kept(bench, run):
    return selection._why_kept(stored_runs.StoredRuns(bench.workspace).runs[run.id])

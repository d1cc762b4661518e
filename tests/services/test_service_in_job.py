"""A script deploys and replaces a service: it outlives the script."""

from __future__ import annotations

from scriptrun import Experiment, ScriptRunConfig, Webservice
from scriptrun.registry import services as registry
from scriptrun.services import finish
from scriptrun.testing.jobs import until, wait

SCRIPT = """
import sys
from pathlib import Path
from scriptrun import Workspace
from scriptrun.services import deploy
from scriptrun.services.request import ServiceRequest

root, source = sys.argv[1:]
request = ServiceRequest('digits', source_directory=source, entry_script='score.py')
deploy.deploy(Workspace(root), request).wait_for_deployment(timeout_sec=120)
Path(source, 'VERSION.txt').write_text('2')
deploy.deploy(Workspace(root), request, overwrite=True)
"""


def test_a_script_replaces_a_service_and_ends(bench):
    job = bench.tmp_path / "job"
    job.mkdir()
    (job / "deploy_it.py").write_text(SCRIPT)
    arguments = [str(bench.workspace.root), str(bench.source)]
    run = Experiment(bench.workspace, "jobs").submit(
        ScriptRunConfig(str(job), "deploy_it.py", arguments)
    )
    assert wait(run) == "Completed"
    first = registry.get(bench.workspace, "digits").run
    until(lambda: registry.get(bench.workspace, "digits").next is None)
    service = Webservice(bench.workspace, "digits")
    assert service.run("1")["version"] == "2"
    assert service.health.state == "Healthy"
    assert first
    finish.main(str(bench.workspace.root), "digits")
    assert registry.get(bench.workspace, "digits").retired == []

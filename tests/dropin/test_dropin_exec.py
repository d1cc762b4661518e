"""Scripts in the style of those that people have, run unchanged by ``scriptrun exec``."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

TRAIN = """
import argparse
from azureml.core import Run
from azureml.core.run import Run as again
parser = argparse.ArgumentParser()
parser.add_argument("--reg", type=float, default=0.1)
args = parser.parse_args()
assert Run is again
run = Run.get_context()
run.log("reg", args.reg)
run.tag("experiment", run.experiment.name)
print("workspace", run.experiment.workspace.name)
run.complete()
"""


@pytest.fixture
def project(tmp_path):
    """A directory with a training script and the config.json that Azure gives out."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text(TRAIN)
    facts = {"subscription_id": "s-1", "resource_group": "group", "workspace_name": "old-ws"}
    (tmp_path / "config.json").write_text(json.dumps(facts))
    return tmp_path


def scriptrun(project, *words, ok=True):
    command = [sys.executable, "-m", "scriptrun", *map(str, words)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert (done.returncode == 0) is ok, done.stdout + done.stderr
    return done


def execute(project, text, *words, ok=True):
    (project / "submit.py").write_text(text)
    return scriptrun(project, "exec", "submit.py", *words, ok=ok)


CLUSTER = """
import azureml.core
from azureml.core import Workspace, Experiment, ScriptRunConfig
from azureml.core.compute import ComputeTarget, AmlCompute
from azureml.core.compute_target import ComputeTargetException
from azureml.widgets import RunDetails

print("Azure ML SDK Version: ", azureml.core.VERSION)
ws = Workspace.from_config()
print(ws.name, ws.resource_group, ws.location, ws.subscription_id, sep="|")
cluster_name = "cpu-cluster"
try:
    compute_target = ComputeTarget(workspace=ws, name=cluster_name)
    print("Found existing compute target.")
except ComputeTargetException:
    print("Creating a new compute target...")
    compute_config = AmlCompute.provisioning_configuration(vm_size="STANDARD_D2_V2", max_nodes=4)
    compute_target = ComputeTarget.create(ws, cluster_name, compute_config)
    compute_target.wait_for_completion(
        show_output=True, min_node_count=None, timeout_in_minutes=20)
print(compute_target.get_status().serialize()["scaleSettings"]["maxNodeCount"])
src = ScriptRunConfig(source_directory="src", script="train.py", compute_target=compute_target,
                      arguments=["--reg", 0.5])
run = Experiment(workspace=ws, name="digits").submit(config=src)
RunDetails(run).show()
run.wait_for_completion(show_output=True)
assert run.get_metrics() == {"reg": 0.5}, run.get_metrics()
assert run.get_tags()["experiment"] == "digits"
assert [each.id for each in run.experiment.get_runs()] == [run.id]
"""


def test_a_cluster_is_made_once_and_the_job_runs_on_it(project):
    first = execute(project, CLUSTER)
    assert "Creating a new compute target" in first.stdout
    assert "old-ws|group|local|s-1\n" in first.stdout
    assert "workspace old-ws" in first.stdout
    assert first.stderr.count("VM settings are ignored") == 1
    assert (project / ".scriptrun" / "azureml" / "compute" / "cpu-cluster.yaml").is_file()
    again = scriptrun(project, "exec", "-m", "submit", ok=False)  # a second run stands in get_runs
    assert "Found existing compute target." in again.stdout
    assert "AssertionError" in again.stderr


IN_COMPUTE_TARGETS = """
import sys
from azureml.core import Workspace, Experiment, Environment
from azureml.core.script_run_config import ScriptRunConfig
from azureml.core.compute import AmlCompute, ComputeTarget
from azureml.core.runconfig import RunConfiguration, DEFAULT_CPU_IMAGE
from azureml.core.conda_dependencies import CondaDependencies

ws = Workspace.from_config()
name = "cpucluster"
assert name not in ws.compute_targets
if name in ws.compute_targets:
    raise SystemExit("it cannot be there")
config = AmlCompute.provisioning_configuration(vm_size="STANDARD_D2_V2", min_nodes=0, max_nodes=1)
ComputeTarget.create(ws, name, config)
target = ws.compute_targets[name]
assert type(target) is AmlCompute and target.type == "AmlCompute"
assert target.provisioning_state == "Succeeded"

run_config = RunConfiguration(framework="python")
run_config.target = target
run_config.environment.docker.enabled = False
run_config.environment.python.user_managed_dependencies = True
run_config.environment.python.interpreter_path = sys.executable
run_config.environment.python.conda_dependencies = CondaDependencies.create(
    conda_packages=["scikit-learn"], pip_packages=["azureml-sdk"])
src = ScriptRunConfig(source_directory="src", script="train.py", run_config=run_config)
run = Experiment(ws, "old").submit(src, tags={"kind": "old"})
run.wait_for_completion()
print(run.get_status(), run.get_metrics()["reg"])
print(list(ws.experiments), [each.id == run.id for each in ws.experiments["old"].get_runs()])
target.delete()
assert name not in ws.compute_targets
"""


def test_a_run_configuration_with_conda_dependencies(project):
    done = execute(project, IN_COMPUTE_TARGETS)
    assert "Completed 0.1\n['old'] [True]" in done.stdout


ADOPTED = """
from azureml.core import Workspace, Experiment, ScriptRunConfig
from azureml.core.authentication import InteractiveLoginAuthentication

auth = InteractiveLoginAuthentication(tenant_id="t")
ws = Workspace(subscription_id="a", resource_group="b", workspace_name="c", auth=auth)
src = ScriptRunConfig(source_directory="src", script="train.py", compute_target="gpu-cluster")
for each in range(2):
    run = Experiment(ws, "adopted").submit(src)
    run.wait_for_completion()
other = ws.compute_targets["other"]
print(ws.name, run.get_details()["target"], other.name, sorted(ws.compute_targets))
"""


def test_unknown_compute_targets_are_adopted_with_one_line_each(project):
    done = execute(project, ADOPTED)
    assert "old-ws gpu-cluster other ['gpu-cluster', 'local', 'other']" in done.stdout
    assert done.stderr.count("unknown compute target 'gpu-cluster'") == 1
    assert done.stderr.count("unknown compute target 'other'") == 1
    assert done.stderr.count("Azure subscriptions") == 1


LOGGING = """
import sys
from azureml.core import Experiment, Workspace, Run
ws = Workspace.from_config()
experiment = Experiment(workspace=ws, name="interactive")
with experiment.start_logging(snapshot_directory=None) as run:
    for alpha in (0.1, 0.2):
        run.log("alpha", alpha)
assert run.get_status() == "Completed", run.get_status()
assert run.get_metrics() == {"alpha": [0.1, 0.2]}
offline = Run.get_context()
offline.log("x", 1)
print(sys.argv[1:], type(offline).__name__, __name__)
sys.exit(7)
"""


def test_start_logging_arguments_and_exit_code(project):
    done = execute(project, LOGGING, "--n", "1", "--", "--help", ok=False)
    assert done.returncode == 7
    assert "['--n', '1', '--', '--help'] _OfflineRun __main__" in done.stdout


GUIDE = """
from azureml.core import Workspace, ScriptRunConfig, Environment, Experiment
ws = Workspace.from_config()
curated_env_name = 'AzureML-PyTorch-1.6-GPU'
pytorch_env = Environment.get(workspace=ws, name=curated_env_name)
compute_target = ws.compute_targets['my-cluster']
src = ScriptRunConfig(source_directory='.',
                      script='src/train.py',
                      compute_target=compute_target,
                      environment=pytorch_env)
myenv = Environment("mine")
myenv.environment_variables = {"MESSAGE":"Hello from Azure Machine Learning"}
from azureml.core.runconfig import MpiConfiguration
src = ScriptRunConfig(source_directory='.',
                      script='train.py',
                      compute_target=compute_target,
                      environment=pytorch_env,
                      distributed_job_config=MpiConfiguration(node_count=2, process_count_per_node=2))
print(src.run_config.target.name, src.run_config.node_count)
datastore = ws.get_default_datastore()
data_ref = datastore.path('./foo').as_mount()
src.run_config.data_references = {data_ref.data_reference_name: data_ref.to_config()}
"""


def test_the_code_of_the_guide(project):
    assert "my-cluster 2" in execute(project, GUIDE).stdout


AGAIN = """
from azureml.core import Workspace, Experiment, ScriptRunConfig
from azureml.core.compute import AmlCompute, ComputeTarget
from azureml.exceptions import ComputeTargetException
ws = Workspace.from_config()
for nodes in ("4", 1):
    config = AmlCompute.provisioning_configuration(vm_size="STANDARD_NC6", max_nodes=nodes)
    target = ComputeTarget.create(ws, "gpu", config)
    print(target.scale_settings.maximum_node_count, target.vm_size)
target.update(max_nodes=3)
print(ComputeTarget(ws, "gpu").scale_settings.maximum_node_count)
src = ScriptRunConfig(source_directory="src", command="sleep 3600", compute_target=target)
run = Experiment(ws, "active").submit(src)
print([each.id == run.id for each in target.get_active_runs()])
run.cancel()
run.wait_for_completion(raise_on_error=False)
print(list(target.get_active_runs()), list(ComputeTarget(ws, "local").get_active_runs()))
try:
    ComputeTarget.create(ws, "local", config)
except ComputeTargetException as error:
    print(error)
try:
    AmlCompute.provisioning_configuration(vm_size="STANDARD_NC6")
except ComputeTargetException as error:
    print(error)
"""


def test_a_cluster_can_be_made_anew_and_changed(project):
    done = execute(project, AGAIN)
    assert done.stdout.startswith("4 STANDARD_NC6\n1 STANDARD_NC6\n3\n[True]\n[] []\n")
    assert "'local' already exists" in done.stdout
    assert "requires vm_size and max_nodes" in done.stdout


WARNED = """
from azureml.core import Workspace, Experiment, ScriptRunConfig
src = ScriptRunConfig(source_directory="src", script="odd.py")
run = Experiment(Workspace.from_config(), "warned").submit(
    src, show_output=True)
print("after", run.get_status())
"""


def test_warnings_of_a_submission_name_the_callers_line(project):
    (project / "src" / "odd.py").write_text("import a_module_that_is_nowhere\n")
    done = execute(project, WARNED, ok=False)
    assert "submit.py:4: UserWarning" in done.stderr
    assert "a_module_that_is_nowhere" in done.stderr


def test_the_scripts_own_path_is_whole(project):
    text = "import os, sys\nprint(__file__ == os.path.abspath(sys.argv[0]), sys.argv[0], sys.path[0])\n"
    assert execute(project, text).stdout == f"True {project}/submit.py {project}\n"


CHILDREN = """
import multiprocessing
from azureml.core import Run

def square(number):
    return number * number, Run.__module__

if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, pool.map(square, [2, 3]))
"""


def test_processes_of_multiprocessing_find_it_too(project):
    lines = execute(project, CHILDREN).stdout.splitlines()
    found = [(4, "scriptrun.core.run"), (9, "scriptrun.core.run")]
    assert lines == [f"{method} {found}" for method in ("fork", "spawn", "forkserver")]


def test_a_traceback_shows_the_scripts_own_lines_alone(project):
    done = execute(project, "def f():\n    1 / 0\n\nf()\n", ok=False)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith('  File "')]
    assert [line.split(", ")[1] for line in lines] == ["line 4", "line 2"]
    assert done.stderr.rstrip().endswith("ZeroDivisionError: division by zero")


def test_what_is_not_there_is_said_when_it_is_used(project):
    text = "from azureml.pipeline.steps import PythonScriptStep\nprint('goes on')\n"
    assert "goes on" in execute(project, text).stdout
    done = execute(project, text + "PythonScriptStep(name='x')\n", ok=False)
    assert "NotImplementedError: azureml.pipeline.steps.PythonScriptStep" in done.stderr
    assert "each step as a ScriptRunConfig" in done.stderr


def test_nothing_is_found_unless_asked_for(project):
    code = "import scriptrun\nfrom azureml.core import Run"
    plain = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "No module named 'azureml'" in plain.stderr
    code = "import scriptrun.dropin\nfrom azureml.core import Run\nprint(Run.__module__)"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert asked.stdout == "scriptrun.core.run\n", asked.stderr


def test_a_module_gets_every_word_after_its_name(project):
    (project / "job.py").write_text("import sys\nprint(sys.argv[1:])\n")
    words = ["--out", "id.txt", "-m", "x", "--help", "--", "--check", "--"]
    for named in (["-m", "job"], ["job.py"]):
        assert scriptrun(project, "exec", *named, *words).stdout == f"{words}\n"
    assert scriptrun(project, "exec", "--", "job.py", "a").stdout == "['a']\n"
    assert "Nothing to run." in scriptrun(project, "exec", "-m", ok=False).stderr


def test_a_missing_file_and_nothing_at_all_are_sentences(project):
    assert (
        "File 'gone.py' does not exist." in scriptrun(project, "exec", "gone.py", ok=False).stderr
    )
    assert "Nothing to run." in scriptrun(project, "exec", ok=False).stderr


CHECKED = """
import azureml.core
from azureml.core import Workspace, LinkedService, Run
from azureml.pipeline.core import Pipeline
from azureml.core.compute import ComputeTarget
import numpy
run = Run.get_context()
table.to_spark_dataframe()
Pipeline(ws, LinkedService.list(ws))
raise SystemExit("it was run")
"""


def test_check_lists_what_is_not_provided_and_runs_nothing(project):
    (project / "old.py").write_text(CHECKED)
    done = scriptrun(project, "exec", "--check", "old.py", ok=False)
    found = [line for line in done.stdout.splitlines() if line.startswith("old.py:")]
    assert found == [
        "old.py:3: azureml.core.LinkedService",
        "old.py:4: azureml.pipeline.core.Pipeline",
        "old.py:8: .to_spark_dataframe()",
    ]
    assert "it was run" not in done.stderr
    (project / "fine.py").write_text("from azureml.core import Run, Workspace\n")
    assert "are supported" in scriptrun(project, "exec", "--check", "fine.py").stdout


def test_check_reads_notebooks_and_files_of_other_encodings(project):
    cells = [
        {"cell_type": "code", "source": "%pip install x\nfrom azureml.core import LinkedService"}
    ]
    use = {"cell_type": "code", "source": "LinkedService.create()"}
    (project / "n.ipynb").write_text(json.dumps({"cells": [*cells, use]}))
    done = scriptrun(project, "exec", "--check", "n.ipynb", ok=False)
    assert "n.ipynb, cell 1:2: azureml.core.LinkedService" in done.stdout
    text = (
        "# -*- coding: latin-1 -*-\r\nimport azureml.core  # \xe4\r\nazureml.core.LinkedService\r\n"
    )
    (project / "latin.py").write_bytes(text.encode("latin-1"))
    done = scriptrun(project, "exec", "--check", "latin.py", ok=False)
    assert "latin.py:3: azureml.core.LinkedService" in done.stdout
    (project / "two.py").write_text("print 1\n")
    done = scriptrun(project, "exec", "--check", "two.py", ok=False)
    assert "two.py is not valid Python" in done.stderr


def test_a_name_that_is_only_imported_is_no_problem(project):
    (project / "old.py").write_text(
        "from azureml.core import Run, LinkedService\n"
        "def f(service: LinkedService) -> LinkedService:\n    return isinstance(service, LinkedService)\n"
    )
    done = scriptrun(project, "exec", "--check", "old.py")
    assert "old.py:1: azureml.core.LinkedService (imported but not used)" in done.stdout
    assert done.stdout.endswith("old.py: all azureml names are supported.\n")


def test_check_takes_files_and_directories(project):
    cells = [
        {
            "cell_type": "code",
            "source": "from azureml.core import LinkedService\nLinkedService.create()",
        }
    ]
    (project / "books" / ".ipynb_checkpoints").mkdir(parents=True)
    for folder in (project / "books", project / "books" / ".ipynb_checkpoints"):
        (folder / "n.ipynb").write_text(json.dumps({"cells": cells}))
    (project / "books" / "other.py").write_text("print 'Python 2'\n")
    (project / "books" / "data.csv").write_text("azureml")
    (project / "fine.py").write_text("from azureml.core import Run\n")
    done = scriptrun(project, "exec", "--check", "fine.py", "books", ok=False)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == "books/n.ipynb, cell 1:1: azureml.core.LinkedService"
    assert done.stdout.endswith("Checked 2 files: 1 unsupported name in 1 file.\n")
    (project / "two.py").write_text("import azureml\nprint 1\n")
    done = scriptrun(project, "exec", "--check", ".", ok=False)
    assert done.returncode == 2 and "two.py is not valid Python" in done.stderr
    assert "1 unsupported name in 1 file; 1 file could not be read." in done.stdout
    (project / "none").mkdir()
    done = scriptrun(project, "exec", "--check", "none")
    assert done.stdout == "No scripts or notebooks that use azureml.\n"
    assert "File 'none' is a directory" in scriptrun(project, "exec", "none", ok=False).stderr
    done = scriptrun(project, "exec", "--check", "src", "fine.py")
    assert done.stdout == "Checked 2 files: all azureml names are supported.\n"
    assert (
        "'gone' does not exist"
        in scriptrun(project, "exec", "--check", "src", "gone", ok=False).stderr
    )


@pytest.mark.parametrize("name", ["many.py", "many.ipynb"])
def test_output_that_nobody_reads_ends_it_without_a_word(project, name):
    code = "while True:\n    print('x', flush=True)\n"
    cells = [{"cell_type": "code", "source": code}]
    (project / "many.py").write_text(code)
    (project / "many.ipynb").write_text(json.dumps({"nbformat": 4, "cells": cells}))
    command = [sys.executable, "-m", "scriptrun", "exec", name]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=project, **pipes) as process:
        assert process.stdout.readline() == "x\n"
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 141
    assert "Traceback" not in said and "BrokenPipe" not in said


def test_a_broken_pipe_of_the_codes_own_is_shown(project):
    code = "import os\nr, w = os.pipe()\nos.close(r)\nos.write(w, b'x')\n"
    (project / "pipe.py").write_text(code)
    command = [sys.executable, "-m", "scriptrun", "exec", "pipe.py"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode == 1 and "BrokenPipeError" in done.stderr

"""The snippets of the guide "Migrating from Estimators to ScriptRunConfig", each word as it stands.

They run under ``scriptrun exec`` after a preamble that defines their free names, and once more when
``scriptrun migrate --write`` has gone over the file.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

#: defines ws, mnist_ds and myenv; what trains shows what it was given
PREAMBLE = """\
import shutil, sys
from azureml.core import Dataset, Experiment, Workspace
ws = Workspace.from_config()
ws.get_default_datastore().upload('data', 'foo')
mnist_ds = Dataset.File.from_files((ws.get_default_datastore(), 'foo'))
"""
CURATED = """\
from azureml.core import Workspace, ScriptRunConfig, Environment

curated_env_name = 'AzureML-PyTorch-1.6-GPU'
pytorch_env = Environment.get(workspace=ws, name=curated_env_name)

compute_target = ws.compute_targets['my-cluster']
src = ScriptRunConfig(source_directory='.',
                      script='train.py',
                      compute_target=compute_target,
                      environment=pytorch_env)
"""
#: what the guide takes for granted: an environment of one's own, without a download here
OWN = """\
print(src.run_config.environment.name, src.run_config.target.name)
myenv = pytorch_env = Environment('mine')
myenv.python.user_managed_dependencies = True
myenv.python.interpreter_path = sys.executable
def submit(src):
    run = Experiment(ws, 'guide').submit(src)
    run.wait_for_completion()
    for name in sorted(run.get_file_names()):
        if 'std_log' in name:
            print(name, open(run.path / name).read().strip())
"""
VARIABLES = """\
myenv.environment_variables = {"MESSAGE":"Hello from Azure Machine Learning"}
"""
DATASET = """\
src = ScriptRunConfig(source_directory='.',
                      script='train.py',
                      arguments=['--data-folder', mnist_ds.as_mount()], # or mnist_ds.as_download() to download
                      compute_target=compute_target,
                      environment=pytorch_env)
"""
REFERENCE = """\
# if you want to pass a DataReference object, such as the below:
datastore = ws.get_default_datastore()
data_ref = datastore.path('./foo').as_mount()

src = ScriptRunConfig(source_directory='.',
                      script='train.py',
                      arguments=['--data-folder', str(data_ref)], # cast the DataReference object to str
                      compute_target=compute_target,
                      environment=pytorch_env)
src.run_config.data_references = {data_ref.data_reference_name: data_ref.to_config()} # set a dict of the DataReference(s) you want to the `data_references` attribute of the ScriptRunConfig's underlying RunConfiguration object.
"""
DISTRIBUTED = """\
from azureml.core.runconfig import MpiConfiguration

src = ScriptRunConfig(source_directory='.',
                      script='train.py',
                      compute_target=compute_target,
                      environment=pytorch_env,
                      distributed_job_config=MpiConfiguration(node_count=2, process_count_per_node=2))
"""
UNDERLYING = """\
src.run_config
"""
SUBMIT = "submit(src)\n"
MPI = "submit(src) if shutil.which('mpirun') else print('no mpirun here')\n"
WHOLE = "".join(
    (
        PREAMBLE,
        CURATED,
        OWN,
        VARIABLES,
        DATASET,
        SUBMIT,
        REFERENCE,
        SUBMIT,
        DISTRIBUTED,
        MPI,
        UNDERLYING,
    )
)
TRAIN = """\
import os, sys
found = [sorted(os.listdir(word)) for word in sys.argv[1:] if os.path.isdir(word)]
print(os.environ.get("MESSAGE"), sys.argv[1:2], found, os.environ.get("OMPI_COMM_WORLD_SIZE"))
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "data" / name).write_text(name)
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "guide.py").write_text(WHOLE)
    return tmp_path


def scriptrun(project, *words):
    command = [sys.executable, "-m", "scriptrun", *words]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def shown(target):
    """What the guide's jobs print."""
    given = "Hello from Azure Machine Learning ['--data-folder'] [['a.txt', 'b.txt']] None"
    lines = [f"AzureML-PyTorch-1.6-GPU {target}", *[f"user_logs/std_log.txt {given}"] * 2]
    if not shutil.which("mpirun"):
        return [*lines, "no mpirun here"]
    rank = "Hello from Azure Machine Learning [] [] 4"
    return [*lines, *[f"user_logs/std_log_process_{n}.txt {rank}" for n in range(4)]]


@pytest.mark.parametrize("to", [None, "azureml", "scriptrun"])
def test_the_guide_runs_as_it_stands_and_migrated(project, to):
    if to:
        scriptrun(project, "compute", "alias", "my-cluster", "local")
        scriptrun(project, "migrate", "--write", "--to", to, "guide.py")
        text = (project / "guide.py").read_text()
        assert ("azureml" not in text) if to == "scriptrun" else text == WHOLE
    out = scriptrun(project, "exec", "guide.py")
    lines = [line for line in out.splitlines() if not line.startswith(("Copied", "Uploaded"))]
    assert lines == shown("local" if to == "scriptrun" else "my-cluster")

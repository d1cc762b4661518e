"""The command, and its proof: both versions of a file say the same jobs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.migration.test_migration_files import notebook
from tests.migration.versions import migrated

from scriptrun import Environment, Workspace
from scriptrun.migration.proof import prove

SUBMIT = """\
from azureml.core import Experiment, Workspace
from azureml.core.compute import AmlCompute, ComputeTarget
from azureml.core.compute_target import ComputeTargetException
from azureml.train.dnn import Mpi, PyTorch
from azureml.train.estimator import Estimator
from azureml.train.hyperdrive import HyperDriveConfig, PrimaryMetricGoal, choice
from azureml.train.hyperdrive import RandomParameterSampling

ws = Workspace.from_config()
try:
    target = ComputeTarget(workspace=ws, name='gpu')
except ComputeTargetException:
    size = AmlCompute.provisioning_configuration(vm_size='STANDARD_NC6', max_nodes=4)
    target = ComputeTarget.create(ws, 'gpu', size)
    target.wait_for_completion(show_output=True)

exp = Experiment(workspace=ws, name='old')
params = {'--epochs': 3, '--flag': '', '--names': ['a', 'b']}
pytorch = PyTorch(source_directory='src', script_params=params, compute_target=target,
                  entry_script='train.py', use_gpu=True, pip_packages=['tqdm'])
for run in [exp.submit(pytorch)]:
    run.wait_for_completion(show_output=True)
    print(run.get_metrics()['loss'])
run = exp.submit(Estimator('src', compute_target='local', entry_script='train.py',
                           environment_variables={'A': '1'}))
sweep = HyperDriveConfig(estimator=pytorch, primary_metric_goal=PrimaryMetricGoal.MAXIMIZE,
                         hyperparameter_sampling=RandomParameterSampling({'--lr': choice(1, 2)}),
                         primary_metric_name='loss', max_total_runs=2)
exp.submit(sweep)
"""
GUIDE = """\
from azureml.core import Workspace, ScriptRunConfig, Environment, Experiment
from azureml.core.runconfig import MpiConfiguration

ws = Workspace.from_config()
curated_env_name = 'AzureML-PyTorch-1.6-GPU'
pytorch_env = Environment.get(workspace=ws, name=curated_env_name)
compute_target = ws.compute_targets['my-cluster']
src = ScriptRunConfig(source_directory='src',
                      script='train.py',
                      compute_target=compute_target,
                      environment=pytorch_env)
Experiment(ws, 'guide').submit(src)
pytorch_env = pytorch_env.clone('mine')
pytorch_env.environment_variables = {"MESSAGE":"Hello from Azure Machine Learning"}
src = ScriptRunConfig(source_directory='src',
                      script='train.py',
                      compute_target=compute_target,
                      environment=pytorch_env,
                      distributed_job_config=MpiConfiguration(node_count=2, process_count_per_node=2))
Experiment(ws, 'guide').submit(src)
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("print('never run')\n")
    return tmp_path


def command(*words: object, cwd: Path) -> subprocess.CompletedProcess:
    line = [sys.executable, "-m", "scriptrun", "migrate", *map(str, words)]
    return subprocess.run(line, cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize("to", ["azureml", "scriptrun"])
def test_old_code_is_proved_to_say_the_same(project, to):
    (project / "submit.py").write_text(SUBMIT)
    done = command("--prove", "--write", "--to", to, "submit.py", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "submit.py: proved: 3 jobs are the same before and after" in done.stdout
    assert "both stop" not in done.stdout
    assert sorted(os.listdir(project)) == ["src", "submit.py"]
    assert command("--check", "--to", to, "submit.py", cwd=project).returncode == 0


def test_the_guides_own_code_is_proved(project):
    assert not migrated(GUIDE, "azureml").is_changed
    new = migrated(GUIDE, "scriptrun").new
    path = project / "guide.py"
    proof = prove.prove(str(path), GUIDE.encode(), new)
    assert proof.standing == prove.SAME, str(proof)


DATA = """\
from azureml.core import Dataset, Experiment, Workspace
from azureml.train.estimator import Estimator
ws = Workspace.from_config()
ds = ws.get_default_datastore()
ds.upload(src_dir='src', target_path='foo', overwrite=True)
dataset = Dataset.File.from_files(path=(ds, 'foo'))
params = {'--ref': ds.path('foo').as_mount(), '--set': dataset.as_named_input('x').as_mount(),
          '--root': ds.as_download()}
est = Estimator('src', compute_target='local', entry_script='train.py', script_params=params)
Experiment(ws, 'd').submit(est)
est = Estimator('src', compute_target='local', entry_script='train.py',
                inputs=[ds.path('foo').as_download()])
Experiment(ws, 'd').submit(est)
"""


def test_named_datasets_go_along_without_an_argument(project):
    text = DATA.replace("inputs=[", "inputs=[dataset.as_named_input('one').as_download(), ")
    new = migrated(text, "scriptrun").new
    line = b"est.run_config.data['one'] = dataset.as_named_input('one').as_download()\n"
    assert line in new
    proof = prove.prove(str(project / "submit.py"), text.encode(), new)
    assert (proof.standing, proof.jobs) == (prove.SAME, 2), str(proof)


@pytest.mark.parametrize("to", ["azureml", "scriptrun"])
def test_jobs_with_data_are_proved(project, to):
    proof = prove.prove(str(project / "submit.py"), DATA.encode(), migrated(DATA, to).new)
    assert proof.standing == prove.SAME, str(proof)
    assert proof.jobs == 2


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("'a.py'", "'a.py', arguments=['x']", "arguments changed from []"),
        ("'a.py'", "'b.py'", "script changed from 'a.py' to 'b.py'"),
        ("'a.py'", "'none.py'", "after it is rejected: "),
        ("total_runs=2", "total_runs=3", "sweep.max_total_runs changed from 2 to 3"),
    ],
)
def test_what_differs_is_named(tmp_path, old, new, words):
    (tmp_path / "a.py").write_text("")
    (tmp_path / "b.py").write_text("")
    code = (
        "from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace\n"
        "from azureml.train.hyperdrive import HyperDriveConfig, GridParameterSampling, choice\n"
        "ws = Workspace.from_config()\n"
        "config = ScriptRunConfig('.', script='a.py', environment=Environment.get(ws, 'mine'))\n"
        "sweep = HyperDriveConfig(GridParameterSampling({'a': choice(1)}), 'm', 'MINIMIZE',\n"
        "                         max_total_runs=2, run_config=config)\n"
        f"Experiment(ws, 'x').submit({'sweep' if 'total' in old else 'config'})\n"
    )
    Environment("mine").register(Workspace.create("own", path=tmp_path))  # proofs know it
    path = str(tmp_path / "submit.py")
    proof = prove.prove(path, code.encode(), code.replace(old, new).encode())
    assert proof.standing == prove.DIFFERS
    assert any(words in each for each in proof.reasons), proof


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import azureml\n", "submits no job and deploys no service"),
        ("import azureml\n1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_what_cannot_be_run_is_said(tmp_path, code, words):
    proof = prove.prove(str(tmp_path / "a.py"), code.encode(), code.encode())
    assert proof.standing == prove.CANNOT
    assert words in str(proof)


def test_each_version_has_a_workspace_of_its_own(project):
    code = REGISTERS.encode()
    proof = prove.prove(str(project / "submit.py"), code, code)
    assert (proof.standing, proof.jobs) == (prove.SAME, 1), str(proof)


REGISTERS = """
from azureml.core import Dataset, Experiment, ScriptRunConfig, Workspace
ws = Workspace.from_config()
store = ws.get_default_datastore()
store.upload_files(["src/train.py"], target_path="code")
made = Dataset.File.from_files((store, "code")).register(ws, "code", create_new_version=True)
config = ScriptRunConfig("src", "train.py", ["--code", made.as_mount()], compute_target="local")
Experiment(ws, "registered").submit(config)
"""

AWAY = (
    "%matplotlib inline\nimport nowhere_plots as plt\nfrom nowhere.core import Widget\n"
    "class Mine(Widget):\n    pass\n",
    "from azureml.core import Dataset, Datastore, Experiment, Workspace\n"
    "from azureml.core.compute import ComputeTarget\nfrom azureml.train.sklearn import SKLearn\n"
    "ws = Workspace.from_config()\ntarget = ComputeTarget(workspace=ws, name='gpu')\n",
    "import urllib.request\n"
    "urllib.request.urlretrieve('http://nowhere.invalid/a.gz', filename='a.gz')\n"
    "Datastore.get(ws, 'ours').upload(src_dir='./not/there', target_path='d')\n"
    "web = Dataset.File.from_files('http://nowhere.invalid/*.csv')\n"
    "web.download(target_path='not/there')\n",
    "ws.datasets['digits'].to_pandas_dataframe().head()\n"
    "params = {'--in': ws.datasets['digits'].as_mount(), '--web': web.as_mount()}\n"
    "est = SKLearn(source_directory='src', script_params=params, compute_target=target,\n"
    "              entry_script='train.py')\n",
    "open('no/such/file')\n",
    "run = Experiment(ws, 'away').submit(est)\nplt.plot(run.get_metrics()['loss'])\n",
)


@pytest.mark.parametrize("to", ["azureml", "scriptrun"])
def test_a_notebook_away_from_home_is_proved_with_what_is_taken_for_given(project, to):
    old = notebook(*AWAY)
    new = migrated(old, to, "away.ipynb").new
    assert b"SKLearn(" not in new
    proof = prove.prove(str(project / "away.ipynb"), old.encode(), new)
    assert (proof.standing, proof.jobs) == (prove.PARTLY, 1), str(proof)
    given = str(proof)
    for words in ("compute target 'gpu'", "datastore 'ours'", "dataset 'digits'", "nowhere_plots"):
        assert words in given
    assert "files at http://nowhere.invalid" in given and "uploaded" in given
    assert len(proof.stopped) == 1 and "cell 5 fails: FileNotFoundError" in proof.stopped[0]


def test_a_cell_that_fails_only_afterwards_is_told(project):
    old = notebook(*AWAY)
    new = old.replace("open('no/such/file')", "1 / 0")
    proof = prove.prove(str(project / "away.ipynb"), old.encode(), new.encode())
    assert (proof.standing, proof.jobs) == (prove.DIFFERS, 0)
    assert proof.reasons == ["after: cell 5 fails: ZeroDivisionError: division by zero"]


SHOWN = (
    "from azureml.core import Workspace, Experiment, ScriptRunConfig\n"
    "from azureml.widgets import RunDetails\n"
    "ws = Workspace.from_config()\n"
    "run = Experiment(ws, 'shown').submit(ScriptRunConfig('src', 'train.py'))\n"
    "RunDetails(run).show()\n",
    "run.wait_for_completion(show_output=True)\nprint('still here', flush=True)\n",
    "print('loss: {:.5f}'.format(run.get_metrics()['loss'][-1]))\n",
    "open(run.get_file_names()[0]).read()\n",
    "print('and here', flush=True)\n"
    "again = Experiment(ws, 'shown').submit(ScriptRunConfig('src', 'train.py'))\n",
)


def test_what_a_job_would_give_closes_no_stream(project):
    old = notebook(*SHOWN)
    new = migrated(old, "scriptrun", "shown.ipynb").new
    proof = prove.prove(str(project / "shown.ipynb"), old.encode(), new)
    assert (proof.standing, proof.jobs) == (prove.PARTLY, 2), str(proof)
    assert len(proof.stopped) == 1 and "cell 4 fails: FileNotFoundError" in proof.stopped[0]


PIPELINE = """\
from azureml.core import Workspace
from azureml.pipeline.core import Pipeline, PipelineData
from azureml.pipeline.steps import EstimatorStep
from azureml.train.estimator import Estimator
ws = Workspace.from_config()
target = ws.compute_targets['cpu']
out = PipelineData('model', datastore=ws.get_default_datastore())
est = Estimator('src', compute_target=target, entry_script='train.py', pip_packages=['six'])
step = EstimatorStep(name='fit', estimator=est, estimator_entry_script_arguments=['--out', out],
                     outputs=[out], compute_target=target)
Pipeline(workspace=ws, steps=[[step]]).validate()
"""


def test_the_steps_of_a_pipeline_are_proved(project):
    new = migrated(PIPELINE, "azureml").new
    assert b"PythonScriptStep(" in new
    path = str(project / "pipeline.py")
    proof = prove.prove(path, PIPELINE.encode(), new)
    assert (proof.standing, proof.jobs) == (prove.SAME, 1), str(proof)
    proof = prove.prove(path, PIPELINE.encode(), new.replace(b"'--out', out", b"'--out', 1"))
    words = "arguments changed from ['--out', 'PipelineData:model'] to ['--out', '1']"
    assert proof.reasons[0] == words, str(proof)


# the command

CALL = "est = Estimator('src', compute_target='c', entry_script='t.py')\n"
OLD = f"from azureml.train.estimator import Estimator\n{CALL}"


def test_nothing_is_written_unless_told(tmp_path):
    path = tmp_path / "submit.py"
    path.write_text(OLD)
    done = command("submit.py", cwd=tmp_path)
    assert done.returncode == 0
    assert "-from azureml.train.estimator import Estimator" in done.stdout
    assert "+from scriptrun import Environment, ScriptRunConfig" in done.stdout
    assert "1 of 1 files would change" in done.stdout and "\x1b" not in done.stdout
    assert path.read_text() == OLD
    assert command("--check", ".", cwd=tmp_path).returncode == 1
    assert path.read_text() == OLD
    done = command("--write", ".", cwd=tmp_path)
    assert "1 of 1 files changed" in done.stdout and "ScriptRunConfig(" in path.read_text()
    assert command("--check", ".", cwd=tmp_path).returncode == 0


def test_the_report_as_json(tmp_path):
    (tmp_path / "a.py").write_text(OLD)
    (tmp_path / "b.py").write_text("import azureml\nprint 'two'\n")
    (tmp_path / "c.py").write_text("nothing to see\n")
    done = command("--report", "json", ".", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert told["looked_at"] == 3 and [os.path.basename(p) for p in told["changed"]] == ["a.py"]
    kinds = {
        (os.path.basename(each["path"]), each["line"], each["kind"]) for each in told["findings"]
    }
    assert ("a.py", 2, "rewritten") in kinds and ("b.py", 1, "needs a look") in kinds
    assert "+++" in told["diffs"][told["changed"][0]]


def test_many_files_on_all_processors(tmp_path):
    for number in range(40):
        (tmp_path / f"f{number:02}.py").write_text(OLD)
    done = command("--write", ".", cwd=tmp_path)
    assert "40 of 40 files changed" in done.stdout, done.stderr
    assert len({path.read_text() for path in tmp_path.glob("*.py")}) == 1
    named = re.findall(r"f(\d\d)\.py:2: rewritten", done.stdout)
    assert named == sorted(named) and len(named) == 40


@pytest.mark.parametrize(
    ("words", "told"),
    [(["nowhere"], "nowhere"), (["--check", "--write", "."], "cannot be used together")],
)
def test_wrong_usage(tmp_path, words, told):
    done = command(*words, cwd=tmp_path)
    assert done.returncode == 2 and told in done.stderr


ARGUED = """\
import argparse, os
from azureml.core import Experiment, Workspace
from azureml.train.estimator import Estimator
parser = argparse.ArgumentParser()
parser.add_argument('--to', required=True)
folder = os.path.join('..', 'src')
est = Estimator(folder, compute_target=parser.parse_args().to, entry_script='train.py')
est._estimator_config.node_count = 1
Experiment(Workspace.from_config(), 'argued').submit(est)
"""


def test_arguments_and_the_project_around_a_file_are_there_when_it_is_proved(project):
    (project / "jobs").mkdir()
    (project / "jobs" / "submit.py").write_text(ARGUED)
    words = ("--prove", "--to", "azureml", "jobs/submit.py")
    done = command(*words, cwd=project)
    assert "are required: --to (set its arguments" in done.stdout and done.returncode == 0
    done = command(*words, "--args", "--to 'local'", cwd=project)
    assert "proved: 1 job is the same" in done.stdout, done.stdout + done.stderr

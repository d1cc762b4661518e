"""What azureml's names decide by themselves is part of what a proof compares."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.migration.versions import migrated

from scriptrun import Experiment, Workspace
from scriptrun.cli import migrate
from scriptrun.migration import batch
from scriptrun.migration.proof import interactive_runs, plain_files, prove

HEAD = """\
from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace
ws = Workspace.from_config()
experiment = Experiment(ws, 'x')
src = ScriptRunConfig('.', script='train.py', compute_target='local')
"""


@pytest.fixture
def submit(tmp_path):
    (tmp_path / "train.py").write_text("print('never run')\n")
    return tmp_path / "submit.py"


def proved(submit, code, change=lambda new: new, *others):
    old = HEAD + code
    new = change(migrated(old, "scriptrun").new.decode())
    return prove.prove(str(submit), old.encode(), new.encode(), (), others)


def without(text):
    return lambda new: new.replace(text, "")


SUBMISSIONS = [
    "experiment.submit(src)",
    "experiment.submit_many([src])",
    "experiment.submit(src).submit_child(src)",
    "experiment.start_logging(snapshot_directory=None).submit_child(src)",
]


@pytest.mark.parametrize("number", range(len(SUBMISSIONS)))
def test_pins_are_compared(submit, number):
    code = SUBMISSIONS[number]
    proof = proved(submit, code)
    assert proof.standing == prove.SAME, proof
    proof = proved(submit, code, without(", pins='relax'"))
    assert proof.standing == prove.DIFFERS
    assert "environment.pins changed from 'relax' to 'exact'" in str(proof)


def test_pins_of_a_sweep_are_compared(submit):
    code = (
        "from azureml.train.hyperdrive import GridParameterSampling, HyperDriveConfig, choice\n"
        "sweep = HyperDriveConfig(GridParameterSampling({'a': choice(1)}), 'm', 'MINIMIZE',\n"
        "                         max_total_runs=1, run_config=src)\n"
        "experiment.submit(sweep)\n"
    )
    assert proved(submit, code).standing == prove.SAME
    assert proved(submit, code, without(", pins='relax'")).standing == prove.DIFFERS


def test_an_estimator_that_is_left_is_submitted_by_scriptruns_experiment(submit):
    old = (
        "from azureml.core import Experiment, Workspace\n"
        "from azureml.train.estimator import Estimator\n"
        "ws = Workspace.from_config()\n"
        "est = Estimator('.', compute_target='local', entry_script='train.py')\n"
        "Experiment(ws, 'x').submit(est)\n"
    )
    new = old.replace("from azureml.core", "import scriptrun.dropin\nfrom scriptrun")
    new = new.replace("submit(est)", "submit(est, pins='relax')")
    proof = prove.prove(str(submit), old.encode(), new.encode())
    assert proof.standing == prove.SAME, proof


def test_pins_that_the_user_has_set_for_old_code_are_old_codes_alone(submit, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_PINS", "exact")
    proof = proved(submit, "experiment.submit(src)")
    assert proof.reasons == ["environment.pins changed from 'exact' to 'relax'"]


AZURES_IMAGE = """
src.run_config.environment = environment = Environment('old')
environment.docker.enabled = True
environment.python.conda_dependencies.add_pip_package('red==1.5')
experiment.submit(src)
"""


@pytest.mark.podman
def test_a_container_where_old_code_has_processes_is_told(submit, podman):
    assert proved(submit, AZURES_IMAGE).standing == prove.SAME
    proof = proved(submit, AZURES_IMAGE, without(", pins='relax'"))
    assert "environment.container changed from False to True" in proof.reasons


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import collections\ncollections.Mapping\n", "has no attribute 'Mapping'"),
        ("import time\ntime.clock()\n", "has no attribute 'clock'"),
        ("import inspect\ninspect.getargspec\n", "has no attribute 'getargspec'"),
        ("import numpy\nnumpy.float\n", "has no attribute 'float'"),
    ],
)
def test_names_that_only_the_drop_in_brings_back_are_missed(submit, code, words):
    proof = proved(submit, f"{code}experiment.submit(src)\n")
    assert proof.standing == prove.DIFFERS
    assert words in str(proof)


def test_the_drop_in_that_the_new_version_imports_brings_them_back(submit):
    code = (
        "from azureml.widgets import RunDetails\nimport collections\n"
        "assert isinstance({}, collections.Mapping)\nrun = experiment.submit(src)\n"
        "RunDetails(run).show()\n"
    )
    proof = proved(submit, code)
    assert (proof.standing, proof.jobs) == (prove.SAME, 1), proof


def test_a_version_that_is_azuremls_still_runs_as_one(submit):
    old = f"{HEAD}import collections\ncollections.Mapping\nexperiment.submit(src)\n"
    proof = prove.prove(str(submit), old.encode(), old.encode())
    assert (proof.standing, proof.jobs) == (prove.SAME, 1), proof


@pytest.mark.parametrize("name", ["src.run_config.target = 'gpu'", "ws.compute_targets['gpu']"])
def test_compute_targets_that_old_code_has_by_naming_them_are_told(submit, name):
    proof = proved(submit, f"{name}\nexperiment.submit(src)\n")
    assert proof.standing == prove.SAME
    assert "the compute target 'gpu' (scriptrun compute alias gpu local)" in proof.assumed
    known = Workspace.create("ws", path=submit.parent)
    alias = ["compute", "alias", "gpu", "local"]
    subprocess.run([sys.executable, "-m", "scriptrun", *alias], cwd=known.root, check=True)
    assert proved(submit, f"{name}\nexperiment.submit(src)\n").assumed == []


LOGS = """
run = experiment.start_logging(snapshot_directory=None)
run.log('loss', 1)
run.tag('a', 'b')
open('outputs/model.txt', 'w').write('x')
run.complete()
"""


def test_what_interactive_runs_leave_is_compared(submit):
    proof = proved(submit, LOGS)
    assert (proof.standing, proof.jobs) == (prove.SAME, 1), proof
    proof = proved(submit, LOGS, without(", outputs='outputs'"))
    assert "No such file or directory: 'outputs/model.txt'" in str(proof)
    (submit.parent / "outputs").mkdir()
    proof = proved(submit, LOGS, without(", outputs='outputs'"))
    assert proof.reasons == ["files changed from ['outputs/model.txt'] to []"]
    proof = proved(submit, LOGS, without("run.log('loss', 1)\n"))
    assert proof.reasons == ["metrics changed from ['loss'] to []"]


def test_files_that_are_rewritten_together_are_proved_together(submit):
    common = submit.parent / "common.py"
    common.write_text(
        "from azureml.core import Experiment, Workspace\n\ndef start(config):\n"
        "    return Experiment(Workspace.from_config(), 'x').submit(config)\n"
    )
    submit.write_text(
        "from azureml.core import ScriptRunConfig\nfrom common import start\n"
        "start(ScriptRunConfig('.', 'train.py'))\n"
    )
    (submit.parent / "train.py").write_text("from azureml.core import Run\n")
    paths = [str(submit.parent)]
    for write in (False, True):  # and the old files are gone
        report = batch.look(paths, "scriptrun", migrate.alternative, lambda *_: None, write, True)
        report.prove()
        proof = next(each for each in report.proofs if each.path == str(submit))
        assert proof.standing == prove.SAME, proof
        assert proof.assumed == ["what train.py does, which is rewritten, too"]


def test_jobs_of_threads_are_compared_in_any_order(submit):
    code = "for n in (1, 2):\n    experiment.submit(src, tags={'n': str(n)})\n"
    assert proved(submit, code, lambda new: new.replace("(1, 2)", "(2, 1)")).standing == prove.SAME
    assert proved(submit, code, lambda new: new.replace("(1, 2)", "(1, 1)")).reasons == [
        "job 2: tags.n changed from '2' to '1'"
    ]


def test_a_helper_that_nobody_rewrites_shows(submit):
    (submit.parent / "helper.py").write_text("def start(e, c):\n    return e.submit(c)\n")
    proof = proved(submit, "from helper import start\nstart(experiment, src)\n")
    assert proof.reasons == ["environment.pins changed from 'relax' to 'exact'"]


def test_a_data_reference_that_became_a_dataset_is_told(submit):
    code = (
        "reference = ws.get_default_datastore().path('d').as_download()\n"
        "experiment.submit(ScriptRunConfig('.', script='train.py', arguments=[reference]))\n"
    )
    proof = proved(submit, code)
    assert proof.standing == prove.SAME
    assert any("run.input_datasets" in text for text in proof.assumed)


@pytest.mark.parametrize(
    ("content", "suits"),
    [
        (b"import scriptrun", True),
        (b"import os\nfrom azureml.core import Run", False),
        (b'"from azureml.core import Run\\n"', False),
        (b"import scriptrun.dropin\nfrom azureml.core import Run", True),
        (b"# azureml: see from azureml's pages", False),
        (b"x = 'azureml'", True),
    ],
)
def test_which_versions_python_alone_runs(content, suits):
    assert plain_files.suits("submit.py", content) is suits


RESTORED = """
import collections, importlib.util, sys
from scriptrun.migration.proof import plain_python
had = set(vars(collections))
before = plain_python.Before()
import scriptrun.dropin, azureml.core
assert importlib.util.find_spec("azureml") and set(vars(collections)) != had
before.restore()
assert "azureml.core" not in sys.modules and set(vars(collections)) == had
assert importlib.util.find_spec("azureml") is None
import scriptrun.dropin
from azureml.core import Workspace
assert hasattr(collections, "Mapping")
"""


def test_the_process_is_as_it_was_before_the_drop_in():
    subprocess.run([sys.executable, "-c", RESTORED], check=True)


def test_interactive_runs_are_described_by_names(tmp_path):
    workspace = Workspace.create("ws", path=tmp_path)
    with Experiment(workspace, "x").start_logging(snapshot_directory=None) as run:
        run.log("loss", 0.5)
        run.child_run("inner").complete()
    first, second = interactive_runs.describe(workspace)
    assert (first["metrics"], first["state"], first["child_of"]) == (["loss"], "Completed", None)
    assert (second["display_name"], second["child_of"]) == ("inner", 1)

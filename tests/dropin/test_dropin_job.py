"""``azureml`` in a job: with nothing installed on any Python, and with what is installed."""

from __future__ import annotations

import os
import subprocess
import sys

import old_pythons
import pytest

from scriptrun.store import job_runtime


@pytest.fixture(params=[*old_pythons.to_try(), sys.executable], ids=old_pythons.version_of)
def bare(request, tmp_path):
    """Runs code as a job does, in a Python that has no packages."""
    command = [request.param, "-S"]

    def run(code, site=None):
        path = [str(job_runtime.install(tmp_path)), *([str(site)] if site else [])]
        return child([*command, "-c", code], path)

    return run


def child(command, path):
    environ = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(path), "PYTHONWARNINGS": "error"}
    done = subprocess.run(command, env=environ, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


TRAINING = """
import azureml.core
from azureml.core import Run, Workspace, Dataset, Model, Experiment
from azureml.core.run import Run as again, _OfflineRun
from azureml.core.model import Model as model
import azureml.core.run
from azureml.telemetry import set_diagnostics_collection
set_diagnostics_collection(send_diagnostics=True)
run = Run.get_context()
run.log("accuracy", 0.5)
print(Run is again is azureml.core.Run, isinstance(run, _OfflineRun), Model is model)
print(azureml.core.VERSION.count("."))
"""


def test_a_training_script_with_nothing_installed(bare):
    out = bare(TRAINING)
    assert out.splitlines()[-2:] == ["True True True", "2"]


STAND_INS = """
from azureml.core import Workspace
from azureml.core.authentication import MsiAuthentication
from azureml.data.data_reference import DataReference
from azureml.exceptions import ComputeTargetException
from azureml.exceptions._azureml_exception import UserErrorException
from azureml.core import Run
import azureml
for use in (Workspace.from_config, MsiAuthentication, lambda: DataReference.create()):
    try:
        use()
    except Exception as error:
        print(type(error).__name__, "packages" in str(error))
try:
    Run.get_context(allow_offline=False)
except UserErrorException as error:
    print("caught")
try:
    import azureml.nonsense
except ImportError:
    print("none")
from azureml.opendatasets import MNIST
from azureml.widgets import RunDetails
from azureml.train.hyperdrive.parameter_expressions import choice
from azureml._restclient.constants import RunStatus
for use in (lambda: MNIST.get_tabular_dataset(), lambda: RunDetails(1), lambda: RunStatus.FAILED):
    try:
        use()
    except NotImplementedError as error:
        print("packages" in str(error))
print(hasattr(azureml.core, "nonsense"), hasattr(azureml, "core"))
"""


def test_other_names_can_be_imported_and_say_what_to_do(bare):
    lines = bare(STAND_INS.replace("Workspace.from_config,", "")).splitlines()
    assert lines[:2] == ["NotImplementedError True"] * 2
    assert lines[2:] == ["caught", "none", "True", "True", "True", "False True"]


def test_a_star_import_of_the_errors_brings_them(bare):
    code = (
        "from azureml.exceptions import *; assert issubclass(WorkspaceException, AzureMLException)"
    )
    assert bare(code) == ""


def test_modules_of_an_installed_azureml_that_are_not_ours(bare, tmp_path):
    site = tmp_path / "site"
    for name, text in {
        "azureml/core/__init__.py": "raise SystemExit('the installed one was loaded')",
        "azureml/core/authentication.py": "WHO = 'installed'",
        "azureml/opendatasets/__init__.py": "WHO = 'opened'",
    }.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    code = (
        "from azureml.core import Run\n"
        "import azureml.core.authentication as a, azureml.opendatasets as o\n"
        "print(Run.__module__, a.WHO, o.WHO)"
    )
    assert bare(code, site) == "scriptrun.runtime.injob.run installed opened\n"


def test_where_scriptrun_is_installed_all_its_names_work(tmp_path):
    code = (
        "from azureml.core import Run, ScriptRunConfig\n"
        "from azureml.core.compute import AmlCompute\n"
        "import azureml\n"
        "print(Run.__module__, ScriptRunConfig('.', 'a.py').script, AmlCompute.__module__)"
    )
    out = child([sys.executable, "-c", code], [str(job_runtime.install(tmp_path))])
    assert out == "scriptrun.core.run a.py scriptrun.dropin.azureml.compute\n"

"""The table of names is true, whole, and the one on the page."""

from __future__ import annotations

import copy
import importlib
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from scriptrun.dropin import api_table, docs_page, finder, homes_table, scan

ROOT = Path(__file__).resolve().parents[2]
LISTED = json.loads(Path(__file__).with_name("signatures.json").read_text("utf-8"))


@pytest.fixture(autouse=True)
def enabled():
    finder.enable()


@pytest.mark.parametrize("module", sorted(api_table.PROVIDED))
def test_every_name_of_a_module_is_there(module):
    for name, (home, actual) in api_table.provided(module).items():
        found = getattr(importlib.import_module(module), name)
        assert found is getattr(importlib.import_module(home), actual)


def homes():
    """Every home of every name that the SDK documents, with the name's first home."""
    for name, facts in sorted(LISTED.items()):
        for home in (name, *facts.get("aliases", [])):
            yield home, name


@pytest.mark.parametrize(("home", "first"), list(homes()))
def test_a_name_is_the_same_in_all_its_homes(home, first):
    found = []
    for path in (home, first):
        module, _, name = path.rpartition(".")
        found.append(getattr(importlib.import_module(module), name))
    assert found[0] is found[1] or api_table.alternative(*home.rpartition(".")[::2])


#: lines of public code, each with the number of names that are refused when they are used
IMPORTS = {
    "from azureml import Workspace": 0,
    "from azureml.core.workspace import Dataset, Experiment, Run, Keyvault, Datastore": 0,
    "from azureml.core.workspace import WorkspaceException, UserErrorException": 0,
    "from azureml.core.authentication import AuthenticationException": 0,
    "from azureml.core.run import RUNNING_STATES, RunStatus, Run": 0,
    "from azureml.core.run import Experiment, Workspace, Dataset, ScriptRun, _OfflineRun": 0,
    "from azureml.core.run import ActivityFailedException, RunEnvironmentException": 0,
    "from azureml.core.runconfig import EnvironmentDefinition, ContainerRegistry, Cr": 0,
    "from azureml.core.runconfig import DEFAULT_GPU_IMAGE, CondaDependencies, DataReference": 0,
    "from azureml.core.runconfig import DataPath, ScriptRunConfig, Environment": 0,
    "from azureml.core.runconfig import SparkPackage, RSection": 2,
    "from azureml.core.environment import CondaDependencies, DEFAULT_GPU_IMAGE, Workspace": 0,
    "from azureml.core.environment import EnvironmentReference": 1,
    "from azureml.core.compute import AmlCompute, ComputeTarget, ComputeTargetException": 0,
    "from azureml.core.compute import AksCompute, DatabricksCompute, HDInsightCompute": 2,
    "from azureml.core.compute_target import ComputeTarget, AmlCompute": 0,
    "from azureml.core.compute.amlcompute import ComputeTargetException, Workspace": 0,
    "from azureml.core.dataset import Dataset, FileDataset, TabularDataset, Datastore": 0,
    "from azureml.core.datastore import AzureBlobDatastore, AbstractDatastore, Workspace": 0,
    "from azureml.core.model import Model, InferenceConfig, Dataset, Webservice, Workspace": 0,
    "from azureml.core.model import ModelNotFoundException, WebserviceException": 0,
    "from azureml.core.experiment import Experiment, Workspace, ExperimentExecutionException": 0,
    "from azureml.core.script_run_config import get_run_config_from_script_run, RunConfiguration": 0,
    "from azureml.core.webservice import AciWebservice, Model, Environment": 0,
    "from azureml.core import OutputFileDatasetConfig, ScriptRun, VERSION": 0,
    "from azureml.data import OutputFileDatasetConfig, AzureFileDatastore, AzureBlobDatastore": 0,
    "from azureml.data import LinkTabularOutputDatasetConfig, dataset_type_definitions": 1,
    "from azureml.data.datapath import DataPath, DataPathComputeBinding, DataReference": 0,
    "from azureml.data.dataset_factory import TabularDatasetFactory, FileDataset, DataType": 0,
    "from azureml.data.dataset_consumption_config import DatasetConsumptionConfig": 0,
    "from azureml.data.output_dataset_config import MountOptions": 1,
    "from azureml.train.hyperdrive import HyperDriveConfig, ScriptRunConfig, choice, uniform": 0,
    "from azureml.train.hyperdrive.policy import BanditPolicy, HyperDriveConfig": 0,
    "from azureml.train.estimator import Estimator, RunConfiguration, DataReference": 0,
    "from azureml.exceptions import ComputeTargetException, TrainingException, AzureMLException": 0,
    "from azureml._common.exceptions import AzureMLException": 0,
    "from azureml.widgets import RunDetails, Run": 0,
    "from azureml.tensorboard import Tensorboard": 0,
    "from azureml.tensorboard.export import export_to_tensorboard": 0,
    "from azureml.contrib.tensorboard import Tensorboard": 0,
    "from azureml.core.compute import BatchCompute, RemoteCompute, KubernetesCompute": 3,
}


@pytest.mark.parametrize("line", sorted(IMPORTS))
def test_lines_of_public_code_work_or_are_refused_in_a_sentence(line, tmp_path):
    space = {}
    exec(line, space)
    names = [name.strip() for name in line.partition(" import ")[2].split(",")]
    refused = [name for name in names if " is not supported by " in (space[name].__doc__ or "")]
    assert len(refused) == IMPORTS[line]
    script = tmp_path / "old.py"
    script.write_text("".join([line, *(f"\n{name}.x" for name in names)]))
    assert len(scan.check(str(script))) == IMPORTS[line]


def test_every_class_is_importable_from_every_module():
    for module in api_table.PROVIDED:
        loaded = importlib.import_module(module)
        for name, home in homes_table.HOMES.items():
            own = api_table.LEFT_OUT.get(module, {}).get(name)
            found = getattr(loaded, name)
            assert own or api_table.source_of(module, name) or api_table.alternative(home, name)
            assert found is not None


def test_the_table_of_homes_is_up_to_date():
    command = [sys.executable, str(ROOT / "tools" / "azureml_homes.py"), "--check"]
    assert subprocess.run(command, capture_output=True, text=True).returncode == 0


def test_names_that_real_code_imports():
    from azureml.core.authentication import AuthenticationException
    from azureml.core.conda_dependencies import TENSORFLOW_DEFAULT_VERSION
    from azureml.core.databricks import JarLibrary, PyPiLibrary
    from azureml.core.environment import RSection
    from azureml.core.workspace import ComputeTarget, Dataset, WorkspaceException
    from azureml.data.dataset_type_definitions import FileType
    from azureml.exceptions import UserErrorException
    from azureml.telemetry import INSTRUMENTATION_KEY, get_telemetry_log_handler

    assert isinstance(INSTRUMENTATION_KEY, str) and get_telemetry_log_handler(INSTRUMENTATION_KEY)
    assert issubclass(AuthenticationException, UserErrorException)
    assert issubclass(WorkspaceException, Exception) and ComputeTarget and Dataset.Tabular
    assert TENSORFLOW_DEFAULT_VERSION.replace(".", "").isdigit()
    for use in (lambda: PyPiLibrary("x"), JarLibrary, RSection, lambda: FileType.ZIP):
        with pytest.raises(NotImplementedError, match="is not supported"):
            use()


@pytest.mark.parametrize(
    ("module", "name", "first"),
    [
        ("azureml.core.compute.amlcompute", "Workspace", "azureml.core"),
        ("azureml.core.workspace", "DatastoreException", "azureml.exceptions"),
        ("azureml.core.compute_target", "ComputeTarget", "azureml.core"),
        ("azureml.train.dnn", "RunConfiguration", "azureml.core"),
        ("azureml.pipeline.core.run", "ExperimentExecutionException", "azureml.exceptions"),
    ],
)
def test_what_a_module_imports_from_another_is_the_others(module, name, first):
    found = getattr(importlib.import_module(module), name)
    assert found is getattr(importlib.import_module(first), name)
    assert api_table.source_of(module, name)


def test_a_name_that_no_module_has_is_an_error():
    for module in ("azureml.core.workspace", "azureml.core", "azureml"):
        with pytest.raises(
            AttributeError, match=r"no attribute 'Workspac'\. Did you mean 'Workspace'"
        ):
            importlib.import_module(module).Workspac


@pytest.mark.parametrize(
    "path",
    [
        "azureml.core.model.ModelProfile",
        "azureml.core.profile.ModelProfile",
        "azureml.core.linked_service.LinkedService",
        "azureml.core.private_endpoint.PrivateEndPointConfig",
        "azureml.core.runconfig.RSection",
        "azureml.data.azure_sql_database_datastore.AzureSqlDatabaseDatastore",
        "azureml.data.dbfs_datastore.DBFSDatastore",
        "azureml.data.hdfs_output_dataset_config.HDFSOutputDatasetConfig",
    ],
)
def test_modules_that_other_notebooks_import(path):
    module, _, name = path.rpartition(".")
    with pytest.raises(NotImplementedError, match="is not supported"):
        getattr(importlib.import_module(module), name)()


def errors():
    """Every error of the SDK that scriptrun raises or that old code catches."""
    from azureml import exceptions
    from azureml.data import dataset_error_handling
    from azureml.train.hyperdrive import exceptions as of_sweeps

    modules = (exceptions, dataset_error_handling, of_sweeps)
    names = {name: getattr(module, name) for module in modules for name in module.__all__}
    left_out = importlib.import_module("azureml.train.automl.exceptions").AutoMLException
    return {**names, "AutoMLException": left_out}


def test_errors_are_made_as_in_the_sdk():
    cause = ValueError("why")
    for error in errors().values():
        made = error(exception_message="m", inner_exception=cause, target="t", details="d")
        assert (made.message, made.inner_exception) == ("m", cause)
        assert made.error_code in ("UserError", "SystemError")
        second = error("m", cause)
        assert (second.message, second.inner_exception) == ("m", cause)
        for text in (str(made), str(second)):
            assert text == "m"
        assert repr(second) == f"{error.__name__}('m')"


def test_errors_survive_pickling_and_copying():
    cause = ValueError("why")
    for name, error in errors().items():
        made = error("m", cause)
        made.extra = 1
        assert copy.copy(made).message == "m"
        if name == "AutoMLException":
            continue  # made when it is first asked for
        again = pickle.loads(pickle.dumps(made))
        assert (type(again), again.message, again.extra) == (error, "m", 1)
        assert str(again) == "m" and repr(again.inner_exception) == repr(cause)


def test_users_errors_are_told_from_others():
    found = errors()
    assert found["UserErrorException"]("m").error_code == "UserError"
    assert found["ComputeTargetException"]("m").error_code == "UserError"
    assert found["AzureMLException"]("m").error_code == "SystemError"
    assert issubclass(found["WebserviceException"], found["AzureMLException"])


def test_a_workspace_is_opened_or_created(tmp_path, monkeypatch):
    from azureml.core import Workspace

    monkeypatch.chdir(tmp_path)
    made = Workspace._get_or_create(name="one", subscription_id="s", resource_group="g")
    assert Workspace._get_or_create("one").id == made.id


@pytest.mark.parametrize(
    ("module", "name"),
    [(module, name) for module, found in api_table.LEFT_OUT.items() for name in found]
    + [(f"{package}.deep.module", "Thing") for package in api_table.LEFT_OUT_PACKAGES],
)
def test_what_is_left_out_can_be_imported_and_says_what_to_do(module, name):
    found = getattr(importlib.import_module(module), name)
    for use in (lambda: found(1, a=2), lambda: found.create(), lambda: found.CONSTANT):
        with pytest.raises(NotImplementedError) as raised:
            use()
        sentence = str(raised.value)
        assert f"{module}.{name} is not supported" in sentence
        assert len(sentence) > len(f"{module}.{name} is not supported by scriptrun. ")


def test_no_name_is_both_there_and_not_there():
    for module, found in api_table.LEFT_OUT.items():
        assert not set(found) & set(api_table.provided(module)), module


def test_every_package_of_a_module_is_there_too():
    for module in api_table.PROVIDED:
        parent = module.rpartition(".")[0]
        assert not parent or api_table.knows(parent), parent


def test_errors_that_are_left_out_can_be_caught():
    module = importlib.import_module("azureml.train.automl.exceptions")
    try:
        raise ValueError("another")
    except module.AutoMLException:
        pytest.fail("it caught what is none of its own")
    except ValueError:
        pass


def test_stars_and_unknown_names():
    space = {}
    exec("from azureml.core import *", space)
    assert {"Workspace", "Run", "Experiment"} <= set(space)
    with pytest.raises(ImportError):
        exec("from azureml.core.run import Nonsense", {})
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("azureml.nonsense")


def test_objects_of_it_can_be_pickled():
    config = importlib.import_module("azureml.core").ScriptRunConfig(".", "train.py")
    assert pickle.loads(pickle.dumps(config)).script == "train.py"


INSTALLED = """
import scriptrun.dropin
import azureml.core, azureml.core._extra, azureml.own
from azureml.opendatasets import MNIST
print(azureml.core.Run.__module__, azureml.core._extra.x, azureml.own.x, MNIST)
"""
REFUSED = """
import azureml.core
import scriptrun.dropin
"""


def test_an_installed_azureml_has_the_modules_that_are_not_ours(tmp_path):
    for name, text in {
        "core/__init__.py": "raise SystemExit('the installed one was loaded')",
        "core/_extra.py": "x = 1",
        "own.py": "x = 2",
        "opendatasets/__init__.py": "MNIST = 3",
    }.items():
        (tmp_path / "azureml" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "azureml" / name).write_text(text)
    assert in_child(INSTALLED, tmp_path).stdout == "scriptrun.core.run 1 2 3\n"


def test_two_are_never_mixed(tmp_path):
    (tmp_path / "azureml" / "core").mkdir(parents=True)
    (tmp_path / "azureml" / "core" / "__init__.py").write_text("")
    assert "Make `import scriptrun.dropin` the first line" in in_child(REFUSED, tmp_path).stderr


def in_child(code, folder):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_page_is_up_to_date():
    text = (ROOT / "docs" / "reference" / "dropin.md").read_text("utf-8")
    assert text == docs_page.with_table(text), f"run: {docs_page.__doc__}"

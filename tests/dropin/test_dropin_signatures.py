"""The classes, methods and parameters of the SDK v1, compared exactly with those accepted here.

``signatures.json`` lists them. Parameters and members that begin with ``_`` are private.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
from pathlib import Path

import pytest
from signature_shapes import find, kind_of, listed, method_of, problem

from scriptrun.dropin import finder
from scriptrun.dropin.azureml import unsupported

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BOARD = json.loads((HERE / "signatures_tensorboard.json").read_text("utf-8"))
LISTED = {
    **json.loads((HERE / "signatures.json").read_text("utf-8")),
    **{full: facts for full, facts in BOARD.items() if "functions" not in facts},
}

#: classes whose objects the SDK returns: code gets them from a method, never from the constructor.
#: The rule: v1's documentation has a factory, a property or a getter for each, and no public code
#: calls the constructor
MADE_BY_THE_SDK = {
    "azureml.core.compute.amlcompute.AmlComputeProvisioningConfiguration": "AmlCompute."
    "provisioning_configuration",
    "azureml.core.compute.amlcompute.AmlComputeStatus": "AmlCompute.get_status",
    "azureml.core.compute.compute.ComputeTargetProvisioningConfiguration": "an abstract base",
    "azureml.core.compute.computeinstance.ComputeInstanceProvisioningConfiguration": "Compute"
    "Instance.provisioning_configuration",
    "azureml.core.compute.computeinstance.ComputeInstanceStatus": "ComputeInstance.get_status",
    "azureml.core.compute_target.AbstractComputeTarget": "an abstract base",
    "azureml.core.dataset.Dataset": "Dataset.File, Dataset.Tabular and Dataset.get_by_name",
    "azureml.core.environment.ImageBuildDetails": "Environment.build",
    "azureml.core.environment.DockerImageDetails": "Environment.get_image_details",
    "azureml.core.script_run.ScriptRun": "Experiment.submit",
    "azureml.data.abstract_dataset.AbstractDataset": "an abstract base",
    "azureml.data.abstract_datastore.AbstractDatastore": "an abstract base",
    "azureml.data.azure_data_lake_datastore.AzureDataLakeGen2Datastore": "Datastore.register_*",
    "azureml.data.azure_storage_datastore.AzureBlobDatastore": "Datastore.register_*",
    "azureml.data.azure_storage_datastore.AzureFileDatastore": "Datastore.register_*",
    "azureml.data.context_managers.DatasetContextManager": "FileDataset.mount",
    "azureml.data.context_managers.DatastoreContextManager": "FileDataset.mount",
    "azureml.data.file_dataset.FileDataset": "Dataset.File",
    "azureml.data.tabular_dataset.TabularDataset": "Dataset.Tabular",
    "azureml.train.estimator._mml_base_estimator.MMLBaseEstimator": "an abstract base",
}
#: the file lists Model.list here, which no run has
MISTAKEN = {
    "azureml.core.script_run.ScriptRun.list",
    "azureml.train.hyperdrive.run.HyperDriveRun.list",
}
#: errors take further arguments after v1's, and v1's by name; another test calls them
ERRORS = ("Exception", "Error")


@pytest.fixture(autouse=True)
def enabled():
    finder.enable()


def is_placeholder(owner: object) -> bool:
    return isinstance(owner, unsupported._Missing)


@functools.cache
def findings() -> dict[str, str]:
    """Each listed class, and each of its methods, with what is wrong ("" where it is accepted)."""
    finder.enable()
    found = {}
    for full, facts in LISTED.items():
        try:
            owner = find(full)
        except (ImportError, AttributeError) as error:
            found[full] = str(error)
            continue
        compares = full not in MADE_BY_THE_SDK and not full.endswith(ERRORS)
        found[full] = problem(owner, facts["init"]) if compares and facts.get("init") else ""
        for method, signature in (facts.get("methods") or {}).items():
            found[f"{full}.{method}"] = _method_problem(full, owner, method, signature)
    return found


def _method_problem(full: str, owner: type, method: str, signature: str) -> str:
    call = method_of(owner, method)
    if call is None:
        return "missing"
    if is_placeholder(owner) or f"{full}.{method}" in MISTAKEN or method.startswith("__"):
        return ""
    return problem(call, signature)


def test_every_public_call_is_accepted():
    assert {name: why for name, why in findings().items() if why} == {}
    assert len(findings()) > 850


def test_functions_are_accepted():
    functions = BOARD["azureml.tensorboard.export"]["functions"]
    for name, signature in functions.items():
        found = getattr(importlib.import_module("azureml.tensorboard.export"), name)
        assert exact_signatures.problem(found, signature) == ""


def test_a_sweep_of_the_old_name_takes_its_arguments_in_either_order():
    old = find("azureml.train.hyperdrive.runconfig.HyperDriveRunConfig")
    space = find("azureml.train.hyperdrive.sampling.RandomParameterSampling")({})
    config = find("azureml.core.script_run_config.ScriptRunConfig")(".", "train.py")
    for made in (old(config, space, "loss", "MINIMIZE", 3), old(space, "loss", "MINIMIZE", 3)):
        assert (made.hyperparameter_sampling, made.primary_metric_name) == (space, "loss")
        assert made.max_total_runs == 3
    assert old(estimator=config, hyperparameter_sampling=space, primary_metric_name="loss",
               primary_metric_goal="MINIMIZE", max_total_runs=3).run_config is config  # fmt: skip


def test_functions_are_accepted():
    functions = BOARD["azureml.tensorboard.export"]["functions"]
    for name, signature in functions.items():
        found = getattr(importlib.import_module("azureml.tensorboard.export"), name)
        assert exact_signatures.problem(found, signature) == ""


def test_a_sweep_of_the_old_name_takes_its_arguments_in_either_order():
    old = find("azureml.train.hyperdrive.runconfig.HyperDriveRunConfig")
    space = find("azureml.train.hyperdrive.sampling.RandomParameterSampling")({})
    config = find("azureml.core.script_run_config.ScriptRunConfig")(".", "train.py")
    for made in (old(config, space, "loss", "MINIMIZE", 3), old(space, "loss", "MINIMIZE", 3)):
        assert (made.hyperparameter_sampling, made.primary_metric_name) == (space, "loss")
        assert made.max_total_runs == 3
    assert old(estimator=config, hyperparameter_sampling=space, primary_metric_name="loss",
               primary_metric_goal="MINIMIZE", max_total_runs=3).run_config is config  # fmt: skip


def is_on_the_page(full: str, page: str) -> bool:
    """Whether the page names a class or its package, or a method with its class."""
    parts = full.split(".")
    packages = [".".join(parts[:length]) for length in range(2, len(parts) + 1)]
    in_package = any(f"everything else in `{package}`" in page for package in packages)
    return f"`{full}`" in page or f"`{'.'.join(parts[-2:])}`" in page or in_package


def present(found: type, listed: dict[str, object]) -> Iterator[tuple[str, bool]]:
    """Each listed property and attribute of a class, and whether the class itself shows it."""
    shown = class_names(found)
    for name in [*(listed.get("properties") or ()), *(listed.get("attributes") or ())]:
        yield name, name in shown


def class_names(found: type) -> set[str]:
    """The attributes of a class, and of its instances as its source shows them."""
    names = set(dir(found))
    for each in found.__mro__:
        names |= {*getattr(each, "__annotations__", ()), *each.__dict__.get("_fields", ())}
        if each.__module__.startswith("scriptrun."):
            names |= set(re.findall(r"\bself\.(\w+)\b(?=[^\n=]* = )", inspect.getsource(each)))
    return names


def test_the_page_says_how_many():
    page = (ROOT / "docs" / "reference" / "dropin.md").read_text("utf-8")
    said = f"all {len(findings())} listed classes and methods"
    assert said in page, f"the page should say {said!r}"
    assert f"{len(MADE_BY_THE_SDK)} classes whose objects" in page
    assert f"{len(refused())} of them" in page, f"the page should say {len(refused())} of them"


def test_only_listed_constructors_are_left_out():
    assert set(MADE_BY_THE_SDK) <= set(LISTED)
    for name in MADE_BY_THE_SDK:  # what has become the same is no exception any more
        assert problem(find(name), LISTED[name].get("init") or "()") != "", name


@pytest.mark.parametrize("full", sorted(name for name in LISTED if name.endswith(ERRORS)))
def test_errors_take_what_those_of_v1_take(full):
    kind, cause = find(full), ValueError("why")
    error = kind("what", cause)
    assert error.message == "what" and error.inner_exception is cause
    by_name = {each.name: "text" for each in listed(LISTED[full].get("init") or "()")
               if not each.is_starred}  # fmt: skip
    assert "text" in kind(**by_name).message


@pytest.mark.parametrize("full", sorted(LISTED))
def test_static_and_class_methods_can_be_called_on_the_class(full):
    owner = find(full)
    for method in LISTED[full].get("method_kinds") or ():
        assert is_placeholder(owner) or kind_of(owner, method) in ("static", "class"), method


@pytest.mark.parametrize("full", sorted(LISTED))
def test_plain_constants_are_those_of_v1(full):
    for name, value in (LISTED[full].get("constants") or {}).items():
        if isinstance(value, (int, float)) or re.fullmatch(r"[\w. -]+", str(value)):
            found = getattr(find(full), name, None)
            assert getattr(found, "value", found) == value or name == "RUN_TYPE", name


def test_the_checker_sees_what_differs():
    def call(workspace, max_nodes=None, *, flag=False):
        pass

    assert problem(call, "(workspace, max_nodes=None)") == ""
    assert problem(call, "(workspace, flag=False)") != ""
    assert problem(call, "(workspace, max=None)") == "lacks max"
    assert problem(call, "(max_nodes=None)") != ""
    assert problem(call, "(workspace, max_nodes=4)") == "max_nodes=None instead of 4"
    assert problem(call, "(workspace=None, max_nodes=None)") == "requires workspace"
    assert problem(call, "(workspace, max_nodes=None, **kwargs)") == "lacks **kwargs"
    assert [each.name for each in listed("(self, a, b='x, y', *args, **kwargs)")] == [
        *("a", "b", "*args", "**kwargs")
    ]


def test_members_are_methods_as_listed():
    assert inspect.isclass(find("azureml.core.run.Run"))
    assert kind_of(find("azureml.core.run.Run"), "get_context") == "class"


@pytest.mark.parametrize(
    "alias", sorted(a for each in LISTED.values() for a in each.get("aliases") or ())
)
def test_every_alias_can_be_imported(alias):
    assert find(alias) is not None

"""The classes, methods, parameters, properties and constants of the SDK v1, compared exactly.

``signatures.json`` lists them. All that is public is here; what is refused is listed below, and on
the page.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import json
import re
import types
from collections.abc import Iterator
from pathlib import Path

import exact_signatures
import pytest

from scriptrun.core.datastore import Datastore
from scriptrun.core.experiment import Experiment
from scriptrun.core.model import Model
from scriptrun.core.workspace import Workspace
from scriptrun.dropin import finder
from scriptrun.dropin.azureml import compute, provisioning
from scriptrun.spec.errors import ScriptrunError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BOARD = json.loads((HERE / "signatures_tensorboard.json").read_text("utf-8"))
LISTED = {
    **json.loads((HERE / "signatures.json").read_text("utf-8")),
    **{full: facts for full, facts in BOARD.items() if "functions" not in facts},
}

#: classes that old code gets from other calls, and never constructs: only the SDK calls them
MADE_BY_THE_SDK = {
    "from Dataset.File, Dataset.Tabular and Dataset.get_by_name": [
        "azureml.core.dataset.Dataset",
        "azureml.data.abstract_dataset.AbstractDataset",
        "azureml.data.file_dataset.FileDataset",
        "azureml.data.tabular_dataset.TabularDataset",
    ],
    "from Datastore.register_... and Datastore.get": [
        "azureml.data.abstract_datastore.AbstractDatastore",
        "azureml.data.azure_data_lake_datastore.AzureDataLakeGen2Datastore",
        "azureml.data.azure_storage_datastore.AzureBlobDatastore",
        "azureml.data.azure_storage_datastore.AzureFileDatastore",
    ],
    "from mount": [
        "azureml.data.context_managers.DatasetContextManager",
        "azureml.data.context_managers.DatastoreContextManager",
    ],
    "from Environment.build and get_image_details": [
        "azureml.core.environment.DockerImageDetails",
        "azureml.core.environment.ImageBuildDetails",
    ],
    "from get_status": [
        "azureml.core.compute.amlcompute.AmlComputeStatus",
        "azureml.core.compute.computeinstance.ComputeInstanceStatus",
    ],
    "from provisioning_configuration": [
        "azureml.core.compute.amlcompute.AmlComputeProvisioningConfiguration",
        "azureml.core.compute.compute.ComputeTargetProvisioningConfiguration",
        "azureml.core.compute.computeinstance.ComputeInstanceProvisioningConfiguration",
    ],
    "from Experiment.submit": ["azureml.core.script_run.ScriptRun"],
    "nowhere: it is the base of others": [
        "azureml.core.compute_target.AbstractComputeTarget",
        "azureml.train.estimator._mml_base_estimator.MMLBaseEstimator",
    ],
}
OF_THE_SDK = {name for names in MADE_BY_THE_SDK.values() for name in names}
#: what the list says of v1 by mistake, or says of the SDK's own connection to Azure
NOT_COMPARED = {
    "azureml.core.script_run.ScriptRun.list": "the list has that of Model.list",
    "azureml.train.hyperdrive.run.HyperDriveRun.list": "the list has that of Model.list",
    "azureml.train.hyperdrive.runconfig.HyperDriveRunConfig": "either order; tested below",
    "azureml.core.environment.ImageBuildDetails.environment_client": "the SDK's own connection",
    "azureml.core.datastore.Datastore.workspace": "an instance is of the class of its kind",
    "azureml.core.datastore.Datastore.name": "an instance is of the class of its kind",
    "azureml.data.abstract_dataset.AbstractDataset.File": "Dataset.File; the classes here differ",
    "azureml.data.abstract_dataset.AbstractDataset.Tabular": "Dataset.Tabular; as above",
    "azureml.core.environment.Environment.name": "the list has the name of the one that was made",
}


@pytest.fixture(autouse=True)
def enabled():
    finder.enable()


def find(full: str) -> type:
    module, _, name = full.rpartition(".")
    found: type = getattr(importlib.import_module(module), name)
    return found


def is_refused(found: object) -> bool:
    """Whether a class or method is there only to say what to use instead."""
    sentence = found.__doc__ or ""
    return " is not supported by scriptrun. " in sentence or sentence.startswith("Not supported. ")


def findings() -> Iterator[tuple[str, str]]:
    """Each listed class and method, with what is wrong ("" if it is there; "refused")."""
    for full, listed in LISTED.items():
        found = find(full)
        methods = {name: each for name, each in listed["methods"].items() if name != "__new__"}
        if is_refused(found):
            yield full, "refused"
            yield from ((f"{full}.{method}", "refused") for method in methods)
            continue
        yield full, constructor_problem(full, found, listed.get("init"))
        for method, signature in methods.items():
            name = f"{full}.{method}"
            yield name, "" if name in NOT_COMPARED else method_problem(found, method, signature)


def constructor_problem(full: str, found: type, signature: str | None) -> str:
    if not signature or full in OF_THE_SDK or full in NOT_COMPARED:
        return ""
    if issubclass(found, ScriptrunError):  # the first is called ``message`` here
        error = found("text", None) if "exception=" in signature else found("text")
        assert error.message == "text"
        signature = signature.replace("exception_message", "message", 1)
    return exact_signatures.problem(found, signature)


def method_problem(found: type, method: str, signature: str) -> str:
    if not hasattr(found, method):
        return "missing"
    if isinstance(inspect.getattr_static(found, method), types.WrapperDescriptorType):
        return ""  # Python's own
    call = exact_signatures.bound(found, method)
    return "refused" if is_refused(call) else exact_signatures.problem(call, signature)


def test_all_that_is_public_is_accepted_and_the_page_says_how_many():
    found = dict(findings())
    assert len(found) > 800
    assert {name: why for name, why in found.items() if why not in ("", "refused")} == {}
    refused = sorted(name for name, why in found.items() if why == "refused")
    said = f"{len(found)} of {len(found)} classes and methods, {len(refused)} of which are refused"
    page = " ".join((ROOT / "docs" / "reference" / "dropin.md").read_text("utf-8").split())
    assert said in page, f"the page should say {said}"
    members = [name for name in refused if name.rpartition(".")[0] not in refused]
    missing = [name for name in members if not is_on_the_page(name, page)]
    assert missing == []


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


def test_properties_and_attributes_are_there(tmp_path):
    instances = dict(made(tmp_path))
    missing = []
    for full, listed in LISTED.items():
        found = find(full)
        if is_refused(found):
            continue
        instance = instances.get(found)
        for name, is_shown in present(found, listed):
            if f"{full}.{name}" in NOT_COMPARED or is_shown:
                continue
            if instance is None or not hasattr(instance, name):
                missing.append(f"{full}.{name}")
    assert missing == []


def made(folder: Path) -> Iterator[tuple[type, object]]:
    """Real instances of the classes whose attributes come from what they were made with."""
    workspace = Workspace.create("all", path=folder)
    (folder / "model.txt").write_text("1")
    yield Model, Model.register(workspace, str(folder / "model.txt"), "m")
    blob = Datastore.register_azure_blob_container(workspace, "b", "c", "a", skip_validation=True)
    share = Datastore.register_azure_file_share(workspace, "f", "s", "a")
    lake = Datastore.register_azure_data_lake_gen2(workspace, "l", "c", "a")
    for store in (blob, share, lake):
        yield type(store), store
    for configuration in (
        provisioning.cluster("STANDARD_D2_V2", max_nodes=1),
        provisioning.machine("STANDARD_D2_V2"),
        provisioning.ComputeTargetProvisioningConfiguration(type="x", location="y"),
    ):
        yield type(configuration), configuration
    target = compute.ComputeTarget.create(
        workspace, "cpu", provisioning.cluster("STANDARD_D2_V2", max_nodes=1)
    )
    yield compute.AmlCompute, target
    yield Experiment, Experiment(workspace, "e")


@pytest.mark.parametrize("full", sorted(LISTED))
def test_properties_can_be_set_where_v1_lets_them(full):
    found = find(full)
    if is_refused(found):
        return
    for name in LISTED[full].get("settable_properties") or ():
        value = inspect.getattr_static(found, name, None)
        assert not isinstance(value, property) or value.fset is not None, name


@pytest.mark.parametrize("full", sorted(LISTED))
def test_constants_are_those_of_v1(full):
    found = find(full)
    if is_refused(found):
        return
    for name, value in (LISTED[full].get("constants") or {}).items():
        if f"{full}.{name}" in NOT_COMPARED:
            continue
        here = getattr(found, name)
        if isinstance(value, str) and value.startswith("<"):  # an object of the SDK
            continue
        here = here.value if isinstance(here, enum.Enum) else here
        assert str(here).lower() == str(value).lower(), name


@pytest.mark.parametrize("full", sorted(LISTED))
def test_methods_that_need_no_instance_need_none_here(full):
    found = find(full)
    if is_refused(found):
        return
    for method in LISTED[full].get("method_kinds") or ():
        assert isinstance(inspect.getattr_static(found, method), staticmethod | classmethod), method


@pytest.mark.parametrize("full", sorted(LISTED))
def test_new_values_have_v1s_defaults(full):
    found = find(full)
    if is_refused(found) or not LISTED[full].get("field_defaults"):
        return
    required = [
        name for name, default, _ in exact_signatures.taken(found)
        if default is exact_signatures.REQUIRED
    ]  # fmt: skip
    instance = found(*(["x"] * len(required)))
    for name, value in LISTED[full]["field_defaults"].items():
        if name.startswith("_") or f"{full}.{name}" in NOT_COMPARED:
            continue
        here = getattr(instance, name)
        if isinstance(value, str) and value.startswith("<"):  # a section, by its class
            assert not isinstance(here, str | None)
        else:
            assert exact_signatures.as_list(here) == exact_signatures.as_list(value), name


@pytest.mark.parametrize(
    ("alias", "first"),
    sorted((alias, full) for full, facts in LISTED.items() for alias in facts.get("aliases") or ()),
)
def test_every_alias_is_the_same_class(alias, first):
    assert find(alias) is find(first) or is_refused(find(first))


def test_the_checker_sees_what_differs():
    def call(workspace, max_nodes=None, *, tags=1, **kwargs):
        pass

    problem = exact_signatures.problem
    assert problem(call, "(workspace, max_nodes=None, *, tags=1)") == ""
    assert problem(call, "(workspace, max_nodes=SOME_CONSTANT, _private=1)") == ""
    assert problem(call, "(workspace=None, max_nodes=None)") == "requires workspace"
    assert problem(call, "(workspace, max_nodes=3)") == "max_nodes=None instead of 3"
    assert problem(call, "(workspace, *names)") == "does not take *"
    assert problem(call, "(workspace, *, other=1)") == "does not take ['other']"
    assert problem(call, "()") == "also requires ['workspace']"
    for other in ("(max_nodes, workspace)", "(workspace, max=None)"):
        assert "instead of" in problem(call, other)

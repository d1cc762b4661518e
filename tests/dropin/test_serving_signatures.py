"""The SDK v1's names for serving, compared exactly: classes, bases, methods and parameters in order.

``signatures_inference.json`` lists them. What follows v1's own parameters must be optional.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from pathlib import Path

import pytest

from scriptrun.dropin import finder
from scriptrun.runtime.serving import aml_request
from scriptrun.spec import values
from scriptrun.spec.values import Value

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EVERYTHING = json.loads((HERE / "signatures_inference.json").read_text("utf-8"))
LISTED = {name: facts for name, facts in EVERYTHING.items() if name.startswith("azureml.")}

#: what is not supported, and says what to do instead
LEFT_OUT = {
    "azureml.core.model.InferenceConfig.build_create_payload",
    "azureml.core.model.InferenceConfig.build_profile_payload",
    "azureml.core.model.InferenceConfig.validation_script_content",
    "azureml.core.profile.ModelProfile",
    "azureml.core.model.Model.get_sas_urls",
    "azureml.core.model.ModelPackage.get_container_registry",
    "azureml.core.webservice.aks.AksEndpoint.create_version",
    "azureml.core.webservice.aks.AksEndpoint.delete_version",
    "azureml.core.webservice.aks.AksEndpoint.update_version",
}
#: objects that only the SDK itself created, from Azure's answers: they have other constructors here
MADE_BY_THE_SDK = {"azureml.core.model.ModelPackage"}
#: declared by v1's abstract class only: each kind of service has its own
ABSTRACT = {
    "azureml.core.webservice.webservice.Webservice.run",
    "azureml.core.webservice.webservice.Webservice.update",
}
#: parameters that ours take after v1's
EXTRA = {
    "azureml.core.model.Model.deploy": ["pins"],
    "azureml.core.model.Model.register": ["**kwargs"],
    "azureml.core.webservice.local.LocalWebservice.regen_key": ["set_key"],
    "azureml.core.webservice.local.LocalWebservice.wait_for_deployment": ["timeout_sec"],
}


@pytest.fixture(autouse=True)
def enabled():
    finder.enable()


def listed(signature: str) -> list[tuple[str, bool]]:
    """The parameters of a listed signature: name (with stars), and whether it may be left out."""
    parts = re.split(r",\s*", signature[1:-1]) if signature != "()" else []
    return [(part.partition("=")[0], "=" in part or part.startswith("*")) for part in parts]


def taken(call: object) -> list[tuple[str, bool]]:
    """The same of a function or a class here, without ``self``."""
    if isinstance(call, type) and issubclass(call, Value):
        return [(name, default is not values._MISSING) for name, default in call._fields.items()]
    if isinstance(call, type):
        return taken(call.__init__)[1:]
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [
        (stars.get(each.kind, "") + name, each.default is not each.empty or each.kind in stars)
        for name, each in inspect.signature(call).parameters.items()
    ]


def problem(call: object, signature: str, extra: list[str]) -> str:
    """How ``call`` differs from the listed signature; "" if it accepts all calls of it."""
    theirs, ours = listed(signature), taken(call)
    names = [name for name, _ in ours]
    if names != [name for name, _ in theirs] + extra:
        return f"{names} instead of {[name for name, _ in theirs]}"
    required = [name for name, optional in ours if not optional]
    too_strict = [name for name, optional in theirs if optional and name in required]
    return f"requires {too_strict}" if too_strict else ""


def find(full: str) -> object:
    module, _, name = full.rpartition(".")
    return getattr(importlib.import_module(module), name)


def cases():
    for full, facts in LISTED.items():
        if full in LEFT_OUT:
            continue
        if facts.get("init") and full not in MADE_BY_THE_SDK:
            yield full, "", facts["init"]
        for method, signature in (facts.get("methods") or {}).items():
            if f"{full}.{method}" not in LEFT_OUT | ABSTRACT:
                yield full, method, signature


@pytest.mark.parametrize(("full", "method", "signature"), list(cases()))
def test_a_call_that_v1_accepts_is_accepted(full, method, signature):
    owner = find(full)
    if not method:
        assert problem(owner, signature, EXTRA.get(full, [])) == ""
        return
    assert hasattr(owner, method), f"{method} is missing"
    call = getattr(owner, method)
    if inspect.isfunction(inspect.getattr_static(owner, method)):
        call = call.__get__(object())  # without self
    assert problem(call, signature, EXTRA.get(f"{full}.{method}", [])) == ""


@pytest.mark.parametrize("full", sorted(LEFT_OUT))
def test_what_is_left_out_says_what_to_do(full):
    owner, _, method = full.rpartition(".")
    call = find(full) if full in LISTED else getattr(find(owner), method)
    with pytest.raises(NotImplementedError, match=r"is not supported by scriptrun\. \w"):
        call()


@pytest.mark.parametrize("full", sorted(LISTED))
def test_classes_derive_from_v1s_bases(full):
    if full in LEFT_OUT:
        return
    known = {name.rpartition(".")[2]: name for name in LISTED}
    for base in LISTED[full].get("bases") or ():
        if base in known:
            assert issubclass(find(full), find(known[base]))


@pytest.mark.parametrize("full", sorted(LISTED))
def test_constants_are_those_of_v1(full):
    for name, value in (LISTED[full].get("constants") or {}).items():
        assert getattr(find(full), name) == value


@pytest.mark.parametrize(
    ("alias", "first"),
    sorted((alias, full) for full, facts in LISTED.items() for alias in facts.get("aliases") or ()),
)
def test_every_alias_is_the_same_class(alias, first):
    assert find(alias) is find(first)


@pytest.mark.parametrize("full", sorted(LISTED))
def test_properties_are_there(full):
    for name in LISTED[full].get("properties") or ():
        assert isinstance(inspect.getattr_static(find(full), name), property)


def test_the_request_and_the_response_of_entry_scripts():
    for name, module in (("rawhttp", "aml_request"), ("AMLRequest", "aml_request"),
                         ("AMLResponse", "aml_response")):  # fmt: skip
        assert find(f"azureml.contrib.services.{module}.{name}") is getattr(aml_request, name)
    api = "azureml_inference_server_http.api."
    signature = EVERYTHING[f"{api}aml_response.AMLResponse"]["init"]
    assert problem(aml_request.AMLResponse, signature, []) == ""
    rawhttp = EVERYTHING[f"{api}aml_request"]["functions"]["rawhttp"]
    assert len(taken(aml_request.rawhttp)) == len(listed(rawhttp))


def test_the_checker_sees_what_differs():
    def call(workspace, max_nodes=None, **kwargs):
        pass

    assert problem(call, "(workspace, max_nodes=None, **kwargs)", []) == ""
    assert problem(call, "(workspace, max_nodes=None)", ["**kwargs"]) == ""
    assert problem(call, "(workspace=None, max_nodes=None, **kwargs)", []) == (
        "requires ['workspace']"
    )
    for other in ("(workspace, max=None, **kwargs)", "(max_nodes, workspace)", "(workspace)", "()"):
        assert "instead of" in problem(call, other, [])


def test_the_page_says_how_many():
    count = sum(1 + len(facts.get("methods") or {}) for facts in LISTED.values())
    done = count - sum(
        1 if name not in LISTED else 1 + len(LISTED[name].get("methods") or {}) for name in LEFT_OUT
    )
    page = (ROOT / "docs" / "reference" / "dropin.md").read_text("utf-8")
    assert f"{done} of {count} classes and methods for serving" in page

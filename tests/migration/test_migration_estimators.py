"""Estimators become the ScriptRunConfig that stands for the same job."""

from __future__ import annotations

import ast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.migration.versions import jobs, migrated

from scriptrun.core.workspace import Workspace
from scriptrun.migration.findings import NEEDS_REVIEW, REWRITTEN

HEAD = """\
import os
from azureml.core import Environment, Workspace
from azureml.core.container_registry import ContainerRegistry
from azureml.core.runconfig import MpiConfiguration, PyTorchConfiguration, TensorflowConfiguration
from azureml.train.dnn import Chainer, Gloo, Mpi, Nccl, ParameterServer, PyTorch, TensorFlow
from azureml.train.estimator import Estimator
from azureml.train.sklearn import SKLearn

ws = Workspace.from_config()
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory, azureml):
    """A workspace, and a source directory with files of packages."""
    root = tmp_path_factory.mktemp("project")
    Workspace.create("place", path=root)
    (root / "src").mkdir()
    (root / "src" / "pip.txt").write_text("tqdm==4.1\nrich\n")
    (root / "src" / "conda.yml").write_text("dependencies:\n- python=3.8\n- pip:\n  - attrs\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("SCRIPTRUN_WORKSPACE", str(root))
        yield root


@pytest.fixture(autouse=True)
def in_place(place, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_WORKSPACE", str(place))


def same(text: str, to: str = "azureml") -> str:
    """The rewritten program, which leaves no Estimator and says the same jobs."""
    outcome = migrated(text, to)
    new = outcome.new.decode()
    assert outcome.is_changed, outcome.findings
    called = {node.func.id for node in ast.walk(ast.parse(new)) if is_call_of_name(node)}
    assert not called & {"Estimator", "PyTorch", "TensorFlow", "Chainer", "SKLearn"}, new
    before = jobs(text)
    assert before
    after = jobs(new)
    assert {name: after.get(name) for name in before} == before, new
    again = migrated(new, to)
    assert not again.is_changed, again.diff
    return new


def is_call_of_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


#: each parameter of an Estimator, in the ways in which it is given
EACH = {
    "script_params": [
        "{'--a': 1, '--b': '', '--c': None, '--d': ['x', 2], '--e': 0.5}",
        "{}",
        "None",
    ],
    "node_count": ["1"],
    "process_count_per_node": ["1"],
    "distributed_training": [
        "Mpi()",
        "Mpi(process_count_per_node=4)",
        "MpiConfiguration(2, 3)",
        "ParameterServer(worker_count=2, parameter_server_count=1)",
        "Nccl()",
        "Gloo()",
        "PyTorchConfiguration('Gloo', node_count=2)",
        "TensorflowConfiguration(worker_count=3, parameter_server_count=0)",
    ],
    "distributed_backend": ["'mpi'", "'ps'", "'nccl'", "None"],
    "use_gpu": ["True", "False"],
    "use_docker": ["True", "False"],
    "custom_docker_base_image": ["'me/base:1'"],
    "custom_docker_image": ["'me/image:2'", "None"],
    "image_registry_details": ["ContainerRegistry()"],
    "user_managed": ["True", "False"],
    "conda_packages": ["['numpy', 'scipy=1.2']", "None"],
    "pip_packages": ["['tqdm', \"rich\"]", "[]", "['a', 'b', 'c', 'd', 'e', 'f']"],
    "conda_dependencies_file": ["'conda.yml'"],
    "conda_dependencies_file_path": ["'conda.yml'"],
    "pip_requirements_file": ["'pip.txt'"],
    "pip_requirements_file_path": ["'pip.txt'"],
    "environment_variables": ["{'A': '1'}", "{}", "None"],
    "environment_definition": ["Environment('mine')"],
    "shm_size": ["'8g'"],
    "vm_size": ["'STANDARD_NC6'", "None"],
    "vm_priority": ["'dedicated'"],
    "source_directory_data_store": ["ws.get_default_datastore()", "None"],
    "max_run_duration_seconds": ["600", "None"],
    "resume_from": ["'old/outputs'", "None"],
    "inputs": ["None", "[]"],
}
WAYS = [(name, text) for name, texts in EACH.items() for text in texts]


@pytest.mark.parametrize(("name", "text"), WAYS, ids=[f"{n}={t[:24]}" for n, t in WAYS])
@pytest.mark.parametrize("cls", ["Estimator", "PyTorch"])
def test_each_parameter(cls, name, text):
    same(f"{HEAD}est = {cls}('src', compute_target='c', entry_script='t.py', {name}={text})\n")


@pytest.mark.parametrize("cls", ["PyTorch", "TensorFlow", "Chainer", "SKLearn"])
@pytest.mark.parametrize("gpu", ["True", "False", "bool(os.environ)"])
def test_a_framework_asks_for_its_curated_environment(cls, gpu):
    code = f"{HEAD}est = {cls}(source_directory='src', compute_target='c', use_gpu={gpu})\n"
    new = same(code.replace("use_gpu", "entry_script='t.py', use_gpu"))
    assert "Environment.get(workspace=ws, name=" in new


def test_without_a_workspace_its_packages_are_spelled_out():
    code = HEAD.replace("ws = Workspace.from_config()\n", "") + (
        "def make(target):\n"
        "    return PyTorch('src', compute_target=target, entry_script='t.py',\n"
        "                   framework_version='1.6')\n"
        "est = make('c')\n"
    )
    new = same(code)
    assert "torch==1.6" in new


@pytest.mark.parametrize("made", ["Mpi()", "MpiConfiguration()"])
@pytest.mark.parametrize("more", ["", ", node_count=2", ", node_count=2, process_count_per_node=3"])
def test_a_configuration_that_is_changed_after_it_is_made(made, more):
    same(
        f"{HEAD}mpi = {made}\nmpi.process_count_per_node = 2\n"
        f"est = PyTorch('src', compute_target='c', entry_script='t.py', distributed_training=mpi{more})\n"
    )


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=6)
VALUES = st.one_of(
    st.none(),
    st.integers(),
    st.booleans(),
    TEXTS,
    st.lists(st.one_of(st.integers(), TEXTS), max_size=3),
)
PARAMS = st.dictionaries(TEXTS.filter(bool), VALUES, max_size=4)
PACKAGES = st.lists(
    st.sampled_from(["tqdm", "rich==13.0", "attrs", "click"]), unique=True, max_size=4
)
CONDA = st.lists(st.sampled_from(["numpy", "scipy=1.2", "python=3.7"]), unique=True, max_size=2)
CALLS = st.fixed_dictionaries(
    {
        "source_directory": st.just("src"),
        "compute_target": st.just("c"),
        "entry_script": st.just("t.py"),
    },
    optional={
        "script_params": PARAMS,
        "pip_packages": PACKAGES,
        "conda_packages": CONDA,
        "use_gpu": st.booleans(),
        "user_managed": st.booleans(),
        "custom_docker_image": st.sampled_from(["me/image:1", "", None]),
        "environment_variables": st.dictionaries(st.sampled_from(["A", "B"]), TEXTS),
        "shm_size": st.sampled_from(["1g", None]),
        "max_run_duration_seconds": st.sampled_from([60, None]),
        "conda_dependencies_file": st.sampled_from(["conda.yml", None]),
        "pip_requirements_file": st.sampled_from(["pip.txt", None]),
    },
)
SPREAD = st.fixed_dictionaries(
    {"node_count": st.integers(1, 3), "process_count_per_node": st.integers(1, 3)},
    optional={"distributed_backend": st.sampled_from(["mpi", "nccl", "gloo"])},
)
LAYOUTS = (
    *(
        "line",
        "lines",
        "aligned",
        "leading",
        "kwargs",
        "tuple",
        "variables",
        "again",
        "alias",
        "pair",
    ),
    "function",
)


def written(cls: str, given: dict, layout: str, comment: str) -> str:
    """A program that makes an Estimator of the settings ``given``."""
    pairs = [f"{name}={value!r}" for name, value in given.items()]
    if layout == "line":
        return f"est = {cls}({', '.join(pairs)})\n"
    if layout == "lines":
        inner = "".join(f"    # about {n}\n    {pair},{comment}\n" for n, pair in enumerate(pairs))
        return f"est = {cls}(\n{inner})\n"
    if layout == "aligned":
        indent = " " * len(f"est = {cls}(")
        return f"est = {cls}({f',{comment}{chr(10)}{indent}'.join(pairs)})\n"
    if layout == "kwargs":
        return f"settings = {given!r}\nest = {cls}(**settings)\n"
    if layout == "pair":
        other = "'src', compute_target='c', entry_script='t.py', pip_packages=['tqdm', 'rich']"
        return f"first, est = {cls}({other}), {cls}({', '.join(pairs)})\n"
    if layout == "leading":
        inner = "".join(f"\n    , {pair}{comment}" for pair in pairs[1:])
        return f"est = {cls}(\n      {pairs[0]}{inner}\n    , **{{}}\n)\n"
    if layout == "tuple":
        return f"name, settings = 'x', {given!r}\nest = {cls}(**settings)\n"
    if layout == "alias":
        return f"Kind = {cls}\nest = Kind({', '.join(pairs)})\n"
    if layout in ("variables", "again"):
        made = "".join(f"{name}_1 = {value!r}\n" for name, value in given.items())
        call = f"{cls}({', '.join(f'{name}={name}_1' for name in given)})"
        again = f"{made}est = {call}\n"
        return again if layout == "variables" else f"{made}first = {call}\n{again}"
    names = [
        name for name in given if name not in ("pip_requirements_file", "conda_dependencies_file")
    ]
    fixed = [f"{name}={value!r}" for name, value in given.items() if name not in names]
    return (
        f"def make({', '.join(names)}):\n"
        f"    return {cls}({', '.join([*fixed, *(f'{name}={name}' for name in names)])})\n"
        f"est = make(**{ {name: given[name] for name in names}!r})\n"
    )


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cls=st.sampled_from(["Estimator", "PyTorch", "TensorFlow", "SKLearn"]),
    call=CALLS,
    several=SPREAD,
    layout=st.sampled_from(LAYOUTS),
    comment=st.sampled_from(["", "  # why"]),
)
def test_generated_calls_say_the_same_job(place, cls, call, several, layout, comment):
    whole = {**call, **(several if "distributed_backend" in several else {})}
    text = HEAD + written(cls, whole, layout, comment)
    outcome = migrated(text)
    new = outcome.new.decode()
    compile(new, "new", "exec")
    kinds = {each.kind for each in outcome.findings if each.what in (cls, "Kind")}
    assert kinds == {REWRITTEN} or (layout == "function" and kinds == {NEEDS_REVIEW}), (
        outcome.findings
    )
    assert jobs(new) == jobs(text), new
    assert all(new.count(mark) == text.count(mark) for mark in ("# about", "# why")), new
    again = migrated(new)
    assert not again.is_changed, again.diff


INIT = "super().__init__(source_directory='src', compute_target=target, entry_script='t.py'"
KIND = f"class Ours(PyTorch):\n    def __init__(self, target):\n        {INIT})\n"


@pytest.mark.parametrize(
    "kind",
    [
        KIND,
        KIND.replace("super()", "super(Ours, self)"),
        KIND.replace("        super", "        'Text.'\n        super").replace(
            "'t.py'", "'t.py', pip_packages=['six'], source_directory_data_store='s'"
        ),
        KIND.replace(
            "'t.py'",
            "'t.py', script_params={'--t': str(target)}, node_count=2, distributed_training=Mpi()",
        ),
    ],
)
def test_a_kind_that_only_has_settings_of_its_own_becomes_one_of_script_run_config(kind):
    new = same(f"{HEAD}{kind}e = Ours('a')\ndef make(t):\n    return Ours(t)\nf = make('b')\n")
    assert "class Ours(ScriptRunConfig):" in new


@pytest.mark.parametrize(
    "code",
    [
        KIND + "    x = 1\n",
        KIND + "        self.x = 1\n",
        KIND + "known = [Ours]\n",
        KIND + "class Theirs(Ours): pass\n",
        "@some\n" + KIND,
        KIND.replace("(PyTorch)", "(PyTorch, Mixin)"),
        KIND.replace("def __init__", "def start"),
    ],
)
def test_other_kinds_need_a_look(code):
    outcome = migrated(HEAD + code)
    assert not outcome.is_changed and (NEEDS_REVIEW, "class Ours") in {
        (each.kind, each.what) for each in outcome.findings
    }

"""What a migration knows of a program: whose names, which data, which settings, and what it leaves."""

from __future__ import annotations

import ast
import importlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scriptrun
from scriptrun import exceptions
from scriptrun.cli import migrate
from scriptrun.config import frameworks
from scriptrun.migration import (
    azureml_imports,
    datastores,
    loaded_runconfigs,
    references,
    rewrite_program,
    runconfig_precedence,
    runconfigs,
    workspace_usage,
)
from scriptrun.migration.code.edits import apply
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators import call as estimator_call
from scriptrun.migration.estimators import (
    class_references,
    conversion,
    distributed_training,
    environment,
    usages,
)
from scriptrun.migration.findings import LEFT_ALONE, NEEDS_REVIEW, REWRITTEN


def call_named(program, name):
    return next(each for each in program.calls if program.source(each.func) == name)


def given_to(program, name="use"):
    return call_named(program, name).args[0].value


# imports

MODULES = ("azureml.core", "azureml.core.run", "azureml.data", "azureml.exceptions")


@pytest.mark.parametrize("module", [*MODULES, "azureml.train.hyperdrive", "azureml._vendor"])
def test_what_has_a_home_is_there(module):
    names = {*scriptrun.__all__, *exceptions.__all__, "Image", "get_logger"}
    homes = {name: azureml_imports.scriptrun_module(module, name) for name in names}
    assert any(homes.values()) and not homes["Image"] and not homes["get_logger"]
    for name, home in homes.items():
        assert not home or hasattr(importlib.import_module(home), name), (name, home)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("azureml.core.runconfig", "Dataset"),
        ("azureml.pipeline.core", "Run"),
        ("azureml.train.hyperdrive", "Nothing"),
        ("elsewhere.core", "Run"),
        ("azureml.core", "exceptions"),
    ],
)
def test_what_means_something_else_has_no_home(module, name):
    assert azureml_imports.scriptrun_module(module, name) == ""


IMPORTED = st.lists(
    st.tuples(
        st.sampled_from(
            ["Run", "Experiment", "Image", "Dataset", "Webservice", "Model", "Workspace"]
        ),
        st.sampled_from(["", " as x{0}"]),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda each: each[0],
)
FORMS = ("from azureml.core import {}", "from azureml.core import (\n    {}\n)")


@settings(max_examples=80)
@given(
    IMPORTED,
    st.sampled_from(FORMS),
    st.sampled_from(["", "if x:\n    "]),
    st.sampled_from(["", "\r"]),
)
def test_an_import_that_moves_binds_the_same_names(names, form, before, end):
    between = ",  # c\n    " if "(" in form else ", "
    words = between.join(name + other.format(at) for at, (name, other) in enumerate(names))
    text = f"{before}{form.format(words)}\n".replace("\n", end + "\n")
    made = azureml_imports.move(Program(text), migrate.alternative)
    new = apply(text, made.edits)
    bound = {}
    for node in ast.walk(ast.parse(new)):
        if isinstance(node, ast.ImportFrom):
            bound |= {each.asname or each.name: (node.module, each.name) for each in node.names}
    locals_ = {other.format(at)[4:] or name: name for at, (name, other) in enumerate(names)}
    assert {local: name for local, (_, name) in bound.items()} == locals_
    for module, name in bound.values():
        home = azureml_imports.scriptrun_module("azureml.core", name)
        assert module == (home or "azureml.core")
    left = any(not azureml_imports.scriptrun_module("azureml.core", name) for name, _ in names)
    assert ("import scriptrun.dropin" in new) is left
    assert not end or "\n" not in new.replace("\r\n", "")


@pytest.mark.parametrize(
    ("use", "problem"),
    [
        ("print(ws.name, ws.linked_services)", "linked_services"),
        ("print(ws.name, ws.datastores)", ""),
        ("for t in ws.compute_targets: pass", "compute target"),
        ("t = ws.compute_targets['c']\nprint(t.name)", ""),
        ("t = ws.compute_targets['c']\nt.delete()", "compute target"),
        ("ws.compute_targets['c'].get_status()", "compute target"),
        ("print('c' in ws.compute_targets)", ""),
        ("print(ws.compute_targets.keys())", ""),
        ("def f(w):\n    w.linked_services\nf(ws)", "linked_services"),
        ("def f(a, w):\n    w.linked_services\nf(1, w=ws)", "linked_services"),
        ("def f():\n    return ws\nf().linked_services", "linked_services"),
        (
            "class A:\n    def __init__(self, w):\n        self.w = w\nA(ws)\nA(ws).w.linked_services",
            "linked_services",
        ),
        ("other.linked_services", ""),
    ],
)
def test_a_workspace_is_followed_to_what_is_asked_of_it(use, problem):
    program = Program(f"from azureml.core import Workspace\nws = Workspace.from_config()\n{use}\n")
    found = workspace_usage.find_dropin_use(program, "Workspace")
    assert (problem in found) if problem else found == ""


# data

DATA = (
    "from azureml.core import Datastore, Workspace\n"
    "from azureml.data.data_reference import DataReference\n"
    "ds = Datastore.get(ws, 'x')\n"
)


@pytest.mark.parametrize(
    ("text", "name", "made"),
    [
        ("use(ds.path('a').as_mount())", "data_ref", "ds.path('a').as_mount()"),
        ("use(ws.datastores['x'].as_download())", "data_ref", "ws.datastores['x'].as_download()"),
        ("use(DataReference(ds))", "data_ref", "DataReference(ds)"),
        ("use(thing.as_upload())", "data_ref", "thing.as_upload()"),
        ("r = ws.get_default_datastore().as_mount()\nuse(r)", "r", ""),
        ("data_ref = 1\nuse(ds.as_mount())", "data_ref_2", "ds.as_mount()"),
    ],
)
def test_references_and_their_names(text, name, made):
    program = Program(DATA + text + "\n")
    assert datastores.find_reference(program, given_to(program)) == (name, made)


@pytest.mark.parametrize(
    "text",
    [
        "use(dataset.as_mount())",
        "use(ds.path('a'))",
        "use(x)",
        "use(as_mount())",
        "use(f(ds).as_mount())",
    ],
)
def test_what_may_be_a_dataset_is_no_reference(text):
    program = Program(DATA + text + "\n")
    assert datastores.find_reference(program, given_to(program)) is None


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("use(ds)", True),
        ("use(ws.datastores['x'])", True),
        ("use(ds.path('a'))", False),
        ("other = ds\nuse(other)", True),
        ("use(x)", False),
        ("a = b\nb = a\nuse(a)", False),
    ],
)
def test_datastores_are_told_from_paths(text, is_one):
    program = Program(DATA + text + "\n")
    assert datastores.is_datastore(program, given_to(program)) is is_one


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("use(d.as_named_input('n'))", "'n'"),
        ("use(d.as_named_input('n').as_mount('/p'))", "'n'"),
        ("i = d.as_named_input(name)\nuse(i.as_download())", "name"),
        ("use(d.as_named_input('n').other())", ""),
        ("use(d.as_named_input('n', 1))", ""),
        ("use(d.as_mount())", ""),
    ],
)
def test_names_of_inputs(text, name):
    program = Program(text + "\n")
    assert datastores.input_name(program, given_to(program)) == name


CONFIG = "c = ScriptRunConfig('.', script='t.py', arguments=[{}])\n"


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("", ""),
        ("Dataset = 1\n", "for something else"),
        ("from mine import Dataset\n", "for something else"),
        ("from azureml.core import Dataset\n", ""),
    ],
)
def test_a_dataset_needs_its_name(head, reason):
    text = DATA + "from azureml.core import ScriptRunConfig\n" + head
    text += CONFIG.format("ds.path('a').as_download()")
    made = references.rewrite(Program(text))
    new = apply(text, made.edits)
    (told,) = made.findings
    assert (told.kind, new == text) == ((LEFT_ALONE, True) if reason else (REWRITTEN, False))
    assert reason in told.reason
    if not reason:
        assert "Dataset.File.from_files((ds, 'a'), validate=False).as_download()" in new
        assert "Dataset" in new.partition("\nc =")[0]
        assert references.rewrite(Program(new)).edits == []


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ("ds.path(*a).as_download()", "uncertain"),
        ("ds.path().as_download()", "the datastore's"),
        ("ds.path('a').as_download(  # c\n    )", "comment"),
        ("ds.path('a').as_download(**k)", "overwrite"),
        ("DataReference(datastore=ds, mode=m)", "may not download"),
        ("DataReference(datastore=ds, mode='download', data_reference_name='n')", "a name"),
        ("DataReference(datastore=ds, mode='download', overwrite=True)", "overwrite"),
        ("DataReference(datastore=ds, mode='download')", "datastore's"),
    ],
)
def test_references_that_say_more_than_a_dataset_stay(made, reason):
    text = DATA + "from azureml.core import ScriptRunConfig\n" + CONFIG.format(made)
    result = references.rewrite(Program(text))
    assert result.edits == []
    assert [each.kind for each in result.findings] == [LEFT_ALONE] and reason in result.findings[
        0
    ].reason


# estimators

HEAD = (
    "from azureml.train.dnn import Mpi, Nccl, ParameterServer, PyTorch\n"
    "from azureml.train.estimator import Estimator\n"
    "from azureml.core.runconfig import MpiConfiguration, PyTorchConfiguration\n"
)


def read(text, head=HEAD):
    program = Program(head + text + "\n")
    (call,) = estimator_call.estimator_calls(program)
    return program, estimator_call.read_call(program, call).settings


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ("", ""),
        ("distributed_backend=''", ""),
        ("distributed_backend='MPI', node_count=2", "MpiConfiguration(node_count=2)"),
        ("distributed_training=Mpi(4), process_count_per_node=2", "MpiConfiguration(process_count_per_node=4)"),
        ("distributed_training=Mpi(n), process_count_per_node=m",
         "MpiConfiguration(process_count_per_node=max(m, n))"),
        ("distributed_training=Mpi(n), process_count_per_node=n", "MpiConfiguration(process_count_per_node=n)"),
        ("distributed_training=MpiConfiguration(2)", "MpiConfiguration(2)"),
        ("distributed_training=MpiConfiguration(2), node_count=3",
         "MpiConfiguration(process_count_per_node=2, node_count=3)"),
        ("distributed_backend='nccl', node_count=k",
         "PyTorchConfiguration(communication_backend='Nccl', node_count=k)"),
        ("distributed_backend='ps', worker_count=3",
         "TensorflowConfiguration(worker_count=3, parameter_server_count=1)"),
        ("distributed_training=ParameterServer(2)",
         "TensorflowConfiguration(worker_count=2, parameter_server_count=1)"),
        ("distributed_training=PyTorchConfiguration('Gloo', 4, 2), node_count=8",
         "PyTorchConfiguration(communication_backend='Gloo', process_count=4, node_count=8)"),
    ],
)  # fmt: skip
def test_nodes_and_processes_are_said_by_one_configuration(given_, text):
    program, found = read(f"e = Estimator('s', {given_})")
    assert distributed_training.DistributionCode(program, found).text == text


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        ("node_count=2", "no distribution"),
        ("distributed_backend='horovod'", "unknown distributed_backend 'horovod'"),
        ("distributed_training=Mpi(*n)", "uncertain"),
        ("distributed_training=other(2)", "uncertain"),
        ("distributed_training=x", "uncertain"),
    ],
)
def test_a_distribution_that_is_not_certain_is_refused(given_, reason):
    program, found = read(f"e = Estimator('s', {given_})")
    with pytest.raises(estimator_call.CannotRewrite) as refused:
        distributed_training.DistributionCode(program, found)
    assert reason in refused.value.reason


def made_of(text, framework="", workspace="ws"):
    program, found = read(text)
    return environment.EnvironmentCode(
        program, found, framework, lambda: "env", workspace, can_add_lines=False
    )


@pytest.mark.parametrize("gpu", [True, False])
@pytest.mark.parametrize("version", [None, "", *frameworks.VERSIONS["PyTorch"][1]])
def test_a_curated_name_that_is_put_together_when_it_runs_is_the_right_one(gpu, version):
    made = made_of("e = PyTorch('s', framework_version=v, use_gpu=g)", "PyTorch")
    (text,) = [made.text, *made.lines][:1]
    asked = []

    class Environment:
        @staticmethod
        def get(workspace, name):
            asked.append(name)
            return Environment()

        def clone(self, name):
            return self

    eval(text, {"Environment": Environment, "ws": None, "v": version, "g": gpu})
    default = frameworks.VERSIONS["PyTorch"][0]
    assert asked == [frameworks.curated_name("PyTorch", version or default, gpu)]


@pytest.mark.parametrize(
    ("given_", "line"),
    [
        ("pip_packages=['a', \"b\"]", "env.python.conda_dependencies = CondaDependencies.create(pip_packages=['a', \"b\"])"),
        ("environment_variables=v", "env.environment_variables.update(v or {})"),
        ("environment_variables=a or b", "env.environment_variables.update((a or b) or {})"),
        ("use_gpu=g", "env.docker.base_image = DEFAULT_GPU_IMAGE if g else env.docker.base_image"),
        ("custom_docker_image=i", "env.docker.base_image = i or env.docker.base_image"),
        ("custom_docker_image='i'", "env.docker.base_image = 'i'"),
        ("user_managed=u", "env.python.user_managed_dependencies = bool(u)"),
        ("conda_dependencies_file='c.yml'",
         "env = Environment.from_conda_specification('estimator', 's/c.yml')"),
    ],
)  # fmt: skip
def test_lines_that_make_an_environment(given_, line):
    made = made_of(f"e = Estimator('s', {given_})")
    assert made.text == "env" and line in made.lines
    for each in made.lines:
        compile(each, "line", "exec") if not each.endswith(":") else None


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        ("environment_definition=e, use_gpu=True", "cannot be combined with use_gpu"),
        ("conda_dependencies_file=f", "uncertain"),
    ],
)
def test_an_environment_that_is_not_certain_is_refused(given_, reason):
    with pytest.raises(estimator_call.CannotRewrite, match=reason):
        made_of(f"e = Estimator('s', {given_})")


def test_a_framework_without_a_workspace_must_be_certain():
    with pytest.raises(estimator_call.CannotRewrite, match="no workspace is in scope"):
        made_of("e = PyTorch('s', use_gpu=g)", "PyTorch", workspace="")
    made = made_of("e = PyTorch('s')", "PyTorch", workspace="")
    assert any("CondaDependencies.create(" in line for line in made.lines)


@pytest.mark.parametrize(
    ("use", "kind"),
    [
        ("kinds = [Estimator]", NEEDS_REVIEW),
        ("isinstance(x, Estimator)", NEEDS_REVIEW),
        ("def f(x: Estimator): pass", LEFT_ALONE),
        ("def f() -> 'int': pass", None),
        ("E = Estimator\nE('s')", None),
        ("E = F = Estimator", NEEDS_REVIEW),
        ("class Mine(Estimator): pass", None),
        ("Estimator.DEFAULT_VERSION", None),
        ("E = Estimator\nE = 2\nif x: E = 3\nE", NEEDS_REVIEW),
    ],
)
def test_where_a_class_is_more_than_called(use, kind):
    found = list(class_references.find_references(Program(HEAD + use + "\n")))
    assert [each.kind for each in found] == ([kind] if kind else [])


CALL = "Estimator('s', compute_target='c', entry_script='t.py'{})"


def used(text):
    program = Program(HEAD + text + "\n")
    calls = estimator_call.estimator_calls(program)
    return program, usages.Usages(program, calls, []), calls


@pytest.mark.parametrize(
    ("text", "standing"),
    [
        ("e = CALL\nuse(e)", True),
        ("use(CALL)", True),
        ("e = 1\nuse(e)", None),
        ("e = CALL\nif x: e = None\nuse(e)", None),
        ("def f():\n    return CALL\nuse(f())", True),
        ("def f():\n    if x: return None\n    return CALL\nuse(f())", None),
        ("def f(e):\n    use(e)\nf(CALL)", True),
        ("def f(e):\n    use(e)\nf(CALL)\nf(2)", None),
        ("o.e = CALL\nuse(o.e)", True),
        ("a = b\nb = a\nuse(a)", None),
    ],
)
def test_whether_something_is_a_rewritten_call(text, standing):
    program, found, _ = used(text.replace("CALL", CALL.format("")))
    assert found.is_config(given_to(program)) is standing


def test_uses_of_a_rewritten_call_are_changed_or_told():
    text = (
        f"e = {CALL.format('')}\nh = HyperDriveConfig(estimator=e)\nc = e.to_script_run_config()\n"
        "e.conda_dependencies.add()\nprint(e.framework_version)\nmine.submit(e)\n"
    )
    text = "from azureml.train.hyperdrive import HyperDriveConfig\nimport mine\n" + text
    _, found, _ = used(text)
    new = apply(HEAD + text, found.edits)
    assert "HyperDriveConfig(run_config=e)" in new and "c = e\n" in new
    assert "e.run_config.environment.python.conda_dependencies.add()" in new
    assert sorted(what for _, what, *_ in found.review_notes) == [
        "e.framework_version",
        "mine.submit",
    ]
    assert [what for _, what, _ in found.changes] == ["HyperDriveConfig"]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("Estimator(compute_target='c')", "no source_directory"),
        ("Estimator('s')", "no compute_target"),
        ("Estimator('s', vm_size='x')", "cluster for this run"),
        ("Estimator('s', compute_target='amlcompute', vm_size='x')", "cluster for this run"),
        ("Estimator('s', compute_target='c', script_params=3)", "not a dictionary"),
        ("Estimator('s', compute_target='c', inputs=x)", "uncertain"),
    ],
)
def test_a_call_that_cannot_be_written_is_refused(call, reason):
    program = Program(f"{HEAD}e = {call}\n")
    writer = conversion.ConfigWriter(
        program, call_named(program, "Estimator"), set(), "Config", False
    )
    with pytest.raises(estimator_call.CannotRewrite) as refused:
        writer.write()
    assert reason in refused.value.reason


def test_named_inputs_are_set_only_in_scriptruns_own():
    text = f"{HEAD}e = {CALL.format(', inputs=[d.as_named_input(n)]')}\n"
    program = Program(text)
    call = call_named(program, "Estimator")
    made = conversion.ConfigWriter(program, call, set(), "Config", True).write()
    new = apply(text, made.edits)
    assert "e = Config('s', " in new and "e.run_config.data[n] = d.as_named_input(n)\n" in new
    with pytest.raises(estimator_call.CannotRewrite, match="not supported"):
        conversion.ConfigWriter(program, call, set(), "Config", False).write()


def test_a_dictionary_stays_one_where_a_call_that_takes_it_is_refused():
    text = (
        HEAD
        + "p = {'--a': 1}\n"
        + "\n".join(
            [f"e = {CALL.format(', script_params=p')}", "f = Estimator('s', script_params=p)", ""]
        )
    )
    made = rewrite_program.rewrite(Program(text))
    new = apply(text, made.edits)
    assert "p = {'--a': 1}\n" in new and "arguments=to_arguments(p)" in new
    assert [(each.kind, each.line) for each in made.findings] == [(NEEDS_REVIEW, 6), (REWRITTEN, 5)]


LINES = st.lists(
    st.sampled_from(
        ["import os", "x = {'a': 1}", "def f(a, *b):\n    return a", "PyTorch(1)", "Estimator('s')",
         "from torch import nn", "print(f'{x}')  # said", "class A(Estimator): pass", "'''text'''"]
    ),
    max_size=6,
)  # fmt: skip


@settings(max_examples=40)
@given(LINES)
def test_a_program_without_azureml_is_left_alone(lines):
    program = Program("\n".join([*lines, ""]))
    assert rewrite_program.rewrite(program) == rewrite_program.RewriteResult()
    assert azureml_imports.move(program, migrate.alternative).edits == []
    assert references.rewrite(program).findings == [] and runconfigs.calls(program) == []


# run configurations

CORE = "from azureml.core import ScriptRunConfig\nfrom azureml.core.runconfig import RunConfiguration\n"
FILE = "target: gpu\nscript: train.py\narguments: [--a, '1']\nframework: Python\n"


def test_calls_are_found_in_their_order_and_only_azuremls():
    text = (
        CORE
        + "b = RunConfiguration.load('.', 'x')\na = RunConfiguration()\nc = mine.RunConfiguration()\n"
    )
    program = Program(text)
    found = runconfigs.calls(program)
    assert [program.source(each.func) for each in found] == [
        "RunConfiguration.load",
        "RunConfiguration",
    ]
    assert [loaded_runconfigs.is_load(program, each) for each in found] == [True, False]


def test_what_a_script_run_config_took_from_a_run_configuration_becomes_its_own(tmp_path):
    text = (
        CORE
        + "rc = RunConfiguration()\nrc.target = 'gpu'\nc = ScriptRunConfig('.', 'a.py', run_config=rc)\n"
    )
    program = Program(text)
    (call,) = runconfigs.calls(program)
    made = runconfigs.remove_run_config(program, call, str(tmp_path), False)
    assert "c = ScriptRunConfig('.', 'a.py', compute_target='gpu')" in apply(text, made.edits)
    assert made.file == "" and made.needs == set()


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        ("RunConfiguration.load('.', name)", "is uncertain"),
        ("RunConfiguration.load(*where)", "is uncertain"),
        ("RunConfiguration.load('.', 'other')", "is missing"),
        ("RunConfiguration.load('.', 'away')", "not next to the code"),
        ("RunConfiguration.load('.', 'broken')", ""),
    ],
)
def test_a_file_that_is_not_certain_is_refused(tmp_path, load, reason):
    folder = tmp_path / "code" / ".azureml"
    folder.mkdir(parents=True)
    (tmp_path / "elsewhere.runconfig").write_text(FILE)
    (folder / "away.runconfig").symlink_to(tmp_path / "elsewhere.runconfig")
    (folder / "broken.runconfig").write_text("a: [")
    program = Program(f"{CORE}rc = {load}\n")
    (call,) = runconfigs.calls(program)
    with pytest.raises(estimator_call.CannotRewrite) as refused:
        loaded_runconfigs.load_settings(program, call, str(tmp_path / "code"), True, False)
    assert reason in refused.value.reason and "scriptrun import" in refused.value.advice


def test_what_a_file_says_is_sorted_into_words(tmp_path):
    (tmp_path / ".azureml").mkdir()
    (tmp_path / ".azureml" / "x.runconfig").write_text(FILE)
    program = Program(f"{CORE}rc = RunConfiguration.load(path='.', name='x')\n")
    (call,) = runconfigs.calls(program)
    found = loaded_runconfigs.load_settings(program, call, str(tmp_path), True, False)
    assert found.file == ".azureml/x.runconfig"
    assert (
        found.arguments["compute_target"] == "'gpu'" and "source_directory" not in found.arguments
    )
    assert found.script == {"script": "'train.py'", "arguments": "['--a', '1']"}
    lines = loaded_runconfigs.LoadedSettings(
        environment=["environment = 1", "environment.a = environment2"]
    )
    assert lines.environment_lines("e") == ["e = 1", "e.a = environment2"]


@pytest.mark.parametrize(
    ("call", "made"),
    [
        ("c = ScriptRunConfig('.')", ["script='t.py'", "arguments=['a']"]),
        ("c = ScriptRunConfig('.', 'own.py')", ["arguments=['a']"]),
        ("c = ScriptRunConfig('.', script='own.py', arguments=['b'])", []),
        ("c = ScriptRunConfig('.', command=['x'])", []),
        ("c = ScriptRunConfig('.', script=f'{x}.py')", ["arguments=['a']"]),
        ("c = ScriptRunConfig('.', script=x)", None),
        ("c = ScriptRunConfig('.', script='')", None),
        ("c = ScriptRunConfig('.', 'own.py', [*x])", None),
    ],
)
def test_its_own_words_come_before_those_of_the_file(call, made):
    program = Program(call + "\n")
    said = loaded_runconfigs.LoadedSettings(
        script={"script": "'t.py'", "arguments": "['a']"}, file="f"
    )
    node = call_named(program, "ScriptRunConfig")
    if made is None:
        with pytest.raises(estimator_call.CannotRewrite, match="uncertain whether its own"):
            runconfig_precedence.script_arguments(program, node, said)
    else:
        assert runconfig_precedence.script_arguments(program, node, said) == made


def test_more_settings_come_after_the_statement_under_its_name():
    said = loaded_runconfigs.LoadedSettings(
        later_lines=["config.run_config.a = 'config.x'", "for x in y:"]
    )
    text = "if 1:\n    self.c = ScriptRunConfig('.')  # here\nz = 1\n"
    program = Program(text)
    edit = runconfig_precedence.later_lines_edit(
        program, call_named(program, "ScriptRunConfig"), said
    )
    assert apply(text, [edit]) == (
        "if 1:\n    self.c = ScriptRunConfig('.')  # here\n"
        "    self.c.run_config.a = 'config.x'\n    for x in y:\nz = 1\n"
    )
    for text in (
        "run(ScriptRunConfig('.'))\n",
        "c = ScriptRunConfig('.'); d = 1\n",
        "if x: c = ScriptRunConfig()\n",
    ):
        program = Program(text)
        with pytest.raises(estimator_call.CannotRewrite):
            runconfig_precedence.later_lines_edit(
                program, call_named(program, "ScriptRunConfig"), said
            )

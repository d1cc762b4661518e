"""How far names are followed, and what is told where they are not."""

from __future__ import annotations

import pytest
from tests.migration.test_migration_files import notebook
from tests.migration.versions import migrated

from scriptrun.migration.findings import LEFT_ALONE, NEEDS_REVIEW, REWRITTEN

HEAD = (
    "from azureml.core import Workspace\n"
    "from azureml.train.dnn import PyTorch, TensorFlow\n"
    "from azureml.train.hyperdrive import HyperDriveConfig\n"
    "ws = Workspace.from_config()\n"
)
ARGS = "'src', compute_target='c', entry_script='t.py'"


def told(text: str, kind: str = NEEDS_REVIEW, to: str = "azureml") -> list[tuple[int, str]]:
    return [(each.line, each.what) for each in migrated(text, to).findings if each.kind == kind]


def test_names_that_are_bound_again_mean_what_they_were_bound_to_last():
    new = migrated(
        f"{HEAD}p = {{'--a': 1}}\nest = PyTorch({ARGS}, script_params=p)\n"
        f"p = {{'--b': ''}}\nest = PyTorch({ARGS}, script_params=p, use_gpu=True)\n"
        "HyperDriveConfig(estimator=est)\n"
    ).new.decode()
    assert "p = ['--a', 1]\n" in new and "p = ['--b']\n" in new and new.count("arguments=p") == 2
    assert "HyperDriveConfig(run_config=est)" in new


@pytest.mark.parametrize(
    "between", ["if x:\n    p = {'--b': 2}\n", "def change():\n    global p\n    p = None\n"]
)
def test_a_name_that_may_have_been_bound_elsewhere_is_not_followed(between):
    text = f"{HEAD}x = 1\np = {{'--a': 1}}\n{between}est = PyTorch({ARGS}, script_params=p)\n"
    assert "arguments=to_arguments(p)" in migrated(text).new.decode()


def test_script_params_that_are_no_dictionary_are_told():
    assert told(f"{HEAD}PyTorch({ARGS}, script_params='params.yml')\n") == [(5, "PyTorch")]


def test_a_choice_of_dictionaries_keeps_its_parentheses():
    new = migrated(f"{HEAD}PyTorch({ARGS}, script_params={{}} if ws else None)\n").new.decode()
    assert "arguments=to_arguments({} if ws else None)" in new


def test_classes_that_are_values_are_told():
    text = (
        f"{HEAD}Kind = PyTorch\nest = Kind({ARGS})\n"
        f"for each in (PyTorch, TensorFlow):\n    each({ARGS})\n"
        "def show(given: PyTorch):\n    return isinstance(given, PyTorch)\n"
    )
    assert told(text) == [(7, "PyTorch"), (7, "TensorFlow"), (10, "PyTorch")]
    assert told(text, REWRITTEN) == [(6, "Kind")] and told(text, LEFT_ALONE) == [(9, "PyTorch")]


def test_parameters_are_what_all_calls_give():
    text = (
        f"{HEAD}est = PyTorch({ARGS})\n"
        "def tune(one):\n    print(one.conda_dependencies)\n"
        "    return HyperDriveConfig(estimator=one)\n"
        "class Tuning:\n    def tune(self, n, one=None):\n"
        "        return HyperDriveConfig(estimator=one)\n"
        "tune(est)\ntune(one=est)\nTuning().tune(2, est)\n"
    )
    new = migrated(text).new.decode()
    assert new.count("HyperDriveConfig(run_config=one)") == 2 and not told(text)
    assert "one.run_config.environment.python.conda_dependencies" in new
    assert told(text + "tune(ws.other)\n") == [
        (7, "one.conda_dependencies"),
        (8, "HyperDriveConfig"),
    ]


def test_what_another_module_is_given_is_told():
    text = f"{HEAD}import mine\nest = PyTorch({ARGS})\nmine.submit(est)\n"
    assert told(text) == [(7, "mine.submit")]


def test_imports_leave_no_empty_block_behind():
    new = migrated(
        "from azureml.core import Environment, ScriptRunConfig\n"
        "try:\n    from azureml.train.estimator import Estimator\n"
        "except ImportError:\n    raise\n"
        "def again():\n    import os; from azureml.train.estimator import Estimator\n"
        f"    return Estimator({ARGS})\nEstimator({ARGS})\n"
    ).new.decode()
    assert "try:\n    pass\nexcept" in new and "import os; pass\n" in new


def test_lines_after_a_cells_last_statement_stay_in_the_cell():
    text = notebook(
        HEAD,
        f"store = ws.get_default_datastore()\nest = PyTorch({ARGS}, "
        "script_params={'--d': store.as_mount()})",
        "%%bash\nls",
        f"%time run = ws.submit(PyTorch({ARGS}))",
    )
    outcome = migrated(text, path="a.ipynb")
    new = outcome.new.decode()
    assert "to_config()" in new and '"%%bash\\n",\n' in new and "%time run = ws.submit(Scr" in new
    assert "to_config()" in "".join(each for each in outcome.diff if "+est.run_config" in each)


@pytest.mark.parametrize(
    ("use", "stays"),
    [
        ("def go(w):\n    print(w.linked_services)\ngo(ws)\n", True),
        ("class A:\n    def __init__(self, w):\n        self.w = w\n"
         "    def go(self):\n        return self.w.linked_services\nA(ws)\n", True),
        ("def get():\n    return ws\nget().linked_services\n", True),
        ("one = get_it()\ndef get_it():\n    return Workspace.from_config()\n"
         "one.linked_services\n", True),
        ("for name, each in ws.compute_targets.items():\n    print(each.type)\n", True),
        ("t = ws.compute_targets['c']\nt.get_status()\n", True),
        ("from azureml.core.workspace import Workspace\nws = Workspace.from_config()\n"
         "every = ws.compute_targets\n", True),
        ("t = ws.compute_targets['c']\nprint(t.name, 'd' in ws.compute_targets)\n", False),
    ],
)  # fmt: skip
def test_a_workspace_that_is_asked_for_more_than_scriptruns_has_stays(use, stays):
    text = f"from azureml.core import Workspace\nws = Workspace.from_config()\n{use}"
    new = migrated(text, "scriptrun").new.decode()
    assert ("from azureml.core import Workspace" in new) == stays


def test_names_with_dots_move_where_scriptrun_has_them():
    text = (
        "import azureml.core\nimport azureml.train.dnn\nimport azureml.train.hyperdrive as hd\n"
        "ws = azureml.core.Workspace.from_config()\nhd.choice(1)\n"
        "try:\n    azureml.core.ComputeTarget\n"
        "except azureml.core.compute_target.ComputeTargetException:\n    pass\n"
    )
    outcome = migrated(text, "scriptrun")
    assert outcome.new.decode() == (
        "import scriptrun\nimport scriptrun.exceptions\n"
        "import scriptrun.dropin  # for the names of azureml that are left\nimport azureml.core\n"
        "import azureml.train.dnn\nimport scriptrun as hd\n"
        "ws = scriptrun.Workspace.from_config()\nhd.choice(1)\n"
        "try:\n    azureml.core.ComputeTarget\n"
        "except scriptrun.exceptions.ComputeTargetException:\n    pass\n"
    )
    left = [each for each in outcome.findings if each.kind == LEFT_ALONE]
    assert [each.line for each in left] == [1, 2]
    assert "has no core.ComputeTarget" in left[0].reason
    alone = "import azureml.core\nexp = azureml.core.Experiment\n"
    new = migrated(alone, "scriptrun").new.decode()
    assert new == "import scriptrun\nexp = scriptrun.Experiment\n"
    unused = "try:\n    import azureml.core\nexcept ImportError:\n    pass\n"
    assert migrated(unused, "scriptrun").new.decode() == unused.replace(
        "import azureml.core", "pass"
    )


@pytest.mark.parametrize(("use", "moves"), [("hd.choice(1)", True), ("hd.what(hd)", False)])
def test_the_module_of_sweeps_is_scriptrun_where_that_has_all_of_it(use, moves):
    text = f"from azureml.train import hyperdrive as hd\n{use}\n"
    new = migrated(text, "scriptrun").new.decode()
    assert ("import scriptrun as hd\n" in new) == moves == ("azureml" not in new)


def test_the_sdks_version_is_scriptruns_where_it_is_only_shown():
    text = (
        "import azureml.core\nfrom azureml.core import VERSION, Workspace\n"
        "import azureml.core as az\nprint('SDK', azureml.core.VERSION, f'{VERSION}', az.VERSION)\n"
    )
    assert migrated(text, "scriptrun").new.decode() == (
        "import scriptrun\nfrom scriptrun import __version__ as VERSION, Workspace\n"
        "import scriptrun as az\nprint('SDK', scriptrun.__version__, f'{VERSION}', az.__version__)\n"
    )
    assert (
        "azureml.core.VERSION"
        in migrated(
            "import azureml.core\nold = azureml.core.VERSION < '1.20'\n", "scriptrun"
        ).new.decode()
    )


@pytest.mark.parametrize(
    ("cell", "stays"),
    [
        ("print 'a', p, azureml", True),
        ("!echo {p} $azureml", True),
        ("%%timed\nazureml.core, p", True),
        ("p?\nazureml?", True),
        ("!pip install azureml p", False),
        ("%%bash\necho azureml p", False),
    ],
)
def test_names_in_lines_that_are_no_python_are_used(cell, stays):
    text = notebook(
        HEAD,
        "import azureml.core",
        f"p = {{'--a': 1}}\nPyTorch({ARGS}, script_params=p)",
        cell,
    )
    new = migrated(text, "scriptrun", "a.ipynb").new.decode()
    assert ("p = {'--a': 1}" in new) == stays and ("import azureml.core" in new) == stays


@pytest.mark.parametrize(
    "code",
    [
        "d = ws.datastores['images']\nPyTorch({args}d.as_mount()}})\n",
        "def go(d):\n    return PyTorch({args}d.as_mount()}})\ngo(ws.get_default_datastore())\n",
        "class A:\n    def __init__(self):\n        self.d = ws.get_default_datastore()\n"
        "    def go(self):\n        e = PyTorch({args}self.d.as_mount()}})\n",
    ],
)
def test_datastores_are_known_wherever_they_come_from(code):
    args = f"{ARGS}, script_params={{'--d': "
    new = migrated(HEAD + code.format(args=args)).new.decode()
    assert "str(data_ref)" in new and "data_ref.to_config()" in new


def test_a_parameter_that_may_be_a_dataset_is_passed_as_it_is():
    new = migrated(
        f"{HEAD}def go(d):\n    PyTorch({ARGS}, script_params={{'--d': d.as_mount()}})\n"
        "go(ws.get_default_datastore())\ngo(ws.datasets['x'])\n"
    ).new.decode()
    assert "arguments=['--d', d.as_mount()]" in new


def test_several_in_one_statement_have_names_of_their_own():
    new = migrated(
        f"{HEAD}d = {{'a': PyTorch({ARGS}, pip_packages=['x']), 'b': PyTorch({ARGS}, pip_packages=['y'])}}\n"
        f"d['c'] = PyTorch({ARGS}, pip_packages=['z'])\n"
    ).new.decode()
    assert "estimator_env.python.conda_dependencies.add_pip_package('x')" in new
    assert "estimator_env_2.python.conda_dependencies.add_pip_package('y')" in new
    assert (
        "'b': ScriptRunConfig('src', compute_target='c', script='t.py', environment=estimator_env_2)"
        in new
    )
    assert "estimator_env.python.conda_dependencies.add_pip_package('z')" in new


def test_references_to_datastores_have_names_of_their_own():
    text = (
        f"{HEAD}d = ws.get_default_datastore()\n"
        "p = {'--d': d.path('x').as_mount()}\nq = {'--d': d.path('y').as_mount()}\n"
        f"a = PyTorch({ARGS}, script_params=p)\nb = PyTorch({ARGS}, script_params=q)\n"
    )
    new = migrated(text).new.decode()
    assert "data_ref = d.path('x').as_mount()\np = ['--d', str(data_ref)]" in new
    assert "data_ref_2 = d.path('y').as_mount()\nq = ['--d', str(data_ref_2)]" in new
    assert "a.run_config.data_references[data_ref.data_reference_name] = data_ref." in new
    assert "b.run_config.data_references[data_ref_2.data_reference_name] = data_ref_2." in new

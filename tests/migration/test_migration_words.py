"""What is read out of programs and job files: values, imports, calls, shapes, lines for a shell."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import libcst as cst
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptrun.migration import workspaces
from scriptrun.migration.code import (
    constants,
    documents,
    edits,
    imports,
    parameters,
    star_imports,
    subclasses,
)
from scriptrun.migration.code.program import Program
from scriptrun.migration.formats import containers, facts, kubernetes, scripts, shapes
from scriptrun.migration.proof import missing_modules
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.job import Distribution, JobSpec
from scriptrun.spec.job_data import JobData


def argument(program, name="use"):
    """What the last call of ``use`` is given."""
    calls = [each for each in program.calls if program.source(each.func) == name]
    return calls[-1].args[0].value


def value(text):
    program = Program(text)
    found = constants.constant(program, argument(program))
    return "?" if found is constants.UNKNOWN else found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("use(1)", 1),
        ("use('a' 'b')", "ab"),
        ("use(-1.5)", -1.5),
        ("use(None)", None),
        ("use([1, ('a', True)])", [1, ["a", True]]),
        ("a = 1\nuse(a)", 1),
        ("a = 1\nb = a\nuse([b, 2])", [1, 2]),
        ("a: int = 1\nuse(a)", 1),
        ("a, b = 1, 2\nuse(b)", 2),
        ("a = 1\na = 2\nuse(a)", 2),
        ("a = 1\nuse(a)\na = 2", 1),
        ("a = 1\ndef f():\n    use(a)", 1),
        ("a = 1\nif x:\n    a = 2\nuse(a)", "?"),
        ("a = 1\na = 2\ndef f():\n    use(a)", "?"),
        ("for a in [1]:\n    use(a)", "?"),
        ("a = b = 1\nuse(a)", "?"),
        ("a, *b = 1, 2\nuse(a)", "?"),
        ("def f(a):\n    use(a)", "?"),
        ("use(f'{x}')", "?"),
        ("use([*x])", "?"),
        ("use([x])", "?"),
        ("use(a)", "?"),
        ("a = a\nuse(a)", "?"),
        ("import a\nuse(a)", "?"),
        ("with x as a:\n    use(a)", "?"),
        ("a = 1\na += 1\nuse(a)", "?"),
    ],
)
def test_only_what_is_certain_is_a_value(text, found):
    assert value(text) == found


plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.binary(max_size=4)),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=50)
@given(plain)
def test_any_literal_is_its_value(thing):
    assert value(f"a = {thing!r}\nuse(a)\n") == thing


@pytest.mark.parametrize(
    ("text", "pure"),
    [
        ("a", True),
        ("a.b", True),
        ("a['x']", True),
        ("a[0].b", True),
        ("f()", False),
        ("a[f()]", False),
        ("a[1:2]", False),
        ("a + b", False),
        ("1", True),
        ("f().a", False),
    ],
)
def test_what_may_be_written_twice(text, pure):
    assert constants.is_pure(cst.parse_expression(text)) is pure


@pytest.mark.parametrize(
    ("text", "steady"),
    [
        ("a = 1\nuse(a)", True),
        ("a = 1\na = 2\nuse(a)", False),
        ("a = 1\nuse(a + 1)", True),
        ("a = 1\nuse(f(a))", False),
        ("use(unknown)", False),
        ("use([x for x in y])", False),
    ],
)
def test_what_means_the_same_everywhere(text, steady):
    program = Program(text)
    assert constants.is_stable(program, argument(program)) is steady


@pytest.mark.parametrize(
    ("use", "changed"),
    [
        ("use(a)", False),
        ("use(a)\na.append(1)", True),
        ("use(a)\nprint(a)", True),
        ("use(a); del a[0]", True),
    ],
)
def test_whether_something_else_touches_a_value(use, changed):
    program = Program(f"a = [1]\n{use}\n")
    name = argument(program)
    call = program.parent(program.parent(name))
    assert constants.may_change(program, name, [call]) is changed
    assert constants.may_change(Program("a = 1\nuse(a)", ["a"]), name, [call])


# parameters, classes, workspaces


@pytest.mark.parametrize(
    ("text", "given_"),
    [
        ("def f(a, p):\n    pass\nf(1, 2)\nf(3, p=4)", ["2", "4"]),
        ("def f(p=9):\n    pass\nf()", ["9"]),
        ("def f(p):\n    pass\nf(*x)", [None]),
        ("def f(p):\n    pass\nf(**x)", [None]),
        ("def f(*p):\n    pass\nf(1)", [None]),
        ("def f(a, *, p):\n    pass\nf(1, p=2)", ["2"]),
        ("class C:\n    def f(self, p):\n        pass\nC().f(7)", ["7"]),
        ("class C:\n    @staticmethod\n    def f(p):\n        pass\nf(7)", []),
        ("def f(p):\n    pass\n", []),
        ("def f(p):\n    pass\ndef g(f):\n    f(1)", []),
    ],
)
def test_what_calls_give_to_a_parameter(text, given_):
    program = Program(text)
    param = next(each for each in program.nodes(cst.Param) if each.name.value == "p")
    found = parameters.passed_values(program, param)
    assert [each and program.source(each) for each in found] == given_


SUB = "class Mine(Base):\n    {0}\n    def __init__(self, x):\n        {1}\n{2}\n"


@pytest.mark.parametrize(
    ("parts", "is_one"),
    [
        (("'''text'''", "super().__init__(a=x)", "Mine(1)"), True),
        (("", "super(Mine, self).__init__(a=x)", "Mine(1)"), True),
        (("a = 1", "super().__init__(a=x)", "Mine(1)"), False),
        (("", "super().__init__(a=x); self.y = 1", "Mine(1)"), False),
        (("", "Base.__init__(self, a=x)", "Mine(1)"), False),
        (("", "super().__init__(a=x)", "isinstance(1, Mine)"), False),
        (("", "super(Other, self).__init__(a=x)", "Mine(1)"), False),
    ],
)
def test_a_class_that_only_makes_another_one(parts, is_one):
    program = Program("from x import Base\n" + SUB.format(*parts))
    calls = [c for c in program.calls if program.source(c.func).endswith("__init__")]
    base = subclasses.base_class(program, calls[0])
    assert (base is not None and base.value == "Base") is is_one
    if is_one:
        assert subclasses.self_name(program, calls[0]) == "self"


WS = "from azureml.core import Workspace, Experiment\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ws = Workspace.from_config()\nuse(1)", "ws"),
        ("def f(w):\n    e = Experiment(w, 'x')\n    use(1)", "w"),
        ("def f(w):\n    e = Experiment(workspace=w, name='x')\n    use(1)", "w"),
        ("use(1)\nws = Workspace.from_config()", ""),
        ("def f():\n    ws = Workspace.from_config()\nuse(1)", ""),
        ("x = other()\nuse(1)", ""),
        ("Workspace.from_config()\nuse(1)", ""),
    ],
)
def test_the_name_of_the_workspace_at_a_call(text, name):
    program = Program(WS + text)
    call = next(each for each in program.calls if program.source(each.func) == "use")
    assert workspaces.workspace_name(program, call) == name


# imports


def starred(text):
    program = Program(text)
    return edits.apply(text, star_imports.expand(program).edits)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "from azureml.core import *\nWorkspace; Run\n",
            "from azureml.core import Run, Workspace\nWorkspace; Run\n",
        ),
        ("from azureml.core import *\nWorkspace; np\n", None),
        ("from azureml.core import *\nfrom os import *\nWorkspace\n", None),
        ("from azureml.core import *\nprint(1)\n", None),
        ("from azureml.nowhere import *\nWorkspace\n", None),
        (
            "from azureml.core import *\nWorkspace = 1\nWorkspace; Run\n",
            "from azureml.core import Run\nWorkspace = 1\nWorkspace; Run\n",
        ),
    ],
)
def test_a_star_is_named_only_where_all_is_certain(old, new):
    assert starred(old) == (new or old)


def test_names_that_nothing_binds_are_free():
    text = "import a\ndef f(x):\n    y = x + z\n    return [i for i in y] + a.b + c.d\nprint(f)\n"
    assert star_imports.free_names(Program(text)) == {"z", "c"}


@pytest.mark.parametrize(
    ("old", "gone", "new"),
    [
        ("from a import b, c, d\n", {"c"}, "from a import b, d\n"),
        ("from a import b, c\n", {"c"}, "from a import b\n"),
        ("from a import b, c\n", {"b"}, "from a import c\n"),
        ("from a import b\nx\n", {"b"}, "x\n"),
        ("if x:\n    from a import b\n", {"b"}, "if x:\n    pass\n"),
        ("from a import b as c, d\n", {"c"}, "from a import d\n"),
        ("from a import b as c, d\n", {"b"}, "from a import b as c, d\n"),
        ("from a import (\n    b,\n    c,\n)\n", {"b"}, "from a import (\n    c,\n)\n"),
        ("x; from a import b\n", {"b"}, "x; pass\n"),
    ],
)
def test_names_are_taken_out_of_an_import(old, gone, new):
    program = Program(old)
    made = imports.Imports(program)
    for name in gone:
        made.drop(program.nodes(cst.ImportFrom)[0], name)
    assert edits.apply(old, made.edits()) == new


def test_a_name_that_is_hidden_stays_imported():
    program = Program("from a import b\n", ["b"])
    made = imports.Imports(program)
    made.drop(program.nodes(cst.ImportFrom)[0], "b")
    assert made.edits() == []


def test_what_is_needed_is_imported_once_and_beside_the_others():
    text = "from azureml.core import Run\n\nuse(1)\nuse(2)\n"
    program = Program(text)
    made = imports.Imports(program)
    anchor = program.nodes(cst.ImportFrom)[0]
    for call in program.calls:
        for name in ("Environment", "os", "Run", "Dataset"):
            made.need(name, call, anchor)
    new = edits.apply(text, made.edits())
    assert new == ("import os\nfrom azureml.core import Dataset, Environment\n" + text)


def test_a_name_that_means_something_else_is_taken():
    text = "from mine import Dataset\nfrom azureml.core import Environment\nimport os\n"
    program = Program(text)
    names = ["Dataset", "Environment", "os", "ScriptRunConfig"]
    assert imports.Imports(program).find_conflicts(names) == ["Dataset"]
    assert imports.Imports(Program("Dataset = 1\n")).find_conflicts(["Dataset"]) == ["Dataset"]


# files


def notebook(*cells):
    made = [{"cell_type": "code", "source": each, "metadata": {}, "outputs": []} for each in cells]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def test_a_notebook_is_one_program_and_keeps_its_cells():
    document = documents.Document("a.ipynb", notebook("a = 1", "%magic x\nb = a\n", "b"))
    text = document.program_text()
    program = document.parse(text)
    name = next(e for e in program.nodes(cst.Name) if e.value == "b" and program.line(e) >= 3)
    assert document.locate(program.line(name), document.pieces)[0] in (2, 3)
    last = text.rindex("b")
    document.apply_edits([edits.Edit(last, last + 1, "c")])
    assert document.pieces == ["a = 1", "%magic x\nb = a\n", "c"]
    kept = json.loads(document.to_bytes())
    assert ["".join(cell["source"]) for cell in kept["cells"]] == document.pieces
    assert document.original_pieces()[2] == "b"


def test_a_script_that_is_not_changed_keeps_its_bytes():
    for raw in (b"a = 1\r\nb = 2\r\n", "# coding: latin-1\nx = 'ü'\n".encode("latin-1"), b""):
        document = documents.Document("a.py", raw)
        document.apply_edits([])
        assert document.to_bytes() == raw


# shapes of job files


@pytest.mark.parametrize(
    ("found", "kinds", "wrong"),
    [
        ({"command": "x"}, shapes.COMMAND, []),
        ({"command": 3}, shapes.COMMAND, ["command"]),
        ({"command": "x", "resources": []}, shapes.COMMAND, ["resources"]),
        (
            {"command": "x", "resources": {"instance_count": "2"}},
            shapes.COMMAND,
            ["instance_count"],
        ),
        (
            {"command": "x", "resources": {"instance_count": True}},
            shapes.COMMAND,
            ["instance_count"],
        ),
        ({"command": "x", "limits": {"timeout": 1.5}}, shapes.COMMAND, []),
        ({"command": "x", "code": 1, "tags": ""}, shapes.COMMAND, ["code", "tags"]),
        ({"limits": {"max_total_trials": 1.5}}, shapes.SWEEP, ["max_total_trials"]),
        ({"name": None}, shapes.PROJECT, []),
    ],
)
def test_fields_that_do_not_hold_what_they_are_for_are_named_at_once(found, kinds, wrong):
    if not wrong:
        shapes.check(Path("job.yml"), found, kinds)
        return
    with pytest.raises(UserErrorException) as caught:
        shapes.check(Path("job.yml"), found, kinds)
    assert all(word in caught.value.message for word in ["job.yml", *wrong])


@pytest.mark.parametrize("found", [{}, {"command": ""}, {"command": None}])
def test_a_field_that_is_wanted_is_missed(found):
    with pytest.raises(UserErrorException) as caught:
        shapes.check(Path("job.yml"), found, shapes.COMMAND, ("command",))
    assert "command" in caught.value.message


# jobs as lines of a shell


def job(**more):
    fields = {"script": "train.py", "source_directory": "/src", **more}
    return JobSpec("try_1_abc", "try", "w", "2026-01-01T00:00:00Z", **fields)


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=100)
@given(st.lists(texts, max_size=4))
def test_arguments_survive_the_shell(words):
    line = facts.shell_line(job(arguments=tuple(words)))
    assert shlex.split(line) == ["python", "train.py", *words]


@settings(max_examples=10)
@given(st.dictionaries(st.from_regex(r"[A-Z]{1,5}", fullmatch=True), texts, max_size=3))
def test_variables_survive_the_shell(variables):
    lines = scripts._variables(job(variables=variables))
    read = "\n".join([*lines, *(f'printf "%s\\0" "${name}"' for name in sorted(variables))])
    done = subprocess.run(["sh"], input=read.encode(), capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == [v for _, v in sorted(variables.items())]


@pytest.mark.parametrize(
    ("experiment", "name"),
    [
        ("Digits", "digits"),
        ("a_b c", "a-b-c"),
        ("--", "job"),
        ("", "job"),
        ("ü", "job"),
        ("x" * 80, "x" * 50),
        ("x" * 49 + "-y", "x" * 49),
    ],
)
def test_names_that_most_systems_take(experiment, name):
    made = JobSpec("i", experiment, "w", "2026-01-01T00:00:00Z")
    assert facts.job_name(made) == name


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00:00"), (0.1, "0:00:01"), (59.5, "0:01:00"), (3661, "1:01:01"), (360000, "100:00:00")],
)
def test_durations_are_rounded_up(seconds, text):
    assert facts.duration(seconds) == text


DATA = {"inputs": [{"name": "my-data", "kind": "dataset", "mode": "mount"}], "outputs": []}
SPREADS = [Distribution()] + [Distribution(kind, 2, 2, 4) for kind in ("mpi", "pytorch", "nodes")]


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("environment", [{}, {"pip": ("six==1.16", "a[b]>=1; python_version>'3'")}])
def test_every_script_is_one_that_the_shell_reads(spread, environment):
    made = job(
        arguments=("it's", "$AZUREML_DATAREFERENCE_my-data"),
        distribution=spread,
        environment=EnvironmentSpec(**environment),
        variables={"A": 'it\'s "x"'},
        passed=("TOKEN",),
        max_run_duration_seconds=90.0,
        data=JobData.from_dict(DATA),
    )
    for exported in (
        scripts.shell(made, None),
        scripts.sbatch(made, None),
        containers.docker(made, None),
        containers.podman(made, None),
    ):
        done = subprocess.run(["bash", "-n"], input=exported.text, text=True, capture_output=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert any("TOKEN" in lost for lost in exported.lost)
        assert any("my-data" in lost for lost in exported.lost)


@pytest.mark.parametrize("spread", SPREADS)
def test_a_manifest_is_yaml_of_a_job(spread):
    made = job(distribution=spread, variables={"A": "yes", "B": "1"}, max_run_duration_seconds=0.2)
    found = list(yaml.safe_load_all(kubernetes.manifest(made, None).text))
    assert [each["kind"] for each in found] == (["Service", "Job"] if spread.nodes > 1 else ["Job"])
    pod = found[-1]["spec"]["template"]["spec"]
    variables = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
    assert (variables["A"], variables["B"]) == ("yes", "1")
    assert found[-1]["spec"]["activeDeadlineSeconds"] == 1
    assert found[-1]["spec"].get("completions", 1) == spread.nodes


# stand-ins for what is not installed


def test_what_is_not_installed_is_stood_in_for_in_the_proved_code_alone(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "code.py").write_text(
        "import nowhere_at_all.deep as d\nfrom nowhere_at_all import Kind, thing\n"
        "class Mine(Kind):\n    pass\n"
        "made = [str(d.f(1)), str(thing.x), str(Kind(1)), Mine().y]\n"
    )
    program = (
        "import sys, json\nfrom scriptrun.migration.proof import missing_modules as m\n"
        "said = []\nm.stand_in(sys.argv[1], said.append)\nsys.path.insert(0, sys.argv[1])\n"
        "import code_of_theirs\nprint(json.dumps([said, [str(e) for e in code_of_theirs.made]]))\n"
        "try:\n    import nowhere_else\nexcept ImportError:\n    print('refused')\n"
    )
    (tmp_path / "theirs" / "code.py").rename(tmp_path / "theirs" / "code_of_theirs.py")
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "theirs")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told, refused = done.stdout.splitlines()
    said, made = json.loads(told)
    assert said == ["the module nowhere_at_all, which is not installed"]
    assert all(missing_modules.MARK in each for each in made)
    assert refused == "refused"

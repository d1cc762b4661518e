"""How rewritten lines look: imports, wrapped calls, helpers, options, and what is commented out."""

from __future__ import annotations

import libcst as cst
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.migration.versions import migrated

from scriptrun.migration.code import argument_parsers, import_order, line_lengths
from scriptrun.migration.code.edits import apply
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators import commented_out, helper_placement

HEAD = "from azureml.train.estimator import Estimator\n"
CALL = "Estimator('src', compute_target='c', entry_script='t.py', script_params={})"


def merged(text, limit=88, boundaries=()):
    edits = import_order.merge(Program(text), limit, list(boundaries))
    assert not edits or import_order.may_merge(text, limit)
    return apply(text, edits)


def test_imports_of_one_module_become_one():
    text = "from scriptrun import b, Two\nimport os\nfrom scriptrun import ONE, Two as T\nb\n"
    assert merged(text) == "from scriptrun import ONE, Two, Two as T, b\nimport os\nb\n"
    assert merged(text, 30).startswith("from scriptrun import (\n    ONE,\n    Two,\n")


@pytest.mark.parametrize(
    "text",
    [
        "from scriptrun import B, A\n",
        "from scriptrun import A  # why\nfrom scriptrun import B\n",
        "from scriptrun import A\nA()\nfrom scriptrun import B\n",
        "from scriptrun import A\n# why\nfrom scriptrun import B\n",
        "from mine import A\nfrom mine import B\n",
        "from scriptrun import A; x = 1\nfrom scriptrun import B\n",
    ],
)
def test_imports_that_stand_for_themselves_stay(text):
    assert merged(text) == text


@given(
    st.lists(
        st.sampled_from(
            [
                "from scriptrun import A",
                "from scriptrun import A, B as C",
                "from scriptrun import (\n    B,\n    A,\n)",
                "from scriptrun import (A,  # why\n    A)",
                "from scriptrun.exceptions import A; from scriptrun.exceptions import B",
                "from scriptrun import A, \\\n    A",
                "from scriptrun . exceptions import A, A",
                "from azureml.core import Run, Workspace, Experiment",
                "import scriptrun",
                "x = 1",
            ]
        ),
        max_size=4,
    )
)
def test_what_is_not_parsed_has_nothing_to_merge(statements):
    text = "".join(f"{statement}\n" for statement in statements)
    if not import_order.may_merge(text, 40):
        assert import_order.merge(Program(text), 40, []) == []


def test_a_program_whose_imports_alone_change_is_parsed_once(monkeypatch):
    parsed = []
    real = Program.__init__
    monkeypatch.setattr(
        Program, "__init__", lambda self, *args: [parsed.append(args[0]), real(self, *args)][1]
    )
    text = "from azureml.core import Experiment, Workspace\n\nExperiment(Workspace.from_config(), 'x')\n"
    outcome = migrated(text, to="scriptrun")
    assert outcome.new.startswith(b"from scriptrun import Experiment, Workspace\n")
    assert parsed == [text]


def test_imports_of_two_cells_stay_in_them():
    text = "from scriptrun import A\nfrom scriptrun import B\n"
    assert merged(text, boundaries=[text.index("\n") + 1]) == text


def wrapped(text, original="", limit=40):
    edits = line_lengths.wrap(Program(text), original.splitlines(), limit)
    assert not edits or line_lengths.may_wrap(text, original.splitlines(), limit)
    return apply(text, edits)


def test_a_long_call_gets_one_line_for_each_argument():
    made = wrapped("value = function(first='one', second=['two', 'three'], third=3, fourth=4)\n")
    assert made == (
        "value = function(\n    first='one',\n    second=['two', 'three'],\n    third=3,\n"
        "    fourth=4,\n)\n"
    )
    assert wrapped("value = function('a word that is far too long')\n") == (
        "value = function(\n    'a word that is far too long'\n)\n"
    )


def test_values_stay_with_their_names():
    made = wrapped("words = ['--first', 1, '--second', two, '--third', 'three', '--flag']\n")
    assert made == (
        "words = [\n    '--first', 1,\n    '--second', two,\n    '--third', 'three',\n    '--flag',\n]\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "value = function(first='one',  # why\n                 second='two is the longest')\n",
        'value = function("""one of\nmany lines, and one that is too long here""", 1)\n',
        "value = first_name + second_name + third_name + 4\n",
    ],
)
def test_what_wrapping_would_spoil_stays(text):
    assert wrapped(text) == text


def test_a_line_that_its_author_wrote_too_long_stays():
    text = "value = function(first='one', second='two', third='three')\n"
    assert wrapped(text, text.replace("first", "fist")) == text


@pytest.mark.parametrize(
    ("option", "single"),
    [
        ("'--x', default=1", True),
        ("'--x', type=float, default=0.1", True),
        ("'-x', '--x', required=True", True),
        ("'x'", True),
        ("'--x', action='store_true'", True),
        ("'--y', dest='x', default='word'", True),
        ("'--x'", False),
        ("'--x', default=None", False),
        ("'--x', default=''", False),
        ("'--x', nargs='+', default=1", False),
        ("'--x', type=load, default=1", False),
        ("'--x', action='append', default=1", False),
        ("'--other', default=1", False),
        ("*words, default=1", False),
    ],
)
@pytest.mark.parametrize(
    "use",
    [
        "args = p.parse_args()\nuse(args.x)\n",
        "args, _ = p.parse_known_args()\nuse(args.x)\n",
        "def f(given):\n    use(given.x)\n\nargs = p.parse_args()\nf(args)\n",
    ],
)
def test_what_a_parser_says_of_an_option(option, single, use):
    program = Program(f"p = ArgumentParser()\np.add_argument({option})\n{use}")
    node = next(call for call in program.calls if program.source(call.func) == "use").args[0].value
    assert isinstance(node, cst.Attribute)
    assert argument_parsers.is_single_value(program, node) is single
    other = Program(program.text + "args.x = given.x = None\n")
    node = next(call for call in other.calls if other.source(call.func) == "use").args[0].value
    assert isinstance(node, cst.Attribute) and not argument_parsers.is_single_value(other, node)


@pytest.mark.parametrize(
    ("parameters", "calls", "single"),
    [
        ("x: int", "", True),
        ("x: 'str' = 'a'", "", True),
        ("x: int = None", "", False),
        ("x: Optional[int]", "", False),
        ("x", "f(1)\nf(x=2.5)\n", True),
        ("x", "f(1)\nf(None)\n", False),
        ("x=1", "f()\n", True),
        ("x=None", "f(1)\n", False),
        ("x", "f(*y)\n", False),
        ("*x", "f(1)\n", False),
    ],
)
def test_what_is_known_of_a_parameter(parameters, calls, single):
    program = Program(f"def f({parameters}):\n    use(x)\n\n{calls}")
    node = next(call for call in program.calls if program.source(call.func) == "use").args[0].value
    assert isinstance(node, cst.Name)
    assert argument_parsers.is_single_parameter(program, node) is single


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"import os\n\ne = {CALL}\n", "import os\n\n\ndef to_arguments"),
        (f"# what it is\ne = {CALL}\n", "def to_arguments"),
        (f"import os\n\n\n@a\ndef f():\n    return {CALL}\n", "import os\n\n\ndef to_arguments"),
    ],
)
def test_the_helper_stands_before_its_first_user(text, wanted):
    program = Program(text)
    calls = [call for call in program.calls if program.source(call.func) == "Estimator"]
    made = apply(text, helper_placement.edits(program, calls))
    assert made.startswith(wanted) and made.count("def to_arguments") == 1
    assert "\n\n\n\n" not in made and "    return arguments\n\n\n" in made
    assert helper_placement.edits(program, []) == []


@pytest.mark.parametrize(
    ("comment", "name"),
    [
        ("# shm_size='8g',", "shm_size"),
        ("    #script_params={'--a': 1}", "script_params"),
        ("# compute_target='other',", ""),
        ("# shm_size == 8 is enough", ""),
        ("# shm_size = what it needs", ""),
        ("# use_gpu: since the images are large", ""),
        ("# script_params={", ""),
        ("# why=1", ""),
    ],
)
def test_which_comments_are_arguments(comment, name):
    assert commented_out.name(comment) == name


def test_what_was_commented_out_is_removed_and_told():
    text = (
        f"{HEAD}e = Estimator('src', compute_target='c',\n"
        "              # shm_size='8g',\n              # why so\n              entry_script='t.py')\n"
    )
    made = migrated(text)
    new = made.new.decode()
    assert "shm_size" not in new and "# why so" in new
    assert any("removed what was commented out: shm_size" in item.reason for item in made.findings)

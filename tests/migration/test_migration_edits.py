"""Changes of a program's text: arguments of calls, dictionaries that are filled, dotted names."""

from __future__ import annotations

import ast

import libcst as cst
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptrun.dropin.azureml import estimator_to_config
from scriptrun.migration.code import alignment, dict_building, dotted_names
from scriptrun.migration.code.call_layout import Arguments
from scriptrun.migration.code.edits import apply
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators import script_params
from scriptrun.migration.findings import LEFT_ALONE, REWRITTEN

# arguments of a call

BEGINS = ("", "\n    ", "  # open\n    ")
BETWEEN = (
    *(", ", ",\n    ", ",  # c{0}\n    ", ",\n    # c{0}\n    "),
    *("\n    , ", "  # c{0}\n    , ", "  # c{0}, c\n    ,"),
)
ENDS = ("", ",", "\n", ",\n", "  # end\n", ",  # end\n")
CALLS = st.lists(st.tuples(st.booleans(), st.sampled_from(BETWEEN)), min_size=1, max_size=5)


def call_of(begin, parts, end):
    words = [f"a{at}={at}{between.format(at)}" for at, (_, between) in enumerate(parts)]
    last = len(parts) - 1
    return f"e = f({begin}{''.join([*words[:-1], f'a{last}={last}'])}{end})\n"


def comments_of(text):
    return [line.partition("#")[2].strip() for line in text.splitlines() if "#" in line]


@settings(max_examples=300)
@given(
    st.sampled_from(BEGINS), CALLS, st.sampled_from(ENDS), st.integers(0, 2), st.sampled_from("fg")
)
def test_whatever_goes_and_comes_the_call_has_what_it_shall_have(begin, parts, end, new, name):
    text = call_of(begin, parts, end)
    program = Program(text)
    (call,) = program.calls
    layout = Arguments(program, call)
    for arg, (goes, _) in zip(call.args, parts, strict=True):
        if goes:
            layout.drop(arg)
    for number in range(new):
        layout.add(f"n{number}={number}")
    made = apply(text, layout.edits(name * 3, call.func))
    (node,) = (each for each in ast.walk(ast.parse(made)) if isinstance(each, ast.Call))
    kept = [f"a{at}" for at, (goes, _) in enumerate(parts) if not goes]
    found = {each.arg: ast.literal_eval(each.value) for each in node.keywords}
    assert sorted(found) == sorted([*kept, *(f"n{number}" for number in range(new))])
    assert all(value == int(key[1:]) for key, value in found.items())
    assert ast.unparse(node.func) == name * 3
    told = [each.text.removeprefix("#").strip() for each in layout.comments]
    assert sorted(comments_of(made) + told) == sorted(comments_of(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("f(a=1,\n  b=2)", "longer(a=1,\n       b=2)"),
        ("f(a=1,\n    b=2)", "longer(a=1,\n         b=2)"),
        ("f(\n    a=1,\n    b=2)", "longer(\n    a=1,\n    b=2)"),
        ('f(a="""x\n  y""",\n  b=2)', 'longer(a="""x\n  y""",\n       b=2)'),
        ("f(a=[\n    1,\n  ],\n  b=2)", "longer(a=[\n    1,\n  ],\n       b=2)"),
        ("f(1,\n  a=[\n      1,\n  ])", "longer(1,\n       a=[\n           1,\n       ])"),
    ],
)
def test_lines_below_the_parenthesis_move_with_it(old, new):
    program = Program(old + "\n")
    (call,) = program.calls
    edits = Arguments(program, call).edits("longer", call.func)
    assert apply(old, [*edits, *alignment.edits(program, edits)]) == new


def test_the_comma_before_the_next_line_goes_with_the_arguments_before_it():
    text = "f(a=1  # one\n  , b=2  # two\n  , c=3)\n"
    program = Program(text)
    (call,) = program.calls
    layout = Arguments(program, call)
    for arg in call.args[:2]:
        layout.drop(arg)
    made = apply(text, layout.edits("f", call.func))
    assert [each.arg for each in ast.parse(made).body[0].value.keywords] == ["c"]
    assert [each.text.strip("# ") for each in layout.comments] == ["one", "two"]


def test_an_argument_is_renamed_replaced_and_parted():
    text = "f(a=1,\n  b=2)\n"
    program = Program(text)
    (call,) = program.calls
    layout = Arguments(program, call)
    layout.rename(call.args[0], "z")
    layout.replace(call.args[1], layout.join(call.args[1], ["x=1", "y=2"]))
    assert apply(text, layout.edits("f", call.func)) == "f(z=1,\n  x=1,\n  y=2)\n"


# dictionaries that are filled step by step


def steps_of(text, spread=False):
    program = Program(text)
    calls = [each for each in program.calls if program.source(each.func) == "use"]
    name = calls[0].args[0].value
    found = dict_building.building_steps(program, name, calls, spread)
    return program, found


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("p = {}\np['a'] = 1\np['b'] = 2\nuse(script_params=p)\n", ["'a'", "'b'"]),
        ("p = {'a': 1}\nuse(script_params=p)\n", []),
        ("p = {}\nif x:\n    p['a'] = 1\nuse(script_params=p)\n", ["'a'"]),
        ("p = {'a': 1}\np['a'] = 2\nuse(script_params=p)\n", None),
        ("p = {}\np['a'] = 1\np['a'] = 2\nuse(script_params=p)\n", None),
        ("p = {}\nfor x in y:\n    p['a'] = x\nuse(script_params=p)\n", None),
        ("p = {}\nuse(script_params=p)\np['a'] = 1\n", None),
        ("p = {}\np[x] = 1\nuse(script_params=p)\n", None),
        ("p = {}\np['a'] = q['b'] = 1\nuse(script_params=p)\n", None),
        ("p = {}\np['a'] += 1\nuse(script_params=p)\n", None),
        ("p = {}\np['a']['b'] = 1\nuse(script_params=p)\n", None),
        ("p = {}\ndef f():\n    p['a'] = 1\nuse(script_params=p)\n", None),
        ("p = {}\np['a'] = 1\nprint(p)\nuse(script_params=p)\n", None),
        ("p = {}\np = {}\np['a'] = 1\nuse(script_params=p)\n", None),
        ("p = {}\np['a'] = 1\nuse(other=p)\n", None),
        ("p = make()\np['a'] = 1\nuse(script_params=p)\n", None),
    ],
)
def test_only_steps_that_are_certainly_taken_once_count(text, keys):
    program, found = steps_of(text)
    assert (found and [program.source(each.key) for each in found]) == (keys or keys)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("kw = dict(a=1)\nkw['b'] = 2\nuse(**kw)\n", 1),
        ("kw = dict(a=1)\nkw['a'] = 2\nuse(**kw)\n", None),
        ("kw = dict(x)\nkw['b'] = 2\nuse(**kw)\n", None),
        ("kw = {}\nif x:\n    kw['b'] = 2\nuse(**kw)\n", None),
        ("kw = {}\nkw['b'] = 2\nuse(script_params=kw)\n", None),
    ],
)
def test_what_is_spread_must_be_filled_for_certain(text, count):
    _, found = steps_of(text, spread=True)
    assert (None if found is None else len(found)) == count


VALUES = st.one_of(
    st.none(), st.just(""), st.text(max_size=4), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.integers(), max_size=3), st.booleans(),
)  # fmt: skip
PARAMS = st.dictionaries(st.from_regex(r"--[a-z]{1,3}", fullmatch=True), VALUES, max_size=5)


@settings(max_examples=300)
@given(PARAMS, st.sampled_from(["{}", "{{}}.copy() or {}"]))
def test_a_dictionary_as_a_list_gives_the_words_that_an_estimator_gave(params, form):
    text = f"p = {params!r}\n"
    program = Program(text)
    (node,) = program.nodes(cst.Dict)
    changed = script_params.convert_literal(program, node)
    space: dict = {}
    exec(apply(text, changed.edits), space)
    wanted = estimator_to_config.flatten_parameters(params)
    assert space["p"] == wanted
    assert [type(each) for each in space["p"]] == [type(each) for each in wanted]
    exec("\n".join(script_params.helper_lines(program)), space)
    whole = script_params.convert_any(program, form.format(repr(params)))
    assert eval(whole, space) == wanted


@settings(max_examples=60)
@given(PARAMS)
def test_steps_as_a_list_give_the_same_words_in_the_same_order(params):
    lines = [f"p[{key!r}] = {value!r}" for key, value in params.items()]
    text = "\n".join(["p = {}", *lines, "use(script_params=p)", ""])
    program, found = steps_of(text)
    literal = script_params.convert_literal(program, program.nodes(cst.Dict)[0])
    edits = [
        *literal.edits,
        *(edit for step in found for edit in dict_building.edits(program, step)),
    ]
    space: dict = {"use": lambda script_params: None}
    exec(apply(text, edits), space)
    assert space["p"] == estimator_to_config.flatten_parameters(params)


@pytest.mark.parametrize("text", ["{**x}", "{x: 1}", "{'a': 1, 'a': 2}", "{None: 1}", "{f(): 1}"])
def test_keys_that_are_not_certain_make_no_list(text):
    program = Program(f"p = {text}\n")
    assert script_params.convert_literal(program, program.nodes(cst.Dict)[0]) is None


# names with dots

OURS = {"Workspace", "Run", "choice"}


def moved(text, hidden=(), hindered=""):
    program = Program(text, hidden)

    def home(module, name):
        return "scriptrun" if module.startswith("azureml") and name in OURS else ""

    def hindrance(program, users, local):
        return "it is in the way" if hindered and local.endswith(hindered) else ""

    made = dotted_names.move(program, home, hindrance)
    return apply(text, made.edits), made


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "import azureml.core\nws = azureml.core.Workspace.from_config()\n",
            "import scriptrun\nws = scriptrun.Workspace.from_config()\n",
        ),
        (
            "import azureml.core as az\nr = az.Run\n",
            "import scriptrun as az\nr = az.Run\n",
        ),
        (
            "import azureml.core, azureml.train.hyperdrive\nazureml.train.hyperdrive.choice(1)\n",
            "import scriptrun\nscriptrun.choice(1)\n",
        ),
        (
            "def f():\n    import azureml.core\n    return azureml.core.Run\n",
            "def f():\n    import scriptrun\n    return scriptrun.Run\n",
        ),
        (
            "import azureml.core as az\nprint(az.VERSION)\n",
            "import scriptrun as az\nprint(az.__version__)\n",
        ),
        (
            "import azureml.core, os\nazureml.core.Run\n",
            "import os\nimport scriptrun\nscriptrun.Run\n",
        ),
        (
            "import azureml.core\nprint('SDK', azureml.core.VERSION)\n",
            "import scriptrun\nprint('SDK', scriptrun.__version__)\n",
        ),
    ],
)
def test_imports_with_dots_become_scriptruns(old, new):
    text, made = moved(old)
    assert text == new
    assert made.remaining == [] and {each.kind for each in made.findings} == {REWRITTEN}
    assert moved(text)[0] == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import azureml.core\nazureml.core.Image()\n", "has no core.Image"),
        ("import azureml.core as az\naz.Image()\n", "has no Image"),
        ("import azureml.core as az\nuse(az)\n", "as a value"),
        ("import azureml.core, os\nazureml.core.Image\n", "has no core.Image"),
    ],
)
def test_what_is_left_is_told_and_still_imported(text, reason):
    new, made = moved(text)
    assert [each.kind for each in made.findings] == [LEFT_ALONE] and reason in made.findings[
        0
    ].reason
    assert len(made.remaining) == 1 and "azureml" in new
    compile(new, "new", "exec")


def test_a_line_that_is_no_python_and_a_use_that_goes_too_far_keep_the_import():
    text = "import azureml.core\nazureml.core.Run\nazureml.core.Workspace(1)\n"
    assert moved(text)[1].remaining == []
    new, made = moved(text, hindered="Workspace")
    assert made.findings[0].reason == "it is in the way"
    assert "import azureml.core\n" in new and "azureml.core.Workspace(1)" in new
    assert "scriptrun.Run" in new and "import scriptrun\n" in new
    assert moved(text, hidden=["azureml"])[1].remaining != []


def test_a_program_that_calls_something_else_scriptrun_keeps_azuremls_names():
    text = "import azureml.core\nscriptrun = 1\nprint(azureml.core.Run)\n"
    new, made = moved(text)
    assert new == text and "something else" in made.findings[0].reason


@pytest.mark.parametrize(
    ("use", "shown"),
    [
        ("print(azureml.core.VERSION)", True),
        ("print(f'SDK {azureml.core.__version__}')", True),
        ("log.info('%s', azureml.core.VERSION)", True),
        ("v = azureml.core.VERSION", False),
        ("assert azureml.core.VERSION", False),
        ("run(lambda: azureml.core.VERSION)", False),
        ("if azureml.core.VERSION > '1': pass", False),
        ("print(azureml.core.Run)", False),
    ],
)
def test_whether_a_version_is_only_shown(use, shown):
    program = Program(f"import azureml.core\n{use}\n")
    names = ("azureml.core.VERSION", "azureml.core.__version__", "azureml.core.Run")
    node = next(
        each
        for each in program.nodes(cst.Attribute)
        if program.source(each) in names and program.line(each) == 2
    )
    assert dotted_names.is_displayed_version(program, node) is shown

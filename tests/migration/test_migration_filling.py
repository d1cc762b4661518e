"""Dictionaries of script_params that are filled step by step become lists that grow."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.migration.versions import jobs, migrated

from scriptrun.core.workspace import Workspace

HEAD = """\
from azureml.core import Workspace
from azureml.train.estimator import Estimator
ws = Workspace.from_config()
words = ['x', 'y']
"""
CALL = "Estimator('src', compute_target='c', entry_script='t.py', script_params=p)"
#: what a whole dictionary becomes where it is not certain what is in it
WHOLE = "to_arguments("


@pytest.fixture(scope="module")
def place(tmp_path_factory, azureml):
    """A workspace with a source directory."""
    root = tmp_path_factory.mktemp("project")
    Workspace.create("place", path=root)
    (root / "src").mkdir()
    return root


def same(text: str) -> str:
    """The rewritten program, which says the same jobs."""
    outcome = migrated(text)
    new = outcome.new.decode()
    assert "Estimator(" not in new, outcome.findings
    assert jobs(new) == jobs(text) and jobs(new), new
    assert not migrated(new).is_changed
    return new


@pytest.fixture(autouse=True)
def in_place(place, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_WORKSPACE", str(place))
    monkeypatch.chdir(place)


def test_each_step_adds_its_words():
    new = same(
        f"{HEAD}p = {{'--a': 1}}\np['--lr'] = (0.1 +\n           0.2)  # slow\nif ws:\n"
        f"    p['--flag'] = ''\np['--words'] = words\ne = {CALL}\n"
    )
    for line in ("p = ['--a', 1]", "           0.2)]  # slow", "    p += ['--flag']",
                 "p += ['--words', *words]"):  # fmt: skip
        assert line in new.splitlines()
    assert WHOLE not in new


def test_settings_that_are_filled_step_by_step_are_read_from_where_they_are():
    new = same(
        f"{HEAD}kw = dict(entry_script='t.py', compute_target='c')\nkw['use_gpu'] = True\n"
        "kw['pip_packages'] = words\nkw['script_params'] = {'--a': ws.name}\n"
        "e = Estimator('src', **kw)\n"
    )
    assert "script=kw['entry_script']," in new and "compute_target=kw['compute_target']," in new
    assert "pip_packages=kw['pip_packages']" in new and "DEFAULT_GPU_IMAGE" in new


def test_one_that_is_made_in_a_loop_is_filled_there():
    new = same(f"{HEAD}for x in [1, 2]:\n    p = {{}}\n    p['--x'] = x\n    e = {CALL}\n")
    assert "    p += ['--x', x]\n" in new and WHOLE not in new


@pytest.mark.parametrize(
    "steps",
    [
        "p = {'--a': 1}\np['--a'] = 2\ne = CALL\n",
        "p = {}\nfor x in [1, 2]:\n    p['--x'] = x\ne = CALL\n",
        "p = {}\ndef fill():\n    p['--x'] = 1\nfill()\ne = CALL\n",
        "p = {}\nkey = '--' + ws.name\np[key] = 1\ne = CALL\n",
        "p = {}\ne = CALL\np['--x'] = 1\n",
        "p = {}\np['--x'] = 1\np['--y'] = p['--x']\ne = CALL\n",
        "p = {}\np['--x'] = 1\np['--x'] += 1\ne = CALL\n",
        "p = q = {}\nq['--x'] = 1\ne = CALL\n",
        "p = {}\np['--x'] = q = 1\ne = CALL\n",
        "p = {'--x': 1}\ndel p['--x']\ne = CALL\n",
        "p = {}\np['--x'] = words\nwords.append('z')\ne = CALL\n",
        "p = {}\np['--x'] = 1\nprint(p)\ne = CALL\n",
    ],
)
def test_what_is_not_certain_is_read_when_the_code_runs(steps):
    new = same(HEAD + steps.replace("CALL", CALL))
    assert WHOLE in new and "p += " not in new


KEYS = st.sampled_from(["'--a'", "'--b'", "'--c'", "'d'"])
VALUES = st.sampled_from(
    ["1", "''", "None", "[]", "['u', 2]", "words", "ws", "f'{ws.name}'", "0.5"]
)
LEADS = st.sampled_from(["", "", "", "if ws: ", "if not ws: ", "for n in (1, 2): "])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    made=st.lists(st.tuples(KEYS, VALUES), max_size=2, unique_by=lambda each: each[0]),
    steps=st.lists(st.tuples(LEADS, KEYS, VALUES), min_size=1, max_size=4),
    again=st.booleans(),
)
def test_generated_steps_say_the_same_job(made, steps, again):
    first = ", ".join(f"{key}: {value}" for key, value in made)
    lines = [f"{lead}p[{key}] = {value}" for lead, key, value in steps]
    lines.insert(len(lines) // 2 if again else len(lines), f"e = {CALL}")
    same("\n".join([f"{HEAD}p = {{{first}}}", *lines, f"f = {CALL}", ""]))

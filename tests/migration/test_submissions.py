"""What azureml's names decide by themselves stands in the calls of scriptrun's: pins, outputs."""

from __future__ import annotations

import textwrap

import libcst as cst
import pytest
from tests.migration.versions import migrated

from scriptrun.migration import experiment_values, submissions
from scriptrun.migration.code.program import Program

HEAD = "from azureml.core import Experiment, Run, Workspace\nexp = Experiment(ws, 'x')\n"
LOOK = "needs a look"


def rewritten(code: str) -> str:
    """The lines of ``code``, which stand below HEAD, after the rewriting."""
    outcome = migrated(HEAD + textwrap.dedent(code), "scriptrun")
    again = migrated(outcome.new.decode(), "scriptrun")
    assert not again.is_changed
    return outcome.new.decode().partition("'x')\n")[2]


SUBMISSIONS = {
    "exp.submit(config)": "exp.submit(config, pins='relax')",
    "exp.submit(config=c, tags={'a': 'b'})": "exp.submit(config=c, tags={'a': 'b'}, pins='relax')",
    "exp.submit(c, **more)": "exp.submit(c, **more, pins='relax')",
    "exp.submit((c), )": "exp.submit((c), pins='relax', )",
    "exp.submit(c  # why\n)": "exp.submit(c, pins='relax'  # why\n)",
    "exp.submit(c,\n           tags=t)": "exp.submit(c,\n           tags=t,\n           pins='relax')",
    "exp.submit(\n    c,\n    tags=t,  # why\n)": (
        "exp.submit(\n    c,\n    tags=t,  # why\n    pins='relax',\n)"
    ),
    "exp.submit_many([c])": "exp.submit_many([c], pins='relax')",
    "Experiment(ws, 'y').submit(c)": "Experiment(ws, 'y').submit(c, pins='relax')",
    "(exp if a else Experiment(ws, 'y')).submit(c)": (
        "(exp if a else Experiment(ws, 'y')).submit(c, pins='relax')"
    ),
    "ws.experiments['y'].submit(c)": "ws.experiments['y'].submit(c, pins='relax')",
    "ws.experiments.get('y').submit(c)": "ws.experiments.get('y').submit(c, pins='relax')",
    "def go(e, c):\n    return e.submit(c)\ngo(exp, c)": (
        "def go(e, c):\n    return e.submit(c, pins='relax')\ngo(exp, c)"
    ),
    "def go(e: Experiment):\n    e.submit(c)": (
        "def go(e: Experiment):\n    e.submit(c, pins='relax')"
    ),
    "def go(e: 'Optional[Experiment]', c):\n    e.submit(c)\ngo(exp, 1)": (
        "def go(e: 'Optional[Experiment]', c):\n    e.submit(c, pins='relax')\ngo(exp, 1)"
    ),
    "from typing import Optional\ndef go(e: Optional[Experiment] = None):\n    e.submit(c)": (
        "from typing import Optional\ndef go(e: Optional[Experiment] = None):\n"
        "    e.submit(c, pins='relax')"
    ),
    "def go(e: Experiment | None = None):\n    e.submit(c)": (
        "def go(e: Experiment | None = None):\n    e.submit(c, pins='relax')"
    ),
    "def get():\n    return exp\nget().submit(c)": (
        "def get():\n    return exp\nget().submit(c, pins='relax')"
    ),
    "class A:\n    def __init__(self):\n        self.e = exp\n    def f(self):\n        self.e.submit(c)": (
        "class A:\n    def __init__(self):\n        self.e = exp\n    def f(self):\n"
        "        self.e.submit(c, pins='relax')"
    ),
    "class A:\n    def __init__(self):\n        self.w, self.e = ws, exp\n    def f(self):\n        self.e.submit(c)": (
        "class A:\n    def __init__(self):\n        self.w, self.e = ws, exp\n    def f(self):\n"
        "        self.e.submit(c, pins='relax')"
    ),
    "Run.get_context().experiment.submit(c)": (
        "Run.get_context().experiment.submit(c, pins='relax')"
    ),
    "class Mine(Experiment):\n    pass\nMine(ws, 'm').submit(c)": (
        "class Mine(Experiment):\n    pass\nMine(ws, 'm').submit(c, pins='relax')"
    ),
    "with exp.start_logging() as run:\n    run.submit_child(c)": (
        "with exp.start_logging(outputs='outputs') as run:\n    run.submit_child(c, pins='relax')"
    ),
    "if a:\n    run = exp.start_logging(outputs=False)\nelse:\n    run = exp.submit(c)\nrun.submit_child(c)": (
        "if a:\n    run = exp.start_logging(outputs=False)\nelse:\n"
        "    run = exp.submit(c, pins='relax')\nrun.submit_child(c, pins='relax')"
    ),
    "exp.start_logging(outputs=None)": "exp.start_logging(outputs='outputs')",
    "exp.start_logging(\n)": "exp.start_logging(outputs='outputs'\n)",
    "exp.start_logging(snapshot_directory=None)": (
        "exp.start_logging(snapshot_directory=None, outputs='outputs')"
    ),
}


@pytest.mark.parametrize("number", range(len(SUBMISSIONS)))
def test_what_certainly_submits_says_its_pins(number):
    code, expected = [*SUBMISSIONS.items()][number]
    assert rewritten(code) == expected


@pytest.mark.parametrize(
    "code",
    [
        "exp.submit(c, pins='exact')",
        "exp.start_logging(outputs=False)",
        "exp.start_logging(outputs='mine')",
        "Run.get_context().submit_child(c)",  # has its run's
        "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor().submit(f)",
        "from azureml.pipeline.core import Pipeline\np = Pipeline(ws, [])\nexp.submit(p)",
        "class Form:\n    pass\nForm().submit(c)",
    ],
)
def test_other_calls_stay(code):
    outcome = migrated(f"{HEAD}{code}\n", "scriptrun")
    assert outcome.new.decode().endswith(f"{code.splitlines()[-1]}\n")
    assert not [each for each in outcome.findings if "submit" in each.what]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def go(e, c):\n    return e.submit(c)", "if it submits a job: its pins are exact"),
        ("[*map(exp.submit, configs)]", "it is passed on, so its pins are exact"),
        ("exp.start_logging(**more)", "without outputs="),
        ("exp.start_logging(outputs=folder)", "without outputs="),
        ("def go(e):\n    return e.start_logging()", "without outputs="),
    ],
)
def test_what_is_uncertain_stays_and_is_told(code, words):
    outcome = migrated(f"{HEAD}{code}\n", "scriptrun")
    assert outcome.new.decode().endswith(f"{code}\n")
    (finding,) = [each for each in outcome.findings if each.kind == LOOK]
    assert words in finding.reason and finding.advice
    assert finding.line == 2 + len(code.splitlines())


def test_azuremls_own_names_need_none():
    assert "pins" not in migrated(f"{HEAD}exp.submit(c)\n", "azureml").new.decode()


def test_the_programs_own_quotes_are_used():
    program = Program('from azureml.core import Experiment\nExperiment(ws, "x").submit(c)\n')
    (edit,) = submissions.rewrite(program).edits
    assert edit.text == ', pins="relax"'


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("exp", experiment_values.EXPERIMENT),
        ("exp.start_logging()", experiment_values.LOGGED_RUN),
        ("exp.submit(c)", experiment_values.JOB_RUN),
        ("print", experiment_values.UNKNOWN),
        ("a.b[0]", experiment_values.UNKNOWN),
    ],
)
def test_what_an_expression_is(code, kind):
    program = Program(f"{HEAD}{code}\n")
    line = program.module.body[-1]
    assert isinstance(line, cst.SimpleStatementLine)
    assert experiment_values.find_kind(program, line.body[0].value) == kind

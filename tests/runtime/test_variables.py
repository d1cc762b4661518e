from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.runtime.launcher import variables
from scriptrun.runtime.order import Attempt, LaunchOrder

JOB = {"id": "exp_1", "experiment": "exp", "workspace": "ws", "script": "train.py"}
ORDER = LaunchOrder(
    folder="/runs/exp_1",
    workspace="/ws",
    store="/ws/.scriptrun/snapshots",
    runtime="/ws/.scriptrun/runtime/abc",
    python="/env/bin/python",
    bin="/env/bin",
    prefix="/env",
    environ={"PATH": "/usr/bin", "PYTHONPATH": "/mine", "PYTHONHOME": "/x", "A": "inherited"},
)
SYSTEM = variables.system_variables(JOB, Attempt(ORDER))


@given(st.text())
def test_text_without_references_is_untouched(text):
    if not re.search(r"\$\{?(" + "|".join(SYSTEM) + ")", text):
        assert variables.expand(text, SYSTEM) == text


@given(st.text(st.characters(codec="utf-8")), st.sampled_from(sorted(SYSTEM)), st.booleans())
def test_a_reference_is_expanded_wherever_it_stands(before, name, braces):
    reference = f"${{{name}}}" if braces else f"${name}"
    before = before.replace("$", "") + "/"
    assert variables.expand(f"{before}{reference}/x", SYSTEM) == f"{before}{SYSTEM[name]}/x"


@pytest.mark.parametrize(
    "text", ["$HOME", "$AZUREML_RUN_IDS", "${AZUREML_RUN_ID", "$$", "$", "a$ b", "${}", "$1"]
)
def test_what_is_no_reference_of_ours_stays(text):
    assert variables.expand(text, SYSTEM) == text


def test_a_value_is_not_expanded_again():
    assert variables.expand("$A", {"A": "$B", "B": "x"}) == "$B"


def environment(job=(), order=(), given=None):
    job, order = {**JOB, **dict(job)}, ORDER.replace(**dict(order))
    system = variables.system_variables(job, Attempt(order))
    return variables.process_environment(job, order, system)


def test_the_jobs_variables_win_over_inherited_ones_and_ours_over_both():
    seen = environment({"variables": {"A": "named", "SCRIPTRUN_RUN_ID": "a lie"}})
    assert (seen["A"], seen["SCRIPTRUN_RUN_ID"]) == ("named", "exp_1")
    assert seen["AZUREML_RUN_ID"] == "exp_1"


def test_where_mlflow_logged_in_the_submitting_process_is_not_the_jobs():
    names = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME")
    theirs = dict.fromkeys(names, "the submitter's")
    order = ORDER.replace(environ={**ORDER.environ, **theirs, "MLFLOW_TRACKING_TOKEN": "t"})

    def seen(**job):
        return variables.process_environment({**JOB, **job}, order, SYSTEM)

    assert not set(names) & set(seen())
    assert seen()["MLFLOW_TRACKING_TOKEN"] == "t"
    own = seen(variables={"MLFLOW_TRACKING_URI": "http://mine"})
    assert own["MLFLOW_TRACKING_URI"] == "http://mine" and "MLFLOW_RUN_ID" not in own
    assert seen(passed=["MLFLOW_TRACKING_URI"])["MLFLOW_TRACKING_URI"] == "the submitter's"


@pytest.mark.parametrize(
    "given, seen", [("module://matplotlib_inline.backend_inline", None), ("agg", "agg")]
)
def test_a_notebooks_way_to_draw_stays_with_the_notebook(given, seen):
    inherited = {**ORDER.environ, "MPLBACKEND": given}
    assert environment(order={"environ": inherited}).get("MPLBACKEND") == seen
    job = {"variables": {"MPLBACKEND": "module://mine"}}
    assert environment(job, {"environ": inherited})["MPLBACKEND"] == "module://mine"


def test_the_users_pythonpath_is_kept_behind_ours():
    assert environment()["PYTHONPATH"].split(os.pathsep) == [ORDER.runtime, "/mine"]
    assert environment(order={"environ": {}})["PYTHONPATH"] == ORDER.runtime
    named = environment({"variables": {"PYTHONPATH": "/named"}})
    assert named["PYTHONPATH"].split(os.pathsep) == [ORDER.runtime, "/named"]


def test_the_environments_programs_come_first():
    seen = environment()
    assert seen["PATH"] == "/env/bin" + os.pathsep + "/usr/bin"
    assert seen["VIRTUAL_ENV"] == "/env"
    assert "PYTHONHOME" not in seen
    away = environment(order={"prefix": None, "environ": {"VIRTUAL_ENV": "/other"}})
    assert "VIRTUAL_ENV" not in away


def test_devices_are_named_only_where_some_were_given():
    assert "CUDA_VISIBLE_DEVICES" not in environment()
    assert environment(order={"devices": "GPU-1"})["CUDA_VISIBLE_DEVICES"] == "GPU-1"


def test_a_script_gets_its_arguments_and_a_command_a_shell():
    job = {**JOB, "arguments": ["$AZUREML_RUN_ID", "$HOME", ""]}
    line = variables.command_line(job, ORDER, SYSTEM)
    assert line == ["/env/bin/python", "train.py", "exp_1", "$HOME", ""]
    line = variables.command_line({**JOB, "command": "echo $HOME"}, ORDER, SYSTEM)
    assert line[1:] == ["-c", "echo $HOME"]


def test_the_workspace_is_told_as_it_was_created(tmp_path):
    (tmp_path / ".scriptrun").mkdir()
    facts = b'{"name": "ws", "subscription_id": "sub-1", "resource_group": "rg"}'
    (tmp_path / ".scriptrun" / "workspace.json").write_bytes(facts)
    seen = variables.system_variables(JOB, Attempt(ORDER.replace(workspace=str(tmp_path))))
    assert (seen["AZUREML_ARM_SUBSCRIPTION"], seen["AZUREML_ARM_RESOURCEGROUP"]) == ("sub-1", "rg")
    assert SYSTEM["AZUREML_ARM_RESOURCEGROUP"] == "scriptrun"

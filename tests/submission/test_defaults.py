"""A job takes from the settings what it leaves open, and nothing else."""

from __future__ import annotations

import warnings

import pytest

from scriptrun import (
    Environment,
    Experiment,
    HyperDriveConfig,
    PrimaryMetricGoal,
    RandomParameterSampling,
    RunConfiguration,
    ScriptRunConfig,
    Workspace,
    uniform,
)
from scriptrun.registry import compute_targets
from scriptrun.spec.errors import ScriptrunError
from scriptrun.submission import check, defaults
from scriptrun.submission.check import Origin

SETTINGS = 'compute = "other"\nrequirements = "r.txt"\ntags = { team = "vision" }\n'


@pytest.fixture
def ws(tmp_path, monkeypatch):
    workspace = Workspace.create("w", path=tmp_path)
    local = compute_targets.resolve(workspace, "local")
    compute_targets.put(workspace, local.replace(name="other"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("print(1)\n")
    (tmp_path / "r.txt").write_text("six\n")
    (tmp_path / "scriptrun.toml").write_text(SETTINGS)
    return workspace


def job_of(ws, config, tags=None):
    config, filled = defaults.fill(config, ws, defaults.Filled(Origin(), tags))
    return check.check(config, ws, "e", filled.tags, filled.origin).job


def test_what_is_open_is_filled_in(ws):
    config = ScriptRunConfig(".", "train.py")
    job = job_of(ws, config)
    assert job.target.name == "other"
    assert job.environment.pip == ("six",)
    assert job.tags == {"team": "vision"}
    origins = [note for note in job.notes if "scriptrun.toml" in note]
    assert [note.rpartition(":")[2] for note in origins] == ["1", "2"]
    assert config.run_config.target == "local"  # the user's own object stays as it is
    assert config.run_config.environment == RunConfiguration().environment


def test_code_wins(ws, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_COMPUTE", "other")
    monkeypatch.setenv("SCRIPTRUN_ENVIRONMENT", "nothing-of-that-name")
    here = Environment("here")
    here.python.user_managed_dependencies = True
    config = ScriptRunConfig(".", "train.py", compute_target="local", environment=here)
    job = job_of(ws, config, {"team": "mine"})
    assert (job.target.name, job.environment.kind) == ("local", "interpreter")
    assert job.tags == {"team": "mine"} and not [n for n in job.notes if "comes from" in n]


def test_variables_on_the_default_environment_are_kept(ws):
    config = ScriptRunConfig(".", "train.py")
    config.run_config.environment.environment_variables["MESSAGE"] = "hello"
    job = job_of(ws, config)
    assert job.environment.pip == ("six",) and job.variables == {"MESSAGE": "hello"}
    config.run_config.environment.docker.shm_size = "4g"
    assert job_of(ws, config).environment.pip == ()


def test_setting_the_default_target_by_name_is_a_choice(ws):
    config = ScriptRunConfig(".", "train.py")
    config.run_config.target = "local"
    assert job_of(ws, config).target.name == "local"


def test_a_runconfig_file_that_names_a_target_wins_over_files(ws, tmp_path):
    (tmp_path / "a.runconfig").write_text("script: train.py\ntarget: local\n")
    (tmp_path / "b.runconfig").write_text("script: train.py\n")
    names = {}
    for name in ("a", "b"):
        loaded = RunConfiguration.load(".", name)
        names[name] = job_of(ws, ScriptRunConfig(".", run_config=loaded)).target.name
    assert names == {"a": "local", "b": "other"}


def test_a_scripts_header_wins_over_files(ws, tmp_path):
    header = '# /// script\n# dependencies = ["attrs"]\n# ///\n'
    (tmp_path / "train.py").write_text(f"{header}print(1)\n")
    assert job_of(ws, ScriptRunConfig(".", "train.py")).environment.pip == ("attrs",)


def test_the_job_of_a_sweep_is_filled_in(ws):
    sweep = HyperDriveConfig(
        RandomParameterSampling({"lr": uniform(0, 1)}),
        *("loss", PrimaryMetricGoal.MINIMIZE, 2),
        run_config=ScriptRunConfig(".", "train.py"),
    )
    filled, _ = defaults.fill(sweep, ws, defaults.Filled(Origin()))
    assert filled.run_config.run_config.target == "other"
    assert sweep.run_config.run_config.target == "local"


def test_submission_from_python(ws):
    run = Experiment(ws, "e").submit(ScriptRunConfig(".", "train.py", environment=_here()))
    assert run.get_tags()["team"] == "vision"
    assert run.get_details()["target"] == "other"
    runs = Experiment(ws, "e").submit_many([ScriptRunConfig(".", "train.py", environment=_here())])
    assert runs[0].get_details()["target"] == "other"
    for each in (run, *runs):
        each.wait_for_completion()


def _here():
    environment = Environment("here")
    environment.python.user_managed_dependencies = True
    return environment


def test_warnings_about_settings_are_python_warnings(ws, tmp_path):
    (tmp_path / "scriptrun.toml").write_text('notify = ["true"]\n')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = Experiment(ws, "e").submit(ScriptRunConfig(".", "train.py"))
    assert [each for each in caught if "ignoring notify" in str(each.message)]
    run.wait_for_completion()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('compute = "othr"\n', ["'othr' not found", "Did you mean 'other'?"]),
        ('environment = "scriptrun-sklearm"\n', ["scriptrun-sklearm"]),
        ('requirements = "gone.txt"\n', ["gone.txt"]),
        ('pixi-project = "gone:train"\n', ["gone"]),
        ('uv-project = "gone"\n', ["gone"]),
    ],
)
def test_an_error_names_the_setting_and_its_line(ws, tmp_path, text, parts):
    (tmp_path / "scriptrun.toml").write_text(text)
    with pytest.raises(ScriptrunError) as caught:
        job_of(ws, ScriptRunConfig(".", "train.py"))
    key = text.partition(" ")[0]
    for part in [*parts, f"\n  The setting {key} is in {tmp_path}/scriptrun.toml:1."]:
        assert part in str(caught.value)
    assert caught.value.exit_code == 2


def test_what_is_no_configuration_is_left_to_the_check(ws):
    for config in (None, 5, RunConfiguration(), ScriptRunConfig(5, "train.py")):
        filled, given = defaults.fill(config, ws, defaults.Filled(Origin()))
        assert filled is config and given == defaults.Filled(Origin())

"""A place to try sweeps in: a workspace, a script, and short words for configurations."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from scriptrun import (
    BanditPolicy,
    Environment,
    Experiment,
    HyperDriveConfig,
    HyperDriveRun,
    Model,
    PrimaryMetricGoal,
    RandomParameterSampling,
    Run,
    ScriptRunConfig,
    Workspace,
    choice,
    loguniform,
    uniform,
)
from scriptrun.testing.jobs import until

SCRIPT = """
import argparse, os, sys, time
from scriptrun import Run
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--n", type=int, default=0)
parser.add_argument("--steps", type=int, default=1)
parser.add_argument("--sleep", type=float, default=0.0)
parser.add_argument("--gate")
parser.add_argument("--resume-from")
parser.add_argument("--mark")
options = parser.parse_args()
if options.mark:
    with open(options.mark, "a") as handle:
        handle.write(os.environ["SCRIPTRUN_RUN_ID"] + "\\n")
while options.gate and not os.path.exists(options.gate):
    time.sleep(0.02)
run = Run.get_context()
open("outputs/model.txt", "w").write(str(options.x))
for step in range(options.steps):
    run.log("accuracy", options.x)
    run.flush()
    time.sleep(options.sleep)
if options.resume_from:
    print("from", options.resume_from, open(options.resume_from + "/model.txt").read())
"""


class Tuner:
    def __init__(self, root: Path, target: object = None) -> None:
        self.root, self.target = root, target
        self.workspace = Workspace.create("sweeps", path=root, exist_ok=True)
        self.experiment = Experiment(self.workspace, "tune")
        self.source = root / "source"
        self.source.mkdir(exist_ok=True)
        self.script(SCRIPT)

    def script(self, code: str) -> None:
        (self.source / "train.py").write_text(code, encoding="utf-8")

    def job(self, *arguments: object, **settings: object) -> ScriptRunConfig:
        environment = Environment("here")
        environment.python.user_managed_dependencies = True
        environment.python.interpreter_path = sys.executable
        made = ScriptRunConfig(
            str(self.source), "train.py", list(arguments), environment=environment, **settings
        )
        if self.target is not None:
            made.run_config.target = self.target
        return made

    def config(self, *arguments: object, **settings: object) -> HyperDriveConfig:
        ready = {
            "run_config": settings.pop("job", None) or self.job(*arguments),
            "hyperparameter_sampling": RandomParameterSampling({"x": uniform(0, 1)}, {"seed": 1}),
            "primary_metric_name": "accuracy",
            "primary_metric_goal": PrimaryMetricGoal.MAXIMIZE,
            "max_total_runs": 4,
            "max_concurrent_runs": 2,
        }
        return HyperDriveConfig(**{**ready, **settings})

    def submit(self, *arguments: object, **settings: object):
        return self.experiment.submit(self.config(*arguments, **settings))

    def run(self, *arguments: object, **settings: object):
        sweep = self.submit(*arguments, **settings)
        ended(sweep)
        return sweep


def tuned_to_a_model(tuner: Tuner, **settings: object) -> HyperDriveRun:
    """What the issue's page shows, wherever the runs are: a sweep, its best, a model, its files."""
    sweep = tuner.submit(
        hyperparameter_sampling=RandomParameterSampling(
            {"--x": loguniform(-6, -1), "--n": choice(32, 64)}
        ),
        policy=BanditPolicy(evaluation_interval=2, slack_factor=0.1),
        max_total_runs=3,
        **settings,
    )
    details = sweep.wait_for_completion(show_output=True)
    assert details["status"] == "Completed", sweep.get_diagnostics()
    best = sweep.get_best_run_by_primary_metric()
    model = best.register_model("digits", model_path="outputs/model.txt", tags={"by": "sweep"})
    Model(tuner.workspace, "digits").download(target_dir=str(tuner.root), exist_ok=True)
    point = json.loads(sweep.get_hyperparameters()[best.id])
    assert (tuner.root / "model.txt").read_text() == str(point["--x"])
    values = [each.get_metrics()["accuracy"] for each in sweep.get_children()]
    assert len(values) == 3 and best.get_metrics()["accuracy"] == max(values) == point["--x"]
    assert model.run_id == best.id and model.tags == {"by": "sweep"}
    goes_on(tuner, best, **settings)
    return sweep


def goes_on(tuner: Tuner, before: Run, **settings: object) -> None:
    """The run is begun again in another sweep, and finds its own outputs."""
    more = {**settings, "resume_child_runs": before, "max_total_runs": 1}
    sweep = tuner.run(**more)
    (child,) = sweep.get_children()
    assert child.get_status() == "Completed", child.standing.reason
    assert child.get_tags()["hyperparameters"] == before.get_tags()["hyperparameters"]
    child.download_file("user_logs/std_log.txt", str(tuner.root / "log"))
    assert (tuner.root / "log").read_text().endswith(f" {before.get_tags()['--x']}\n")


def ended(sweep):
    until(lambda: sweep.standing.is_final, sweep.get_diagnostics)
    return sweep.standing


def driver_of(sweep) -> list[int]:
    """The process that drives the sweep, as a list; not what it has just forked."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if Path(f"/proc/{name}/comm").read_text().strip() != "scriptrun-sweep":
                    continue
                if sweep.id in Path(f"/proc/{name}/cmdline").read_text():
                    stat = Path(f"/proc/{name}/stat").read_text()
                    found[int(name)] = int(stat.rpartition(")")[2].split()[1])
            except OSError:
                continue
    return [pid for pid, parent in found.items() if parent not in found]

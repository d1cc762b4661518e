"""Submits the job and waits for it, with the interpreter that runs this file."""

from pathlib import Path

from scriptrun import Experiment, ScriptRunConfig, Workspace

ws = Workspace.from_config()
src = ScriptRunConfig(
    source_directory=Path(__file__).parent,
    script="train.py",
    arguments=["--count", 5],
    compute_target="local",
)
src.run_config.environment.environment_variables = {"MESSAGE": "Good morning"}

run = Experiment(ws, "hello").submit(src)
run.wait_for_completion(show_output=True)

print(run.id, run.get_status())
print(run.get_metrics())
print(run.get_file_names())

"""Submits the training: in the environment that EXAMPLE_PYTHON names, else in one built for it."""

import os
from pathlib import Path

from scriptrun import Environment, Experiment, ScriptRunConfig, Workspace

here = Path(__file__).parent

ws = Workspace.from_config()
if "EXAMPLE_PYTHON" in os.environ:
    env = Environment("tensorflow-here")
    env.python.user_managed_dependencies = True
    env.python.interpreter_path = os.environ["EXAMPLE_PYTHON"]
else:
    env = Environment.from_pip_requirements("tensorflow", here / "requirements.txt")
src = ScriptRunConfig(source_directory=here, script="train.py", environment=env)

run = Experiment(ws, "moons-tensorflow").submit(src)
run.wait_for_completion(show_output=True)

print(run.id, run.get_status())
print("accuracy", run.get_metrics("accuracy")["accuracy"][-1])
print(run.get_file_names())

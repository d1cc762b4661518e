"""Submits the training, waits for it, and fetches the model."""

from pathlib import Path

from scriptrun import Environment, Experiment, ScriptRunConfig, Workspace

here = Path(__file__).parent

ws = Workspace.from_config()
env = Environment.from_pip_requirements("sklearn", here / "requirements.txt")
env.environment_variables = {"MESSAGE": "Hello"}
src = ScriptRunConfig(
    source_directory=here,
    script="train.py",
    arguments=["--alpha", 0.5],
    compute_target="local",
    environment=env,
)

run = Experiment(ws, "digits").submit(src)
run.wait_for_completion(show_output=True)

print(run.id, run.get_status())
print("accuracy", run.get_metrics("accuracy")["accuracy"][-1])
print(run.get_file_names())
run.download_file("outputs/model.pkl", "model.pkl")

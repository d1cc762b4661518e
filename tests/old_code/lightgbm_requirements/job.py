from pathlib import Path
from azureml.core import Workspace, ScriptRunConfig, Experiment, Environment

# get workspace
ws = Workspace.from_config()
# get root of git repo
prefix = Path(__file__).resolve().parent
env = Environment.from_pip_requirements("lightgbm", str(prefix.joinpath("requirements.txt")))
src = ScriptRunConfig(source_directory=str(prefix.joinpath("src")), script="train.py",
    arguments=["--boosting", "gbdt", "--num-boost-round", 8, "--verbose"], environment=env, compute_target="cpu-cluster")
run = Experiment(ws, "lightgbm-diabetes").submit(src)
print(run)
run.wait_for_completion(show_output=True)

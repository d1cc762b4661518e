from azureml.core import Workspace, Experiment, ScriptRunConfig, Environment
from azureml.core.conda_dependencies import CondaDependencies
ws = Workspace.from_config()
env = Environment(name="mlflow-env")
env.python.conda_dependencies = CondaDependencies.create(conda_packages=["pip"], pip_packages=["azureml-mlflow"])
src = ScriptRunConfig(source_directory="./train", script="train.py", environment=env)
src.run_config.target = "local"
run = Experiment(ws, "mlflow-exp").submit(src)
run.wait_for_completion(show_output=True)
print(run.get_metrics())

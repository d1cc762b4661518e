from azureml.core import Workspace, Experiment, ScriptRunConfig, Environment
from azureml.core.conda_dependencies import CondaDependencies

ws = Workspace.from_config()
env = Environment("old")
env.python.conda_dependencies = CondaDependencies.create(
    pip_packages=["azureml-defaults", "azureml-mlflow==1.20.0", "scikit-learn==0.22.1"])
run = Experiment(ws, "models").submit(
    ScriptRunConfig(source_directory="train", script="train.py", environment=env))
run.wait_for_completion(show_output=True)
print(run.get_metrics())
run.register_model("demo", model_path="model")

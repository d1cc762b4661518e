from azureml.core import *
from azureml.core.conda_dependencies import CondaDependencies

ws = Workspace.from_config()
env = Environment("torch-env")
env.python.conda_dependencies = CondaDependencies.create(python_version="3.6.2", pip_packages=["azureml-defaults", "torch==1.4.0", "numpy"])
src = ScriptRunConfig(source_directory="src", script="train.py", compute_target="local", environment=env)
run = Experiment(ws, "torch").submit(src)
run.wait_for_completion(show_output=True)
print(run.get_metrics())

from azureml.core import *
from azureml.core.conda_dependencies import CondaDependencies

ws = Workspace.from_config()
env = Environment("tf-env")
env.python.conda_dependencies = CondaDependencies.create(python_version="3.6.2", pip_packages=["azureml-defaults", "tensorflow==2.1.0", "h5py==2.10.0"])
src = ScriptRunConfig(source_directory="src", script="train.py", compute_target="local", environment=env)
run = Experiment(ws, "tf").submit(src)
run.wait_for_completion(show_output=True)
print(run.get_metrics())

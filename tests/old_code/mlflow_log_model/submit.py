from azureml.core import Workspace, Experiment, Environment, ScriptRunConfig
from azureml.core.conda_dependencies import CondaDependencies

ws = Workspace.from_config()


def submit(name, packages, autolog=False):
    env = Environment(name)
    env.python.conda_dependencies = CondaDependencies.create(pip_packages=packages)
    if autolog:
        env.environment_variables["AUTOLOG"] = "1"
    src = ScriptRunConfig(source_directory="train", script="train.py", environment=env)
    run = Experiment(workspace=ws, name="models").submit(src)
    run.wait_for_completion(show_output=True)
    return run


pinned = ["azureml-defaults", "azureml-mlflow==1.39.0", "scikit-learn==0.24.2"]
run = submit("pinned", pinned)
run.register_model(model_name="demo", model_path="model")
submit("pinned", pinned, autolog=True)
run = submit("newest", ["azureml-defaults", "azureml-mlflow", "mlflow", "scikit-learn"])
model = run.register_model(model_name="demo", model_path="model")
print(model.name, model.version)

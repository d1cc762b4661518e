from azureml.core import Dataset, Environment, Experiment, ScriptRunConfig, Workspace
from azureml.data import OutputFileDatasetConfig
ws = Workspace.from_config()
env = Environment("plain"); env.python.user_managed_dependencies = True
store = ws.get_default_datastore()
out = OutputFileDatasetConfig(name="prepared", destination=(store, "prepared/{run-id}")).register_on_complete(name="prepared_data")
prep = Experiment(ws, "prep").submit(ScriptRunConfig("prep", "prep.py", ["--out", out, "--rows", 5], environment=env))
prep.wait_for_completion()
data = Dataset.get_by_name(ws, "prepared_data")
print(data.version, data.to_path())
src = ScriptRunConfig("train", "train.py", arguments=[data.as_named_input("prepared").as_mount()], environment=env)
run = Experiment(ws, "train").submit(src)
run.wait_for_completion(show_output=True)
print(run.get_metrics())

from azureml.core import Experiment, RunConfiguration, ScriptRunConfig, Workspace
ws = Workspace.from_config()
run_config = RunConfiguration.load(path="./", name="train")
print(run_config.environment.python.conda_dependencies.serialize_to_string()[:4] != "")
src = ScriptRunConfig(source_directory="./", script="train.py", arguments=run_config.arguments, run_config=run_config)
run = Experiment(ws, "runconfig").submit(src)
run.wait_for_completion(show_output=True)

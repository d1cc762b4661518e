from azureml.core import Workspace, Experiment, ScriptRunConfig, Environment
ws = Workspace.from_config()
env = Environment("user"); env.python.user_managed_dependencies = True
src = ScriptRunConfig(source_directory="src", script="parent.py", arguments=["--n", 3], environment=env, compute_target="local")
run = Experiment(ws, "cross-validation").submit(src)
run.wait_for_completion(show_output=True)
print(run.get_metrics())
for child in run.get_children():
    print(child.tags["fold"], child.get_metrics())

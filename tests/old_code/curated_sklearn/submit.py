from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace
ws = Workspace.from_config()
envs = Environment.list(workspace=ws)
for env in sorted(envs):
    if env.startswith("AzureML-sklearn") or env.startswith("AzureML-Scikit"):
        print("Name", env)
curated = Environment.get(workspace=ws, name="AzureML-sklearn-0.24-ubuntu18.04-py37-cpu")
env = curated.clone("customized")
env.environment_variables["OMP_NUM_THREADS"] = "1"
src = ScriptRunConfig("src", "train.py", compute_target="cpu-cluster", environment=env)
run = Experiment(ws, "curated").submit(src)
run.wait_for_completion(show_output=False)
print("mean", round(run.get_metrics()["score"], 2), len(run.get_metrics()["scores"]))
env.register(ws)
print(Environment.get(ws, "customized").version)

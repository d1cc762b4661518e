from azureml.core import Environment, Experiment, Model, ScriptRunConfig, Workspace
ws = Workspace.from_config()
m = Model.register(workspace=ws, model_path="models/threshold.json", model_name="threshold", tags={"stage": "prod"},
                   model_framework=Model.Framework.CUSTOM, model_framework_version=None)
print(m.name, m.version, m.get_model_path("threshold", version=1, _workspace=ws).endswith("threshold.json"))
env = Environment("plain"); env.python.user_managed_dependencies = True
run = Experiment(ws, "score").submit(ScriptRunConfig("src", "score.py", environment=env))
run.wait_for_completion(show_output=True)
m.add_tags({"scored": run.id}); m.update(description="scored")

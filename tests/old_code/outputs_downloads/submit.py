import os
from azureml.core import Experiment, ScriptRunConfig, Workspace, Environment
from azureml.core.model import Model
from azureml.core.runconfig import RunConfiguration
ws = Workspace.from_config()
rc = RunConfiguration(); rc.environment = Environment("mine"); rc.environment.python.user_managed_dependencies = True
run = Experiment(ws, "files").submit(ScriptRunConfig("src", "work.py", run_config=rc))
run.wait_for_completion()
os.makedirs("./model", exist_ok=True)
for f in run.get_file_names():
    if f.startswith("outputs/checkpoints"):
        output_file_path = os.path.join("./model", f.split("/")[-1])
        print("Downloading from {} to {} ...".format(f, output_file_path))
        run.download_file(name=f, output_file_path=output_file_path)
run.download_files(prefix="outputs/final", output_directory="final", append_prefix=False)
run.download_files(output_directory="everything")
model = run.register_model(model_name="tf-model", model_path="outputs/final", description="a folder")
local = Model.register(ws, model_path="model", model_name="local-model", tags={"k": "v"}, description="from here")
path = model.download(target_dir="deployed", exist_ok=True)
print("downloaded", path, sorted(os.listdir(path)))
print(Model(ws, "tf-model").run_id == run.id, Model(ws, name="local-model", version=1).tags, [m.name for m in Model.list(ws, latest=True)])
print(os.path.exists("everything/plots/loss.svg"), os.listdir("final"))

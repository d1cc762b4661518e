import json, os
from azureml.core import Model, Run
from azureml.core.model import Model as M
run = Run.get_context()
path = Model.get_model_path("threshold", _workspace=run.experiment.workspace)
print("model at", os.path.basename(path))
limit = json.load(open(path))["threshold"]
model = M(run.experiment.workspace, name="threshold")
target = model.download(target_dir="downloaded", exist_ok=True)
assert json.load(open(target))["threshold"] == limit
run.log("over", sum(n > limit for n in range(10)))
run.log("version", model.version)

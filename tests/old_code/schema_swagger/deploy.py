import json
import urllib.error
import urllib.request

from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AciWebservice

ws = Workspace.from_config()
env = Environment.from_conda_specification("iris", "environment.yml")
run = Experiment(ws, "iris").submit(ScriptRunConfig("train", script="train.py", environment=env))
run.wait_for_completion(show_output=False)
run.register_model("iris", model_path="outputs/iris")

service = Model.deploy(
    ws,
    "iris-api",
    [ws.models["iris"]],
    InferenceConfig("score.py", source_directory="api", environment=env),
    AciWebservice.deploy_configuration(cpu_cores=0.5, memory_gb=0.5, auth_enabled=True, primary_key="open-sesame"),
)
service.wait_for_deployment(True)


def post(body, key="open-sesame"):
    request = urllib.request.Request(service.scoring_uri, json.dumps(body).encode("utf-8"))
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", "Bearer " + key)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


rows = [{"length": 1.4, "width": 0.2}, {"length": 5.8, "width": 2.2}]
print("classes", post({"data": rows, "shift": 0}))
print("missing", post({"data": rows}))
print("wrong key", post({"data": rows}, "nothing")[0])

swagger_request = urllib.request.Request(service.swagger_uri, headers={"Authorization": "Bearer open-sesame"})
with urllib.request.urlopen(swagger_request) as response:
    swagger = json.loads(response.read())
print("swagger", sorted(swagger["definitions"]["ServiceInput"]["properties"]), "/score" in swagger["paths"])
service.delete()

# Deploys the price model to AKS
import json
import requests
from azureml.core import Workspace
from azureml.core.compute import AksCompute, ComputeTarget
from azureml.core.compute_target import ComputeTargetException
from azureml.core.environment import Environment
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AksWebservice, Webservice

ws = Workspace.from_config()
model = Model.register(workspace=ws, model_path="model.json", model_name="price-model",
                       tags={"area": "housing", "type": "regression"},
                       description="Linear price model")
print(model.name, model.id, model.version, sep="\t")

aks_name = "aks-prod"
# Verify that the cluster does not exist already
try:
    aks_target = ComputeTarget(workspace=ws, name=aks_name)
    print("Found existing cluster, use it.")
except ComputeTargetException:
    # Use the default configuration (can also provide parameters to customize)
    prov_config = AksCompute.provisioning_configuration(agent_count=3, vm_size="Standard_D3_v2", location="westeurope")
    aks_target = ComputeTarget.create(workspace=ws, name=aks_name, provisioning_configuration=prov_config)
    aks_target.wait_for_completion(show_output=True)
    print(aks_target.provisioning_state)
    print(aks_target.provisioning_errors)

myenv = Environment.from_conda_specification(name="price-env", file_path="service/env.yml")
myenv.python.user_managed_dependencies = True
inf_config = InferenceConfig(entry_script="score.py", source_directory="service", environment=myenv)

aks_config = AksWebservice.deploy_configuration(autoscale_enabled=False, num_replicas=2, cpu_cores=0.5,
                                                memory_gb=1, scoring_timeout_ms=30000,
                                                enable_app_insights=True, collect_model_data=True)
aks_service_name = "price-aks"
aks_service = Model.deploy(workspace=ws,
                           name=aks_service_name,
                           models=[model],
                           inference_config=inf_config,
                           deployment_config=aks_config,
                           deployment_target=aks_target)
aks_service.wait_for_deployment(show_output=True)
print("state:", aks_service.state, aks_service.compute_type)

test_sample = json.dumps({"data": [[1, 2], [10, 10]]})
# construct raw HTTP request and send to the service
key1, key2 = aks_service.get_keys()
headers = {"Content-Type": "application/json", "Authorization": "Bearer " + key1}
resp = requests.post(aks_service.scoring_uri, test_sample, headers=headers)
print("prediction:", resp.json())
print("without a key:", requests.post(aks_service.scoring_uri, test_sample).status_code)

aks_service.regen_key("Primary")
fresh, second = aks_service.get_keys()
print("new primary key:", fresh != key1, "same secondary key:", second == key2)

found = Webservice(ws, aks_service_name)
print("through the SDK:", found.run(input_data=bytes(test_sample, encoding="utf8")))
print("logs:", "Model ready" in found.get_logs())
print([service.name for service in AksWebservice.list(ws, model_name="price-model")])

aks_service.delete()
aks_target.delete()
print("left:", list(ws.webservices))

# %% [markdown]
# Register several models, and deploy them as one service
# %%
import json, os
from azureml.core import Workspace
from azureml.core.environment import Environment
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AciWebservice, Webservice
from azureml.exceptions import WebserviceException

ws = Workspace.from_config()
print(ws.name, ws.resource_group, ws.location, ws.subscription_id, sep='\n')
# %%
my_model_1 = Model.register(model_path="first.json", model_name="first-model", workspace=ws)
Model.register(model_path="first.json", model_name="second-model", workspace=ws)
my_model_2 = Model.register(model_path="second.json", model_name="second-model", workspace=ws)
vocabulary = Model.register(model_path="vocab", model_name="vocabulary", workspace=ws)
for m in (my_model_1, my_model_2, vocabulary):
    print(m.name, m.version)
# %%
env = Environment("deploytocloudenv")
env.python.user_managed_dependencies = True
inference_config = InferenceConfig(entry_script="x/y/score.py", source_directory="source_dir", environment=env)
aci_service_name = "aciservice-multimodel"
try:
    # if you want to get existing service below is the command
    # since aci name needs to be unique in subscription deleting existing aci if any
    # we use aci_service_name to create azure aci
    service = Webservice(ws, name=aci_service_name)
    if service:
        service.delete()
except WebserviceException as e:
    print()

deployment_config = AciWebservice.deploy_configuration(cpu_cores=1, memory_gb=1, dns_name_label='multi')
service = Model.deploy(ws, aci_service_name, [my_model_1, my_model_2, vocabulary], inference_config, deployment_config)
service.wait_for_deployment(True)
print(service.state)
# %%
test_sample = json.dumps({'data': [1, 2]})
answer = json.loads(service.run(input_data=test_sample))
for name, value in sorted(answer.items()):
    print(name, value)
print([model.id for model in service.models])
service.delete()

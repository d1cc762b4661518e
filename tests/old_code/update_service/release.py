import argparse
import json
import pickle

import numpy as np
from azureml.core import Environment, Model, Workspace
from azureml.core.model import InferenceConfig
from azureml.core.webservice import AciWebservice, Webservice

parser = argparse.ArgumentParser()
parser.add_argument("--mean", type=float, required=True)
parser.add_argument("--name", default="centering")
args = parser.parse_args()

ws = Workspace.from_config()
with open("mean.pkl", "wb") as f:
    pickle.dump({"mean": np.array([args.mean, 0.0])}, f)
model = Model.register(workspace=ws, model_path="mean.pkl", model_name="centering-model", tags={"mean": args.mean})

env = Environment.get(ws, "AzureML-Minimal").clone("centering-env")
env.python.user_managed_dependencies = True
inference_config = InferenceConfig(entry_script="main.py", source_directory="score", environment=env)

if args.name in ws.webservices:
    print("updating", args.name)
    service = Webservice(name=args.name, workspace=ws)
    service.update(models=[model], inference_config=inference_config, tags={"release": str(model.version)},
                   description="release {}".format(model.version))
else:
    print("creating", args.name)
    config = AciWebservice.deploy_configuration(cpu_cores=1, memory_gb=1, auth_enabled=True,
                                                tags={"release": "1"}, description="first release")
    service = Model.deploy(workspace=ws, name=args.name, models=[model],
                           inference_config=inference_config, deployment_config=config)
service.wait_for_deployment(show_output=True)

assert service.state == "Healthy", service.get_logs()
result = service.run(json.dumps({"data": [[10, 10], [20, 20]]}))
print("release", service.tags["release"], "|", service.description, "|", result)
print(service.run(json.dumps({"values": 1})))

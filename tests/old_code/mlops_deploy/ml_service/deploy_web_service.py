import argparse
import os

import yaml
from azureml.core import Environment, Workspace
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AciWebservice
from azureml.exceptions import WebserviceException
from ml_service.util.env_variables import Env


def read(folder, name):
    with open(os.path.join(folder, name)) as f:
        return yaml.safe_load(f)


def main():
    parser = argparse.ArgumentParser("deploy_web_service.py")
    parser.add_argument("--type", type=str, choices=["AKS", "ACI"], required=True, help="type of service")
    parser.add_argument("--overwrite", action="store_true")
    args = parser.parse_args()
    e = Env()
    ws = Workspace.get(name=e.workspace_name, subscription_id=e.subscription_id, resource_group=e.resource_group)
    folder = os.path.join(e.sources_directory, "scoring")
    inference, deployment = read(folder, "inference_config.yml"), read(folder, "deployment_config_aci.yml")
    environment = Environment.from_conda_specification(
        name="diabetes_scoring", file_path=os.path.join(folder, inference["condaFile"]))
    config = InferenceConfig(entry_script=inference["entryScript"], source_directory=folder, environment=environment)
    resources = deployment["containerResourceRequirements"]
    aci = AciWebservice.deploy_configuration(
        cpu_cores=resources["cpu"], memory_gb=resources["memoryInGB"], auth_enabled=deployment["authEnabled"],
        ssl_enabled=deployment["sslEnabled"], enable_app_insights=deployment["appInsightsEnabled"],
        tags={"BuildId": e.build_id})
    latest = Model(ws, name=e.model_name)
    try:
        service = Model.deploy(ws, e.aci_deployment_name, [latest], config, aci, overwrite=args.overwrite)
    except WebserviceException as error:
        print("not deployed:", type(error).__name__)
        raise SystemExit(3)
    service.wait_for_deployment(show_output=True)
    print(f"deployed {service.name} with version {latest.version}: {service.state}")


if __name__ == "__main__":
    main()

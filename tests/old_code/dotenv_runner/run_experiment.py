#!/usr/bin/env python
"""Submit a forecasting experiment to Azure ML."""
import argparse
import logging
import os
import sys
from datetime import datetime

from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace
from azureml.core.authentication import ServicePrincipalAuthentication, InteractiveLoginAuthentication
from azureml.core.compute import AmlCompute, ComputeTarget
from azureml.core.compute_target import ComputeTargetException
from azureml.core.runconfig import DEFAULT_CPU_IMAGE
from azureml.exceptions import AuthenticationException

from settings import load_env

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
log = logging.getLogger("run_experiment")


def get_auth():
    tenant_id = os.environ.get("TENANT_ID")
    client_id = os.environ.get("SP_APP_ID")
    secret = os.environ.get("SP_APP_SECRET")
    if tenant_id and client_id and secret:
        return ServicePrincipalAuthentication(tenant_id=tenant_id,
                                              service_principal_id=client_id,
                                              service_principal_password=secret)
    return InteractiveLoginAuthentication()


def get_workspace():
    try:
        return Workspace(subscription_id=os.environ["SUBSCRIPTION_ID"],
                         resource_group=os.environ["RESOURCE_GROUP"],
                         workspace_name=os.environ["WORKSPACE_NAME"],
                         auth=get_auth())
    except AuthenticationException as e:
        log.error("cannot log in: %s", e)
        sys.exit(1)


def get_compute(ws, name, vm_size="STANDARD_DS3_V2", max_nodes=4):
    try:
        target = ComputeTarget(workspace=ws, name=name)
        log.info("using %s", target.name)
    except ComputeTargetException:
        log.info("creating %s", name)
        config = AmlCompute.provisioning_configuration(vm_size=vm_size, min_nodes=0, max_nodes=max_nodes,
                                                       idle_seconds_before_scaledown=300)
        target = ComputeTarget.create(ws, name, config)
        target.wait_for_completion(show_output=False, min_node_count=0, timeout_in_minutes=20)
    return target


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment-name", default="forecast")
    parser.add_argument("--horizon", type=int, default=4)
    parser.add_argument("--season", type=int, default=None)
    parser.add_argument("--log-scale", action="store_true")
    parser.add_argument("--wait", action="store_true")
    args = parser.parse_args(argv)

    load_env(".env")
    ws = get_workspace()
    log.info("%s in %s", ws.name, ws.resource_group)
    compute = get_compute(ws, os.environ["CLUSTER_NAME"])

    env = Environment.from_pip_requirements(name="forecast-env", file_path="train_requirements.txt")
    env.docker.enabled = True
    env.docker.base_image = DEFAULT_CPU_IMAGE
    env.environment_variables = {"FORECAST_ENV": "prod", "TOKENIZERS_PARALLELISM": "false"}

    arguments = ["--data", "history.csv", "--horizon", args.horizon]
    if args.season is not None:
        arguments += ["--season", args.season]
    if args.log_scale:
        arguments.append("--log-scale")

    config = ScriptRunConfig(source_directory=os.path.join(os.path.dirname(os.path.abspath(__file__)), "forecast"),
                             script="train.py", arguments=arguments)
    config.run_config.target = compute
    config.run_config.environment = env

    experiment = Experiment(ws, args.experiment_name)
    run = experiment.submit(config, tags={"submitted": datetime.now().strftime("%Y-%m-%d"), "horizon": str(args.horizon)})
    log.info("submitted %s", run.id)
    if args.wait:
        run.wait_for_completion(show_output=True)
        metrics = run.get_metrics()
        print("MAPE: {:.3f}".format(metrics["mape"]))
        run.download_file("outputs/model.joblib", output_file_path="models/model.joblib")


if __name__ == "__main__":
    main()

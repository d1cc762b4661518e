import argparse
import os
import sys
from azureml.core import Experiment, ScriptRunConfig, Workspace
from azureml.core.authentication import ServicePrincipalAuthentication
from azureml.core.runconfig import RunConfiguration
from ml_service.util.attach_compute import get_compute
from ml_service.util.env_variables import Env
from ml_service.util.manage_environment import get_environment


def main():
    e = Env()
    parser = argparse.ArgumentParser("run_training")
    parser.add_argument("--output_run_id_file", type=str, default="run_id.txt")
    parser.add_argument("--skip_train_execution", action="store_true")
    args = parser.parse_args()

    sp = ServicePrincipalAuthentication(tenant_id=os.environ["TENANT_ID"], service_principal_id=os.environ["APP_ID"],
                                        service_principal_password=os.environ["APP_SECRET"])
    aml_workspace = Workspace.get(name=e.workspace_name, subscription_id=e.subscription_id,
                                  resource_group=e.resource_group, auth=sp)
    print("get_workspace:")
    print(aml_workspace)

    aml_compute = get_compute(aml_workspace, e.compute_name, e.vm_size)
    if aml_compute is not None:
        print("aml_compute:")
        print(aml_compute)

    environment = get_environment(aml_workspace, e.aml_env_name, "conda_dependencies.yml", create_new=e.rebuild_env,
                                  enable_docker=True)
    run_config = RunConfiguration()
    run_config.environment = environment
    run_config.environment.environment_variables["BUILD_ID"] = e.build_id
    run_config.target = aml_compute

    src = ScriptRunConfig(source_directory=e.sources_directory_train, script=e.train_script_path, run_config=run_config,
                          arguments=["--model_name", e.model_name, "--build_id", e.build_id])
    if args.skip_train_execution is False:
        experiment = Experiment(workspace=aml_workspace, name=e.experiment_name)
        run = experiment.submit(config=src, tags={"BuildId": e.build_id})
        run.wait_for_completion(show_output=True, raise_on_error=True)
        with open(args.output_run_id_file, "w") as out_file:
            print(run.id, file=out_file)
        print("mse logged:", run.get_metrics("mse"))


if __name__ == "__main__":
    main()

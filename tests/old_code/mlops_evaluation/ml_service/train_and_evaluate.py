import sys
from azureml.core import Workspace, Experiment, ScriptRunConfig, Dataset, Datastore
from azureml.core.runconfig import RunConfiguration
from ml_service.util.attach_compute import get_compute
from ml_service.util.env_variables import Env
from ml_service.util.manage_environment import get_environment


def main():
    e = Env()
    # Get Azure machine learning workspace
    aml_workspace = Workspace.get(
        name=e.workspace_name,
        subscription_id=e.subscription_id,
        resource_group=e.resource_group,
    )
    print("get_workspace:")
    print(aml_workspace.name)

    aml_compute = get_compute(aml_workspace, e.compute_name, e.vm_size)
    if aml_compute is not None:
        print("aml_compute:")
        print(aml_compute.name)

    environment = get_environment(aml_workspace, e.aml_env_name, conda_dependencies_file=e.aml_env_train_conda_dep_file,
                                  create_new=e.rebuild_env, enable_docker=True)
    run_config = RunConfiguration()
    run_config.environment = environment

    if e.datastore_name:
        datastore_name = e.datastore_name
    else:
        datastore_name = aml_workspace.get_default_datastore().name
    run_config.environment.environment_variables["DATASTORE_NAME"] = datastore_name

    if e.dataset_name not in aml_workspace.datasets:
        datatstore = Datastore.get(aml_workspace, datastore_name)
        target_path = "training-data/"
        datatstore.upload_files(files=["data/credit.csv"], target_path=target_path, overwrite=True, show_progress=False)
        dataset = Dataset.Tabular.from_delimited_files(path=(datatstore, target_path + "credit.csv"))
        dataset = dataset.register(workspace=aml_workspace, name=e.dataset_name, description="credit", tags={"format": "CSV"},
                                   create_new_version=True)
    run_config.target = aml_compute

    train = ScriptRunConfig(source_directory=e.sources_directory_train, script=e.train_script_path,
                            arguments=["--model_name", e.model_name, "--dataset_name", e.dataset_name, "--dataset_version", "latest"],
                            run_config=run_config)
    experiment = Experiment(aml_workspace, e.experiment_name)
    run = experiment.submit(train, tags={"BuildId": e.build_id})
    run.wait_for_completion(show_output=True)

    if (e.run_evaluation).lower() == "true":
        print("Include evaluation step before register step.")
        evaluate = ScriptRunConfig(source_directory=e.sources_directory_train, script=e.evaluate_script_path,
                                   arguments=["--model_name", e.model_name, "--run_id", run.id, "--allow_run_cancel", e.allow_run_cancel],
                                   run_config=run_config)
        run = experiment.submit(evaluate, tags={"BuildId": e.build_id})
        status = run.wait_for_completion(show_output=True)["status"]
        print("evaluation ended as", status)
        if status == "Canceled":
            sys.exit(0)


if __name__ == "__main__":
    main()

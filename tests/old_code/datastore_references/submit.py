import logging, os
from azureml.core import Datastore, Experiment, Workspace, ScriptRunConfig
from azureml.core.runconfig import DataReferenceConfiguration, RunConfiguration
from azureml.train.estimator import Estimator
ws = Workspace.from_config()
# Default datastore (Azure blob storage)
def_blob_store = Datastore(ws, "workspaceblobstore")
print("Blobstore's name: {}".format(def_blob_store.name))
blob = Datastore.register_azure_blob_container(workspace=ws, datastore_name="landing", container_name="raw",
    account_name="account", account_key="a2V5", create_if_not_exists=False, skip_validation=True)
print(sorted(ws.datastores), Datastore.get(ws, "landing").container_name)
def_blob_store.upload_files(["./data/part0.txt"], target_path="refs", overwrite=True)
ref = def_blob_store.upload(src_dir="./data", target_path="refs", overwrite=True, show_progress=False)
print(type(ref).__name__, ref.path_on_datastore)
est = Estimator(source_directory="src", entry_script="read.py", compute_target="cpu", user_managed=True,
    script_params={"--data-folder": def_blob_store.path("refs").as_mount(), "--one": def_blob_store.path("refs/part1.txt").as_download()})
run = Experiment(ws, "refs").submit(est)
run.wait_for_completion(show_output=True)

rc = RunConfiguration(); rc.environment.python.user_managed_dependencies = True
dr = DataReferenceConfiguration(datastore_name=def_blob_store.name, path_on_datastore="refs", mode="download", path_on_compute="refs-here", overwrite=True)
rc.data_references = {"refs": dr}
ref = def_blob_store.path("refs").as_download()
rc.data_references[ref.data_reference_name] = ref.to_config()
run = Experiment(ws, "refs").submit(ScriptRunConfig("src", "read.py", arguments=["--data-folder", str(ref), "--one", str(ref)], run_config=rc))
run.wait_for_completion()
print(run.get_metrics())

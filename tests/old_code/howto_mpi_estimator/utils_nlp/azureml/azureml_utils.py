"""Helpers around the SDK."""
import os
from azureml.core import Workspace
from azureml.core.authentication import AzureCliAuthentication, InteractiveLoginAuthentication, AuthenticationException
from azureml.core.compute import AmlCompute, ComputeTarget
from azureml.core.compute_target import ComputeTargetException


def get_auth():
    """Method to get the correct Azure ML Authentication type"""
    is_azure_ci = os.environ.get("AZURE_CLI", "0") == "1"
    if is_azure_ci:
        auth = AzureCliAuthentication()
        auth.get_authentication_header()
    else:
        auth = InteractiveLoginAuthentication()
    return auth


def get_or_create_workspace(config_path="./.azureml", subscription_id=None, resource_group=None, workspace_name=None, workspace_region=None):
    try:
        # get existing azure ml workspace
        if config_path:
            ws = Workspace.from_config(config_path, auth=get_auth())
        else:
            ws = Workspace.get(name=workspace_name, subscription_id=subscription_id, resource_group=resource_group, auth=get_auth())
    except Exception:
        ws = Workspace.create(name=workspace_name, subscription_id=subscription_id, resource_group=resource_group, location=workspace_region, create_resource_group=True, exist_ok=True, auth=get_auth())
        ws.write_config(path=config_path)
    return ws


def get_or_create_amlcompute(workspace, compute_name, vm_size="", min_nodes=0, max_nodes=None, idle_seconds_before_scaledown=None, verbose=False):
    try:
        if verbose:
            print("Found compute target: {}".format(compute_name))
        compute_target = ComputeTarget(workspace=workspace, name=compute_name)
        if len(compute_target.list_nodes()) < max_nodes:
            if verbose:
                print("Rescaling to {} nodes".format(max_nodes))
            compute_target.update(max_nodes=max_nodes)
            compute_target.wait_for_completion(show_output=verbose)
    except ComputeTargetException:
        if verbose:
            print("Creating new compute target: {}".format(compute_name))
        compute_config = AmlCompute.provisioning_configuration(vm_size=vm_size, min_nodes=min_nodes, max_nodes=max_nodes, idle_seconds_before_scaledown=idle_seconds_before_scaledown)
        compute_target = ComputeTarget.create(workspace, compute_name, compute_config)
        compute_target.wait_for_completion(show_output=verbose)
    return compute_target


def get_output_files(run, output_path, file_names=None):
    """Method to get the output files from an AzureML run."""
    os.makedirs(output_path, exist_ok=True)
    if file_names is None:
        file_names = run.get_file_names()
    for f in file_names:
        dest = os.path.join(output_path, f.split("/")[-1])
        print("Downloading file {} to {}...".format(f, dest))
        run.download_file(f, dest)

from azureml.core import Workspace
from azureml.core.authentication import ServicePrincipalAuthentication, MsiAuthentication, AzureCliAuthentication
from azureml.exceptions import AuthenticationException
svc_pr = ServicePrincipalAuthentication(tenant_id="my-tenant", service_principal_id="my-app", service_principal_password="pw")
ws = Workspace.from_config(auth=svc_pr)
print("again", ws.name, ws.resource_group, sorted(ws.compute_targets), ws.get_details()["name"])
print(Workspace.from_config(path="../", _file_name="config.json").name)

from azureml.core import Workspace
ws = Workspace.from_config()
for name, service in ws.webservices.items():
    print("deleting", name, service.compute_type, service.auth_enabled, [m.version for m in service.models])
    service.delete()
print(len(ws.webservices))

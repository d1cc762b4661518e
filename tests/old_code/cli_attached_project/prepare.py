from azureml.core import Workspace
ws = Workspace.from_config()
ws.get_default_datastore().upload("data", "cli/data", overwrite=True, show_progress=False)
print(ws.name)

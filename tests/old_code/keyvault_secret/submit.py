import os, uuid
from azureml.core import Workspace, Experiment, ScriptRunConfig, Keyvault
from azureml.core.runconfig import RunConfiguration
ws = Workspace.from_config()
keyvault = ws.get_default_keyvault()
keyvault.set_secret(name="my-api-key", value=os.environ["LOCAL_SECRET"])
keyvault.set_secrets({"other": "o-t-h-e-r"})
print(sorted(s["name"] for s in keyvault.list_secrets()))
print(keyvault.get_secret("my-api-key") == os.environ["LOCAL_SECRET"])
rc = RunConfiguration()
rc.environment.python.user_managed_dependencies = True
run = Experiment(ws, "secrets").submit(ScriptRunConfig("script", "read_secret.py", run_config=rc))
run.wait_for_completion(show_output=True)
keyvault.delete_secret("other")

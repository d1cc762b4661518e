from azureml.core import Run
run = Run.get_context()
value = run.get_secret(name="my-api-key")
both = run.get_secrets(["my-api-key", "other"])
keyvault = run.experiment.workspace.get_default_keyvault()
run.log("length", len(value)); run.log("same", value == both["my-api-key"] == keyvault.get_secret("my-api-key"))
print("the secret is", value)

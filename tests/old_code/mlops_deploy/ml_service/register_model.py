import pickle
from azureml.core import Model, Workspace
from ml_service.util.env_variables import Env

e = Env()
ws = Workspace.get(name=e.workspace_name, subscription_id=e.subscription_id, resource_group=e.resource_group)
with open("models/model.pkl", "wb") as f:
    pickle.dump({"coef": list(range(10)), "intercept": 3.0}, f)
model = Model.register(workspace=ws, model_name=e.model_name, model_path="models/model.pkl",
                       tags={"area": "diabetes_regression", "BuildId": e.build_id})
print(f"Model registered: {model.name} Version: {model.version}")

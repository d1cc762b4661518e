import json
from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace
from azureml.core.conda_dependencies import CondaDependencies
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import LocalWebservice

ws = Workspace.from_config()
environment = Environment("LocalDeploy")
environment.python.conda_dependencies = CondaDependencies.create(conda_packages=['scikit-learn', 'pip'],
                                                                 pip_packages=['azureml-defaults'])
run = Experiment(ws, "regression").submit(ScriptRunConfig("train", "fit.py", environment=environment))
run.wait_for_completion()
model = run.register_model(model_name="sklearn_regression_model", model_path="outputs/sklearn_regression_model.pkl",
                           model_framework=Model.Framework.SCIKITLEARN)

inference_config = InferenceConfig(entry_script='score.py', source_directory='source', environment=environment)
# This is optional, if not provided Docker will choose a random unused port.
deployment_config = LocalWebservice.deploy_configuration()
local_service = Model.deploy(ws, "test", [model], inference_config, deployment_config)
local_service.wait_for_deployment()
print('Local service port: {}'.format(local_service.port > 1024), local_service.state)

sample_input = json.dumps({'data': [[0.0] * 10, [0.01] * 10]})
first = local_service.run(sample_input)
print("two predictions:", len(first), 100 < first[0] < 200)

# change the script in place, and reload
with open("source/score.py") as f:
    text = f.read()
with open("source/score.py", "w") as f:
    f.write(text.replace("model.predict(data).tolist()", "{'hello': 'from updated score.py', 'n': len(data)}"))
local_service.reload()
local_service.wait_for_deployment()
print("after reload:", local_service.run(sample_input))

# a broken script, repaired
with open("source/score.py", "w") as f:
    f.write(text.replace("joblib.load(path)", "joblib.load(path + '.gone')"))
try:
    local_service.update(models=[model], inference_config=inference_config, deployment_config=deployment_config)
    local_service.wait_for_deployment()
except Exception as error:
    print("update failed:", type(error).__name__, 'sklearn_regression_model.pkl.gone' in str(error))
with open("source/score.py", "w") as f:
    f.write(text)
local_service.update(models=[model], inference_config=inference_config)
local_service.wait_for_deployment()
print("as before:", local_service.run(sample_input) == first)
local_service.delete()

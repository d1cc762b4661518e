import io
import requests
from azureml.core import Workspace, Environment, Model
from azureml.core.model import InferenceConfig
from azureml.core.webservice import LocalWebservice
from azureml.exceptions import WebserviceException

ws = Workspace.from_config()

env = Environment(name='raw')
env.python.user_managed_dependencies = True
env.inferencing_stack_version = 'latest'

inference_config = InferenceConfig(source_directory='./src', entry_script='score.py', environment=env)
deployment_config = LocalWebservice.deploy_configuration()

service = None
try:
    service = LocalWebservice(ws, 'image-size')
except WebserviceException as e:
    print('not deployed yet')

if service is None:
    service = Model.deploy(ws, 'image-size', [], inference_config, deployment_config)
    service.wait_for_deployment(True)
print('port given:', service.port > 0)

uri = service.scoring_uri
print(requests.get(uri, params={'param': 'value'}).text)
files = {'image': ('dog.png', io.BytesIO(b'x' * 1000), 'image/png')}
response = requests.post(uri, files=files)
print(response.status_code, response.json(), response.headers['Access-Control-Allow-Origin'])
print(requests.options(uri).headers['Allow'])
print(requests.put(uri).status_code >= 400)
print('This is run()' in service.get_logs(num_lines=200))
service.delete()

"""Old code that serves models, run unchanged: its services answer on this machine."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from scriptrun.core.workspace import Workspace
from scriptrun.dropin import finder, scan, serving_table
from scriptrun.dropin.azureml import endpoints
from scriptrun.services import old_deployments
from scriptrun.services.webservice import Webservice
from scriptrun.testing.jobs import PATIENCE

SCORE = """
import json
import os
from azureml.core import Run
from azureml.core.model import Model
from azureml.contrib.services.aml_response import AMLResponse
from azureml.monitoring import ModelDataCollector
import helper

def init():
    global factor, collector
    path = Model.get_model_path('times')
    assert path == Model.get_model_path(model_name='times', version=1), path
    assert os.path.dirname(path) == os.environ['AZUREML_MODEL_DIR']
    with open(path) as handle:
        factor = float(handle.read())
    collector = ModelDataCollector('times', designation='inputs', feature_names=['x'])

def run(raw_data):
    try:
        data = json.loads(raw_data)['data']
        collector.collect([[x] for x in data])
        return {'result': helper.times(factor, data)}
    except KeyError as error:
        return AMLResponse({'lacks': str(error)}, 400)
"""
HELPER = "def times(factor, data):\n    return [factor * x for x in data]\n"
CONDA = "name: e\ndependencies:\n- pip:\n  - azureml-defaults\n"


@pytest.fixture
def project(tmp_path):
    """A directory with an entry script and the config.json that Azure gives out."""
    facts = {"subscription_id": "s-1", "resource_group": "group", "workspace_name": "old-ws"}
    (tmp_path / "config.json").write_text(json.dumps(facts))
    (tmp_path / "score.py").write_text(SCORE)
    (tmp_path / "helper.py").write_text(HELPER)
    (tmp_path / "myenv.yml").write_text(CONDA)
    (tmp_path / "times.txt").write_text("3")
    yield tmp_path
    if (tmp_path / ".scriptrun").is_dir():
        for service in Webservice.list(Workspace(tmp_path)):
            service.delete()


def execute(project, text):
    (project / "submit.py").write_text(text)
    command = [sys.executable, "-m", "scriptrun", "exec", "submit.py"]
    done = subprocess.run(
        command, cwd=project, capture_output=True, text=True, timeout=3 * PATIENCE
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


BEGIN = """
import json
import urllib.error
import urllib.request
from azureml.core import Workspace, Webservice, Image
from azureml.core.compute import AksCompute, ComputeTarget
from azureml.core.compute_target import ComputeTargetException
from azureml.core.image import ContainerImage
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AciWebservice, AksWebservice, LocalWebservice
from azureml.exceptions import WebserviceException

ws = Workspace.from_config()
model = Model.register(workspace=ws, model_path="times.txt", model_name="times", tags={"a": "b"})
payload = json.dumps({"data": [1, 2]})
"""
CONTAINER_INSTANCE = (
    BEGIN
    + """
name = "times-service"
try:
    service = Webservice(ws, name)
    raise SystemExit("it cannot be there")
except WebserviceException as error:
    print("none yet:", error.message)
inference_config = InferenceConfig(runtime="python", entry_script="score.py", conda_file="myenv.yml")
aci_config = AciWebservice.deploy_configuration(
    cpu_cores=1, memory_gb=1, tags={"data": "times"}, description="Times", auth_enabled=True,
    enable_app_insights=True)
service = Model.deploy(workspace=ws, name=name, models=[model], inference_config=inference_config,
                       deployment_config=aci_config)
service.wait_for_deployment(show_output=True)
print(service.state)
assert type(service) is AciWebservice and isinstance(service, Webservice)
test = bytes(payload, encoding="utf8")
assert service.run(test) == service.run(input_data=payload) == {"result": [3.0, 6.0]}
key1, key2 = service.get_keys()
headers = {"Content-Type": "application/json", "Authorization": "Bearer " + key1}
with urllib.request.urlopen(urllib.request.Request(service.scoring_uri, test, headers)) as answer:
    assert json.load(answer) == {"result": [3.0, 6.0]}
del headers["Authorization"]
try:
    urllib.request.urlopen(urllib.request.Request(service.scoring_uri, test, headers))
except urllib.error.HTTPError as error:
    print("without a key:", error.code)
try:
    service.run("{}")
except WebserviceException as error:
    print("bad request:", error.status_code)
assert "POST /score 200" in service.get_logs()
again = Webservice(workspace=ws, name=name)
assert ws.webservices[name].scoring_uri == again.scoring_uri == service.scoring_uri
assert (again.tags, again.description, again.compute_type) == ({"data": "times"}, "Times", "ACI")
assert [each.id for each in again.models] == [model.id]
assert again.serialize()["state"] == "Healthy"
assert [each.name for each in Webservice.list(ws, compute_type="ACI", model_name="times")] == [name]
try:
    Model.deploy(ws, name, [model], inference_config, aci_config)
except WebserviceException as error:
    print("taken")
with open("helper.py", "w") as handle:
    handle.write("def times(factor, data):\\n    return sum(data) * factor\\n")
service.update(inference_config=inference_config, tags={"version": "2"})
service.wait_for_deployment(show_output=True)
assert service.run(payload) == {"result": 9.0} and service.tags == {"version": "2"}
service.delete()
assert name not in ws.webservices
"""
)


def test_a_container_instance_is_a_service_on_this_machine(project):
    out = execute(project, CONTAINER_INSTANCE).stdout
    assert "none yet: Service 'times-service' not found" in out and "\nHealthy\n" in out
    assert "without a key: 401" in out and "bad request: 400" in out and "taken" in out
    tables = list(project.glob(".scriptrun/runs/*/*/outputs/modeldata/times/inputs/*.csv"))
    assert tables and tables[0].read_text().startswith("time,correlation_id,x\n")


CLUSTER = (
    BEGIN
    + """
aks_name = "my-aks"
try:
    aks_target = ComputeTarget(workspace=ws, name=aks_name)
    raise SystemExit("it cannot be there")
except ComputeTargetException:
    prov_config = AksCompute.provisioning_configuration(
        agent_count=6, vm_size="Standard_F4s", location="eastus")
    aks_target = ComputeTarget.create(
        workspace=ws, name=aks_name, provisioning_configuration=prov_config)
    if aks_target.get_status() != "Succeeded":
        aks_target.wait_for_completion(show_output=True)
assert aks_target.provisioning_state == "Succeeded" and aks_target.provisioning_errors is None
assert type(ws.compute_targets[aks_name]) is AksCompute and aks_target.type == "AKS"
image_config = ContainerImage.image_configuration(
    execution_script="score.py", runtime="python", conda_file="myenv.yml",
    description="Times", tags=["onnx"])
image = ContainerImage.create(name="times-image", models=[model], image_config=image_config,
                              workspace=ws)
image.wait_for_creation(show_output=True)
service = Webservice.deploy_from_image(
    workspace=ws, name="aks-service-1", image=image, deployment_target=aks_target,
    deployment_config=AksWebservice.deploy_configuration(num_replicas=2, cpu_cores=0.1))
service.wait_for_deployment(show_output=True)
print(service.state)
facts = {"aks_name": aks_name, "aks_service_name": service.name, "aks_url": service.scoring_uri,
         "aks_keys": service.get_keys()}
with open("aks_webservice.json", "w") as outfile:
    json.dump(facts, outfile)
assert service.run(payload) == {"result": [3.0, 6.0]}
with open("helper.py", "w") as handle:
    handle.write("def times(factor, data):\\n    return 'second image'\\n")
assert Image(ws, name="times-image").version == 1
second = Image.create(ws, "times-image", [model], image_config)
assert (service.image_id, service.image.name) == ("times-image:1", "times-image")
service.update(image=second)
service.wait_for_deployment(show_output=True)
assert service.image.version == 2
assert service.run(payload) == {"result": "second image"}, service.run(payload)
assert second.version == 2 and ws.images["times-image"].id == "times-image:2"
service.delete()
aks_target.delete()
"""
)


def test_a_cluster_and_the_images_of_before_2019(project):
    out = execute(project, CLUSTER).stdout
    assert "\nHealthy\n" in out and "times-image:1: Succeeded" in out
    facts = json.loads((project / "aks_webservice.json").read_text())
    assert facts["aks_url"].startswith("http://127.0.0.1:") and len(facts["aks_keys"]) == 2


LOCAL = (
    BEGIN
    + """
config = ContainerImage.image_configuration("score.py", "python", conda_file="myenv.yml")
service = Webservice.deploy_local_from_model(
    workspace=ws, name="local", models=[model], image_config=config, wait=True)
assert type(service) is LocalWebservice and service.state == "running", service.state
print(service.base_url, service.port)
assert service.run(payload) == {"result": [3.0, 6.0]}
from_paths = Webservice.deploy(ws, "paths", ["times.txt"], config,
                               LocalWebservice.deploy_configuration())
from_paths.wait_for_deployment()
assert [each.name for each in from_paths.models] == ["times.txt"]
"""
)


def test_local_services_of_old_images_and_models_from_paths(project):
    score = SCORE.replace("Model.get_model_path('times')", "os.path.join(os.environ["
                          "'AZUREML_MODEL_DIR'], 'times.txt')")  # fmt: skip
    (project / "score.py").write_text(score.replace("    assert path == ", "    # "))
    assert "http://127.0.0.1:" in execute(project, LOCAL).stdout


RAW = """
import json
import os
from azureml.core import Run
from azureml.core.model import Model
from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_response import AMLResponse

def init():
    global texts
    texts = [open(Model.get_model_path(name)).read() for name in ('one', 'two')]
    deep = os.path.join(os.environ['AZUREML_MODEL_DIR'], 'two', '1', 'two.txt')
    assert open(deep).read() == texts[1]
    Run.get_context().log('loaded', len(texts))

@rawhttp
def run(request):
    if request.method == 'GET':
        return AMLResponse(json.dumps({'texts': texts, 'query': request.args.get('q')}), 200)
    return AMLResponse('no ' + request.method, 405, {'X-Own': 'yes'})
"""
LOCAL_DEMO = """
import json
import urllib.error
import urllib.request
from azureml.core import Environment, Model, Workspace
from azureml.core.model import InferenceConfig
from azureml.core.webservice import LocalWebservice

ws = Workspace.from_config()
models = [Model.register(ws, name + ".txt", name) for name in ("one", "two")]
env = Environment("project_environment")
env.python.conda_dependencies.add_pip_package("azureml-defaults")
env.inferencing_stack_version = "latest"
env.environment_variables = {"SECRET": "x"}
env.docker.base_image = "mcr.microsoft.com/azureml/minimal-ubuntu20.04-py38-cpu-inference:latest"
inference = InferenceConfig(environment=env, source_directory="source", entry_script="echo/raw.py")
service = Model.deploy(ws, "demo", models, inference, LocalWebservice.deploy_configuration(port=None))
service.wait_for_deployment(show_output=True)
print(f"Scoring URI is : {service.scoring_uri}", service.state)
with urllib.request.urlopen(service.scoring_uri + "?q=4") as answer:
    assert json.load(answer) == {"texts": ["1", "2"], "query": "4"}
try:
    service.run(json.dumps({"data": 1}))
except Exception as error:
    print(type(error).__name__, error.status_code)
request = urllib.request.Request(service.scoring_uri, b"{}", method="POST")
try:
    urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    assert (error.code, error.headers["X-Own"], error.read()) == (405, "yes", b"no POST")
with open("source/echo/raw.py", "a") as handle:
    handle.write("\\ninit_again = init\\ndef init():\\n    init_again()\\n    texts.append('3')\\n")
service.reload(wait=True)
with urllib.request.urlopen(service.scoring_uri) as answer:
    assert json.load(answer)["texts"] == ["1", "2", "3"]
print(LocalWebservice(ws, "demo").state, [each.name for each in LocalWebservice.list(ws)])
service.delete(delete_cache=True, delete_image=False)
print(service.state)
"""


def test_a_local_demo_with_raw_requests_and_several_models(project):
    (project / "source" / "echo").mkdir(parents=True)
    (project / "source" / "echo" / "raw.py").write_text(RAW)
    for number, name in ((1, "one"), (2, "two")):
        (project / f"{name}.txt").write_text(str(number))
    out = execute(project, LOCAL_DEMO).stdout
    assert "/score running\n" in out and "WebserviceException 405" in out
    assert "running ['demo']" in out and out.endswith("deleted\n")


CELLS = (
    "from azureml.core import Workspace, Model\n"
    "ws = Workspace.from_config()\nmodel = Model.register(ws, 'times.txt', 'times')",
    f"%%writefile notebook_score.py\n{SCORE}",
    "from azureml.core.model import InferenceConfig\n"
    "from azureml.core.webservice import AciWebservice, Webservice\n"
    "config = InferenceConfig('notebook_score.py', 'python', 'myenv.yml')",
    "%%time\nservice = Model.deploy(ws, 'n', [model], config, "
    "AciWebservice.deploy_configuration(cpu_cores=1, memory_gb=1))\n"
    "service.wait_for_deployment(True)\nprint(service.state)",
    "import json\nprint(service.run(json.dumps({'data': [5]})))\nservice.delete()",
)


def test_a_notebook_that_writes_its_entry_script(project):
    cells = [{"cell_type": "code", "source": text, "metadata": {}} for text in CELLS]
    (project / "n.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4, "metadata": {}}))
    command = [sys.executable, "-m", "scriptrun", "exec", "n.ipynb"]
    done = subprocess.run(
        command, cwd=project, capture_output=True, text=True, timeout=3 * PATIENCE
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Healthy" in done.stdout and "{'result': [15.0]}" in done.stdout


DEPLOYING_JOB = """
import json
from azureml.core import Run
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AciWebservice, Webservice
from azureml.exceptions import WebserviceException
ws = Run.get_context().experiment.workspace
try:
    Webservice(ws, 'from-job').delete()
except WebserviceException as error:
    print('none yet', error.message)
config = InferenceConfig(entry_script='score.py', runtime='python', conda_file='myenv.yml')
service = Model.deploy(ws, 'from-job', [Model(ws, 'times')], config,
                       AciWebservice.deploy_configuration(cpu_cores=1, memory_gb=1))
service.wait_for_deployment(True)
assert service.run(bytes(json.dumps({'data': [1]}), encoding='utf8')) == {'result': [3.0]}
"""
SUBMIT_IT = (
    BEGIN
    + """
from azureml.core import Environment, Experiment, ScriptRunConfig
env = Environment("bare")
env.python.conda_dependencies.add_pip_package("azureml-defaults")
run = Experiment(ws, "jobs").submit(ScriptRunConfig(".", "deploy_job.py", environment=env))
run.wait_for_completion(show_output=True)
service = ws.webservices["from-job"]
print(service.state, service.run(payload))
"""
)


def test_a_service_that_a_job_deploys_outlives_the_job(project):
    (project / "deploy_job.py").write_text(DEPLOYING_JOB)
    out = execute(project, SUBMIT_IT).stdout
    assert "none yet Service 'from-job' not found" in out
    assert out.endswith("Healthy {'result': [3.0, 6.0]}\n")


NO_SCHEMA = (
    BEGIN
    + """
config = InferenceConfig(runtime="python", entry_script="score.py", conda_file="myenv.yml")
service = Model.deploy(ws, "n", [model], config, LocalWebservice.deploy_configuration())
try:
    service.wait_for_deployment(show_output=True)
except WebserviceException as error:
    print(error.message)
"""
)


def test_an_entry_script_that_imports_inference_schema_says_what_to_add(project):
    (project / "score.py").write_text(f"from inference_schema.schema_decorators import *\n{SCORE}")
    done = execute(project, NO_SCHEMA)
    assert "Add inference-schema to the environment's packages" in done.stdout
    assert "'inference_schema', which is not in the environment" in done.stderr
    assert "(package inference-schema)" in done.stderr


@pytest.mark.parametrize("text", [CONTAINER_INSTANCE, CLUSTER, LOCAL, LOCAL_DEMO, SCORE, RAW])
def test_all_of_its_names_are_supported(project, text):
    (project / "old.py").write_text(text)
    assert scan.check(str(project / "old.py")) == []


@pytest.fixture
def ws(project, monkeypatch):
    monkeypatch.chdir(project)
    finder.enable()
    from azureml.core import Model
    from azureml.core import Workspace as OldWorkspace

    found = OldWorkspace.from_config()
    Model.register(found, "times.txt", "times")
    return found


def test_an_image_answers_one_request_without_a_service(ws):
    from azureml.core import Image, Model
    from azureml.core.image import ContainerImage
    from azureml.exceptions import WebserviceException

    config = ContainerImage.image_configuration("score.py", "python", "myenv.yml")
    image = Image.create(ws, "i", [Model(ws, "times")], config)
    assert image.run(json.dumps({"data": [2]})) == {"result": [6.0]}
    with pytest.raises(WebserviceException, match="Image 'i:1' failed"):
        image.run(b'{"data": 7}')


def test_an_endpoint_is_a_service_with_one_version(ws):
    from azureml.core import Model
    from azureml.core.model import InferenceConfig
    from azureml.core.webservice import AksEndpoint, AksWebservice, Webservice

    config = AksEndpoint.deploy_configuration(
        version_name="v1", traffic_percentile=100, auth_enabled=False, num_replicas=1
    )
    config.validate_endpoint_configuration()
    inference = InferenceConfig("score.py", "python", "myenv.yml")
    service = Model.deploy(ws, "e", [Model(ws, "times")], inference, config)
    service.wait_for_deployment()
    endpoint = AksEndpoint(ws, "e")
    assert type(service) is type(Webservice(ws, "e")) is AksEndpoint
    assert list(endpoint.versions) == ["v1"]
    assert endpoint.run(json.dumps({"data": [1]})) == {"result": [3.0]}
    endpoint.update(tags={"a": "b"}, description="d")
    assert (endpoint.tags, endpoint.serialize()["description"]) == ({"a": "b"}, "d")
    with pytest.raises(NotImplementedError, match="Deploy each version as another service"):
        endpoint.create_version("v2")
    with pytest.raises(NotImplementedError, match="Deploy each version as another service"):
        AksWebservice(ws, "e").create_version("v2")
    unknown = endpoints.UnknownWebservice(ws, "e")
    assert unknown.run(input='{"data": [2]}') == {"result": [6.0]}
    with pytest.raises(NotImplementedError, match="Use Webservice"):
        unknown.update("x")


def test_what_is_no_image_is_refused_by_name(ws):
    from azureml.core import Webservice as OldWebservice
    from azureml.exceptions import WebserviceException

    assert issubclass(OldWebservice, old_deployments.OldDeployments)
    with pytest.raises(WebserviceException, match="'times:1' is not an image"):
        OldWebservice.deploy_from_image(ws, "s", "times:1")
    assert Webservice.list(ws) == []


def test_the_table_adds_to_the_modules_that_have_other_names():
    own = {"azureml.core": {"a": "A B"}, "azureml.core.model": {"b": "C"}, "other": {}}
    before = json.dumps(own)
    merged = serving_table.merged(own)
    assert merged["azureml.core"]["a"] == "A B" and len(merged["azureml.core"]) > 1
    assert merged["azureml.core.model"]["b"] == "C" and merged["other"] == {}
    twice = serving_table.merged({"azureml.core": {"scriptrun.services.webservice": "Mine"}})
    assert twice["azureml.core"]["scriptrun.services.webservice"] == "Mine Webservice"
    assert json.dumps(own) == before

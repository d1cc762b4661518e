"""Code that deploys models: what is rewritten, and what a proof compares of it."""

from __future__ import annotations

import pytest
from tests.migration.versions import migrated

from scriptrun.migration import azureml_imports
from scriptrun.migration.findings import LEFT_ALONE, NEEDS_REVIEW
from scriptrun.migration.proof import prove

DEPLOY = """\
import json
import requests
from azureml.core import Environment, Workspace
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AciWebservice, AksWebservice, LocalWebservice, Webservice
from azureml.exceptions import WebserviceException

ws = Workspace.from_config()
env = Environment('serving')
env.python.user_managed_dependencies = True
inference = InferenceConfig('score.py', source_directory='src', environment=env)
try:
    Webservice(ws, 'sums').delete()
except WebserviceException:
    pass
model = Model.register(ws, 'model.json', 'sums')
service = Model.deploy(ws, 'sums', [model], inference,
                       AksWebservice.deploy_configuration(num_replicas=2, scoring_timeout_ms=500))
service.wait_for_deployment(show_output=True)
key, _ = service.get_keys()
answer = requests.post(service.scoring_uri, '{}', headers={'Authorization': 'Bearer ' + key})
print(service.state, answer.json(), json.loads(service.run('{}')))
service.update(models=[model], inference_config=inference)
Model.deploy(ws, 'local', [Model(ws, 'missing')], inference,
             LocalWebservice.deploy_configuration(port=8890), overwrite=True)
"""
SCORE = """\
from azureml.core.model import Model
from azureml.contrib.services.aml_request import rawhttp


def init():
    Model.get_model_path('sums')


@rawhttp
def run(request):
    return request.method
"""
CLUSTER = """\
from azureml.core import Workspace
from azureml.core.compute import AksCompute, ComputeTarget
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AksWebservice
ws = Workspace.from_config()
try:
    target = ComputeTarget(workspace=ws, name='aks')
except Exception:
    target = ComputeTarget.create(ws, 'aks', AksCompute.provisioning_configuration(agent_count=3))
    target.wait_for_completion(show_output=True)
    print(target.provisioning_errors)
config = InferenceConfig('score.py', source_directory='src')
Model.deploy(ws, 'sums', [], config, AksWebservice.deploy_configuration(), target)
target.delete()
"""
IMAGE = """\
from azureml.core import Workspace
from azureml.core.image import ContainerImage
from azureml.core.model import Model
from azureml.core.webservice import AciWebservice, Webservice
ws = Workspace.from_config()
model = Model.register(ws, 'model.json', 'sums')
config = ContainerImage.image_configuration(execution_script='score.py', runtime='python',
                                            conda_file='env.yml', tags={'a': 'b'},
                                            description='sums')
aci = AciWebservice.deploy_configuration(cpu_cores=1)
first = Webservice.deploy_from_model(workspace=ws, name='one', deployment_config=aci,
                                     models=[model], image_config=config)
image = ContainerImage.create(name='sums', models=[model], image_config=config, workspace=ws)
image.wait_for_creation(show_output=True)
second = Webservice.deploy_from_image(ws, 'two', image, aci)
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "src").mkdir()
    for folder in (tmp_path, tmp_path / "src"):
        (folder / "score.py").write_text("def init(): pass\ndef run(data): return data\n")
    (tmp_path / "model.json").write_text("{}")
    (tmp_path / "env.yml").write_text("name: e\ndependencies: [python]\n")
    return tmp_path


def proof_of(project, old: str, new: str | None = None) -> prove.Proof:
    path, text = str(project / "deploy.py"), migrated(old, "scriptrun").new.decode()
    return prove.prove(path, old.encode(), (new or text).encode())


def test_deployments_come_from_scriptrun_and_are_proved(project):
    new = migrated(DEPLOY, "scriptrun").new.decode()
    assert "azureml" not in new and new.count("pins='relax'") == 2
    assert "from scriptrun.exceptions import WebserviceException" in new
    proof = proof_of(project, DEPLOY)
    assert (proof.standing, proof.jobs, proof.services) == (prove.SAME, 3, 3), str(proof)
    assert "3 services are the same" in str(proof) and "the model 'missing'" in str(proof)


def test_code_that_stays_azures_keeps_its_deployments():
    assert not migrated(DEPLOY, "azureml").is_changed


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("num_replicas=2", "num_replicas=3", "service.workers changed from 2 to 3"),
        ("=500", "=1500", "service.timeout_seconds changed from 0.5 to 1.5"),
        ("port=8890", "port=8891", "service.port changed from 8890 to 8891"),
        ("'score.py'", "'other.py'", "other.py"),
        ("Environment('serving')", "Environment('others')", "'serving' to 'others'"),
        ("'local', [Model", "'elsewhere', [Model", "service.name changed"),
        ("[Model(ws, 'missing')]", "[model]", "service.models changed"),
        ("overwrite=True", "overwrite=False", "service.overwrite changed"),
    ],
)
def test_a_changed_deployment_differs(project, old, new, field):
    changed = migrated(DEPLOY, "scriptrun").new.decode()
    assert old in changed
    (project / "src" / "other.py").write_text("def init(): pass\ndef run(data): return data\n")
    proof = proof_of(project, DEPLOY, changed.replace(old, new))
    assert proof.standing == prove.DIFFERS and field in str(proof), str(proof)


def test_nothing_is_left_of_a_proved_service(project):
    assert proof_of(project, DEPLOY).standing == prove.SAME
    assert sorted(path.name for path in project.iterdir()) == [
        "env.yml", "model.json", "score.py", "src",
    ]  # fmt: skip


def test_an_entry_script_keeps_what_services_give_it(project):
    outcome = migrated(SCORE, "scriptrun")
    new = outcome.new.decode()
    assert new.startswith("from scriptrun import Model\nfrom azureml.contrib.services")
    assert "dropin" not in new and azureml_imports.is_entry_script(new)
    assert [item.kind for item in outcome.findings if "contrib" in item.what] == [LEFT_ALONE]
    assert "entry script of a service" in str(proof_of(project, SCORE))


def test_a_cluster_for_services_becomes_its_name(project):
    new = migrated(CLUSTER, "scriptrun").new.decode()
    assert "target = 'aks'\n" in new and "AksCompute" not in new and "delete" not in new
    proof = proof_of(project, CLUSTER)
    assert (proof.standing, proof.services) == (prove.SAME, 1), str(proof)


@pytest.mark.parametrize("setting", ["config.enable_ssl(leaf_domain_label='x')\n", ""])
def test_the_settings_of_a_cluster_go_with_it(project, setting):
    created = CLUSTER.partition("try:")[0] + (
        "config = AksCompute.attach_configuration(resource_group='r', cluster_name='c')\n"
        f"{setting}target = ComputeTarget.attach(ws, 'aks', config)\n"
        "target.wait_for_completion(True)\n"
    )
    code = created + "inference" + CLUSTER.partition("\nconfig")[2].replace("config,", "inference,")
    new = migrated(code, "scriptrun").new.decode()
    assert "target = 'aks'\n" in new and "ssl" not in new and "attach" not in new
    proof = proof_of(project, code)
    assert (proof.standing, proof.services) == (prove.SAME, 1), str(proof)


def test_names_that_the_code_draws_are_the_same_before_and_after(project):
    draws = DEPLOY.replace(
        "'local', [", "'local-' + str(uuid.uuid4())[:4] + str(random.randint(1, 10**6)), ["
    )
    assert draws != DEPLOY
    proof = proof_of(project, "import random\nimport uuid\n" + draws)
    assert (proof.standing, proof.services) == (prove.SAME, 3), str(proof)


def test_images_become_deployments(project):
    new = migrated(IMAGE, "scriptrun").new.decode()
    assert "Image" not in new and "azureml" not in new
    assert "InferenceConfig(entry_script='score.py'" in new and "tags" not in new
    assert "Model.deploy(ws, 'two', [model], config, aci" in new
    proof = proof_of(project, IMAGE)
    assert (proof.standing, proof.services) == (prove.SAME, 2), str(proof)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("runtime='python'", "dependencies=['utils.py']", "has no argument for its dependencies"),
        ("image.wait_for_creation(show_output=True)", "use(image)", "use uses its image"),
        ("image.wait_for_creation(show_output=True)", "x = image.id", "more of its image"),
        ("config = ", "config = other = ", "its use is not visible"),
        (
            "second = ",
            "model = Model.register(ws, 'model2.json', 'other')\nsecond = ",
            "model has other values, too",
        ),
        (
            "image.wait_for_creation(show_output=True)",
            "print(image.id, model.add_tags({'released': 'yes'}))",
            "more of its image",
        ),
        (
            "image.wait_for_creation(show_output=True)",
            "publish(image.wait_for_creation())",
            "more of its image",
        ),
        (
            "second = ",
            "known = ws.images['sums']\nsecond = ",
            "submit.py fetches an image by name",
        ),
    ],
)
def test_other_images_need_a_look(old, new, reason):
    outcome = migrated(IMAGE.replace(old, new), "scriptrun")
    found = [item for item in outcome.findings if item.kind == NEEDS_REVIEW]
    assert reason in found[0].reason and "Model.deploy" in found[0].advice
    assert b"ContainerImage.image_configuration" in outcome.new


def test_images_that_stay_are_deployed_as_before(project):
    stays = IMAGE.replace("runtime='python'", "runtime='python', dependencies=['score.py']")
    proof = proof_of(project, stays)
    assert (proof.standing, proof.services) == (prove.SAME, 2), str(proof)


def test_lines_that_only_print_an_image_go_with_it(project):
    printed = "image.wait_for_creation()\nprint('built {}'.format(image.id), str(image.version))"
    old = IMAGE.replace("image.wait_for_creation(show_output=True)", printed)
    new = migrated(old, "scriptrun").new.decode()
    assert "Image" not in new and "built" not in new


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [
        ("from azureml.core.image import Image\nimage = Image(ws, 'sums')\n", True),
        ("from azureml.core.image import Image\nimage = Image(ws, 'others')\n", False),
        ("image = 'sums'\n", False),
    ],
)
def test_an_image_that_another_file_fetches_stays(project, text, is_kept):
    (project / "deploy.py").write_text(IMAGE)
    (project / "src" / "later.py").write_text(text)
    outcome = migrated(IMAGE, "scriptrun", str(project / "deploy.py"))
    found = [item for item in outcome.findings if item.kind == NEEDS_REVIEW]
    assert ("ContainerImage.create" in outcome.new.decode()) is is_kept
    assert is_kept == any("later.py fetches an image" in item.reason for item in found)


def test_a_program_with_init_and_run_that_submits_is_proved(project):
    old = """\
from azureml.core import Experiment, ScriptRunConfig, Workspace
def init():
    return Workspace.from_config()
def run(ws):
    return Experiment(ws, 'e').submit(ScriptRunConfig('.', 'score.py'))
run(init())
"""
    proof = proof_of(project, old)
    assert (proof.standing, proof.jobs) == (prove.SAME, 1), str(proof)

"""Requests are checked at once, before anything is written."""

from __future__ import annotations

import socket

import pytest
from service_bench import served

from scriptrun import AksWebservice, Environment, LocalWebservice, Model, Run
from scriptrun.config.services.inference_config import InferenceConfig
from scriptrun.exceptions import WebserviceException
from scriptrun.registry import services as registry
from scriptrun.runtime.serving import order as service_order
from scriptrun.services import prepare, served_models, source
from scriptrun.services.prepare import again
from scriptrun.services.request import ServedModel, ServiceRequest
from scriptrun.spec.environment import INTERPRETER
from scriptrun.tracking import events


def refusal(bench, name="digits", **fields):
    """Why the request is refused. Nothing may be left of it."""
    with pytest.raises(WebserviceException) as refused:
        bench.deploy(name, **fields)
    assert registry.names(bench.workspace) == []
    assert list(Run.unfinished(bench.workspace)) == []
    assert not (bench.workspace.directory / "experiments" / "services.json").exists()
    return str(refused.value)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "a/b"}, "invalid service name 'a/b'; use letters"),
        ({"name": ""}, "invalid service name ''"),
        ({"name": "n" * 101}, "at most 100 characters"),
        ({"entry_script": "scor.py"}, "did you mean 'score.py'?"),
        ({"source_directory": "/no/such"}, "'/no/such' does not exist"),
        ({"source_directory": None, "entry_script": "/no/such.py"}, "does not exist"),
        ({"entry_script": None}, "there is nothing to serve; give a model or an entry script"),
        ({"models": (ServedModel("digit"),)}, "Model 'digit' not found"),
        ({"models": (ServedModel("x", path="/no/x"),)}, "'/no/x' does not exist"),
        ({"port": 0x10000}, "port is 65536; give a number from 1 to 65535"),
        ({"port": "80"}, "port is '80'"),
        ({"host": "no.such.host.invalid"}, "the host 'no.such.host.invalid' is unknown; use 127"),
        ({"host": "a\0b"}, "is unknown; use 127.0.0.1"),
        ({"host": ""}, "the host '' is unknown; use 127.0.0.1"),
        ({"host": "192.0.2.1"}, "the host '192.0.2.1' is not an address of this machine; use 127"),
        ({"workers": 0}, "workers is 0; give a whole number of at least 1"),
        ({"workers": True}, "workers is True"),
        ({"restarts": -1}, "restarts is -1"),
        ({"gpus": 1.5}, "gpus is 1.5"),
        ({"gpus": 999}, "deploy without gpu_cores (--gpus) to serve on CPUs"),
        ({"timeout_seconds": 0}, "timeout_seconds is 0; give seconds, more than 0"),
        ({"timeout_seconds": float("inf")}, "timeout_seconds is inf; give seconds, more than 0"),
        ({"start_seconds": 1e300}, "start_seconds is 1e+300; give seconds, more than 0"),
        ({"start_seconds": "soon"}, "start_seconds is 'soon'"),
        ({"body_limit": 0}, "body_limit is 0"),
        ({"auth": "basic"}, "auth is 'basic'; use 'none' or 'key'"),
        ({"keys": ("a", "b")}, "callers need none; set auth to 'key'"),
        ({"auth": "key", "keys": ("a b", "c")}, "a key is not a text of ASCII characters"),
        ({"compute_target": "clouds"}, "clouds"),
    ],
)
def test_a_wrong_request_is_refused_with_a_reason(bench, fields, reason):
    assert reason in refusal(bench, **{"name": "digits", **fields})


def test_all_problems_are_reported_at_once(bench):
    bench.model()
    text = refusal(bench, name="a b", workers=0, port=-1, models=(ServedModel("digts"),))
    assert "(4 problems)" in text
    assert "Did you mean 'digits'?" in text
    assert text.count("\n  - ") == 4


def test_a_port_that_is_taken_is_refused(bench):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"cannot listen on 127.0.0.1 port {port}" in refusal(bench, port=port)
    service = bench.deploy(port=port)
    assert service.port == port
    service.reload(wait=True)  # its own port is not in its way
    with pytest.raises(WebserviceException, match="cannot listen"):
        bench.deploy("second", port=port)


def test_models_that_collide_are_refused(bench):
    path = bench.tmp_path / "other.txt"
    path.write_text("other")
    model = bench.model()
    models = (served(model), ServedModel("digits", path=str(path)))
    assert "two models are both 'digits', version 1" in refusal(bench, models=models)
    service = bench.deploy(models=(served(model), served(model)))
    assert service.run("0")["model"] == "a model"


def test_a_damaged_model_is_refused(bench):
    model = bench.model()
    blob = next(
        path
        for path in (bench.workspace.directory / "models" / ".content").rglob("*")
        if path.is_file() and path.read_text() == "a model"
    )
    blob.chmod(0o644)
    blob.write_text("broken!")
    assert "damaged" in refusal(bench, models=(served(model),))


def test_without_a_version_the_latest_is_served_and_recorded(bench):
    bench.model(text="old")
    bench.model(text="new")
    service = bench.deploy(models=(ServedModel("digits"),))
    assert service.run("0")["model"] == "new"
    bench.model(text="newest")
    service.reload(wait=True)
    assert service.run("0")["model"] == "new"
    assert service.request.models == (ServedModel("digits", 2),)


def test_a_folder_is_served_whole(bench):
    folder = bench.tmp_path / "net"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "w.txt").write_text("w")
    model = Model.register(bench.workspace, str(folder), "net")
    bench.write(
        "import os\n\ndef init():\n    pass\n\ndef run(data):\n"
        "    folder = os.environ['AZUREML_MODEL_DIR']\n"
        "    return open(os.path.join(folder, 'net', 'sub', 'w.txt')).read()\n"
    )
    assert bench.deploy(models=(served(model),)).run("0") == "w"


def test_the_script_comes_with_the_python_files_beside_it(bench):
    (bench.source / "helper.py").write_text("WORD = 'helped'\n")
    package = bench.source / "kit"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "more.py").write_text("WORD = 'more'\n")
    (bench.source / "large.bin").write_bytes(b"x")
    bench.write(
        "import os\n\ndef init():\n    pass\n\ndef run(data):\n    import helper, kit.more\n"
        "    return [helper.WORD, kit.more.WORD, sorted(os.listdir('.'))]\n"
    )
    script = str(bench.source / "score.py")
    service = bench.deploy(source_directory=None, entry_script=script)
    words = service.run("0")
    assert words[:2] == ["helped", "more"]
    assert {"helper.py", "kit", "score.py"} <= set(words[2])
    assert "large.bin" not in words[2]
    assert service.current_run.job.source_directory == str(bench.source)


def test_the_source_of_a_service_without_a_script_is_empty(bench):
    with source.gather(ServiceRequest("x")) as gathered:
        assert (gathered.script, list(gathered.folder.iterdir())) == (None, [])
    assert not gathered.folder.exists()


def test_what_has_no_effect_is_noted_once(bench):
    config = AksWebservice.deploy_configuration(
        cpu_cores=1, memory_gb=2, scoring_timeout_ms=500, auth_enabled=False, namespace="x"
    )
    service = bench.deploy_model("noted", deployment_config=config)
    notes = [each["message"] for each in events.read(service.current_run.path) if "message" in each]
    assert "settings that are not used on this machine: cpu_cores, memory_gb, namespace" in notes
    assert service.request.timeout_seconds == 0.5


def test_who_listens_to_the_network_without_keys_is_warned(bench):
    with pytest.warns(UserWarning, match=r"listens on 0\.0\.0\.0 and asks callers for no key"):
        service = bench.deploy(host="0.0.0.0")
    assert service.base_url.startswith("http://127.0.0.1:")
    assert service.run("1")["data"] == 1


def test_the_variables_of_the_environment_reach_the_script(bench):
    environment = Environment("mine")
    environment.python.user_managed_dependencies = True
    environment.environment_variables = {"ONE": "1"}
    environment.inferencing_stack_version = "latest"
    bench.write(
        "import os\n\ndef init():\n    pass\n\ndef run(data):\n"
        "    return [os.environ.get('ONE'), os.environ.get('TWO')]\n"
    )
    service = bench.deploy(environment=environment, variables={"TWO": "2"})
    assert service.run("0") == ["1", "2"]
    assert service.environment.environment_variables == {"ONE": "1"}
    assert service.request.environment == environment


def test_a_run_is_prepared_again_with_the_same_files(bench):
    service = bench.deploy(models=(served(bench.model()),))
    record = registry.get(bench.workspace, "digits")
    bench.write(version="2")
    prepared = again(bench.workspace, record, service.request.replace(workers=2))
    assert prepared.job.snapshot == service.current_run.job.snapshot
    assert prepared.job.id != service.current_run.id
    assert prepared.job.environment.kind == INTERPRETER
    assert prepared.order["workers"] == 2
    assert prepared.order["port"] == service.port
    assert prepared.order["replaces"] == service.current_run.id
    assert prepared.models[0].files["digits.txt"].read_text() == "a model"
    with pytest.raises(WebserviceException, match="workers is 0"):
        again(bench.workspace, record, service.request.replace(workers=0))


def test_the_order_says_where_the_models_are(bench):
    model = bench.model()
    service = bench.deploy(models=(served(model),))
    order = service_order.read(str(service.current_run.path))
    assert order.model_dir == "azureml-models/digits/1"
    assert order.models == [
        {
            "name": "digits",
            "version": 1,
            "framework": None,
            "path": "azureml-models/digits/1/digits.txt",
        }
    ]
    link = service.current_run.path / order.models[0]["path"]
    assert link.is_symlink()
    assert link.read_text() == "a model"
    assert served_models.model_dir([]) is None


def test_configurations_of_another_type_are_refused(bench):
    with pytest.raises(WebserviceException, match="deployment_config is 'local'"):
        bench.deploy_model(deployment_config="local", config=bench.config())
    with pytest.raises(WebserviceException, match=r"inference_config is 'score\.py'"):
        bench.deploy_model(config="score.py")
    with pytest.raises(WebserviceException, match="is not a model; give Model objects"):
        bench.deploy_model(models=[3])
    with pytest.raises(WebserviceException, match="Model 'nope' not found"):
        bench.deploy_model(models=["nope"])
    config = InferenceConfig("score.py", conda_file="no.yml", source_directory=str(bench.source))
    with pytest.raises(WebserviceException, match=r"conda_file 'no\.yml' does not exist"):
        bench.deploy_model(config=config)
    assert prepare.EXPERIMENT == "services"


def test_models_are_named_in_several_ways(bench):
    bench.model(text="old")
    bench.model(text="new")
    for models, text in ((["digits"], "new"), (["digits:1"], "old"), ("digits", "new")):
        service = bench.deploy_model("ways", models, overwrite=True)
        assert service.run("0")["model"] == text


def test_a_target_of_azure_is_this_machine(bench):
    service = bench.deploy_model(
        deployment_config=LocalWebservice.deploy_configuration(), deployment_target="aks-1"
    )
    assert service.current_run.job.target.name == "local"

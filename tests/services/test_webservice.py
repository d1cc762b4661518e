"""Webservice, with real services."""

from __future__ import annotations

import json
import socket
import urllib.error

import pytest
import service_bench
from service_bench import BROKEN, post

from scriptrun import (
    AciWebservice,
    AksWebservice,
    Environment,
    LocalWebservice,
    Model,
    Run,
    Webservice,
)
from scriptrun.exceptions import WebserviceException
from scriptrun.registry import services as registry
from scriptrun.services import client


def test_a_model_is_deployed_called_and_deleted(bench, capsys):
    model = bench.model()
    service = bench.deploy_model("digits", [model], wait=False)
    service.wait_for_deployment(show_output=True, timeout_sec=120)
    assert type(service) is LocalWebservice
    assert "ready 1" in capsys.readouterr().out
    assert service.state == LocalWebservice.STATE_RUNNING
    answer = {"version": "1", "model": "a model", "data": [1, 2]}
    assert service.run(json.dumps([1, 2])) == answer
    assert service.run(b"[1, 2]") == answer
    assert post(service.scoring_uri, [1, 2]) == answer
    assert service.port == int(service.scoring_uri.split(":")[2].split("/")[0])
    assert service.swagger_uri == service.base_url + "/swagger.json"
    assert list(bench.workspace.webservices) == ["digits"]
    assert [each.id for each in service.models] == ["digits:1"]
    run = service.current_run
    assert "state=running" in repr(service)
    service.delete()
    assert "state=deleted" in repr(service)
    assert bench.workspace.webservices == {}
    assert service.state == LocalWebservice.STATE_DELETED
    assert Run.get(bench.workspace, run.id).status == "Canceled"
    assert registry.names(bench.workspace) == []
    with pytest.raises(WebserviceException, match="'digits' not found"):
        Webservice(bench.workspace, "digits")


def test_several_models_lie_below_the_folder_of_all(bench):
    models = [bench.model("one"), bench.model("two")]
    service = bench.deploy_model("both", models)
    assert service.run("0")["model"] == ["one", "two"]


def test_a_local_model_is_copied(bench):
    path = bench.tmp_path / "mine.txt"
    path.write_text("mine")
    service = bench.deploy_model("local", [str(path)])
    path.write_text("changed")
    assert service.run("0")["model"] == "mine"
    service.stop()
    service.start()
    service.wait_for_deployment(timeout_sec=120)
    assert service.run("0")["model"] == "mine"


def test_the_class_is_that_of_the_deployment(bench):
    config = AciWebservice.deploy_configuration(cpu_cores=1, memory_gb=2, tags={"a": "b"})
    service = bench.deploy_model("cloud", deployment_config=config)
    found = Webservice(bench.workspace, "cloud")
    assert type(service) is type(found) is AciWebservice
    assert (found.state, found.compute_type, found.tags) == ("Healthy", "ACI", {"a": "b"})
    assert (found.cpu_cores, found.memory_gb, found.image) == (1, 2, None)
    assert Webservice.list(bench.workspace, compute_type="AKS") == []
    assert [each.name for each in Webservice.list(bench.workspace, tags=["a"])] == ["cloud"]
    assert Webservice.list(bench.workspace, tags={"a": "c"}) == []
    assert LocalWebservice.list(bench.workspace) == []


def test_keys_are_asked_for_and_made_anew(bench):
    config = AksWebservice.deploy_configuration(num_replicas=2)
    service = bench.deploy_model("safe", deployment_config=config)
    assert type(service) is AksWebservice
    assert service.auth_enabled
    primary, secondary = service.get_keys()
    assert service.run("1")["data"] == 1
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(service.scoring_uri, 1)
    assert refused.value.code == 401
    for key in (primary, secondary):
        assert post(service.scoring_uri, 1, {"Authorization": f"Bearer {key}"})["data"] == 1
    service.regen_key("Secondary", "chosen")
    assert service.get_keys() == (primary, "chosen")
    service.regen_key("Primary")
    renewed, kept = service.get_keys()
    assert renewed != primary
    assert kept == "chosen"
    assert service.run("2")["data"] == 2
    everything = b"".join(
        path.read_bytes() for path in bench.workspace.directory.rglob("*") if path.is_file()
    )
    assert not any(key.encode() in everything for key in (primary, secondary, renewed))


def test_tokens_are_for_services_that_use_them(bench):
    config = AksWebservice.deploy_configuration(token_auth_enabled=True)
    service = bench.deploy_model("token", deployment_config=config)
    token, refresh = service.get_token()
    assert post(service.scoring_uri, 1, {"Authorization": f"Bearer {token}"})["data"] == 1
    assert refresh > service.created_time
    plain = bench.deploy("open", wait=False)
    with pytest.raises(WebserviceException, match="does not use tokens"):
        plain.get_token()
    with pytest.raises(WebserviceException, match="has no keys"):
        plain.get_keys()


def test_what_run_raises_is_an_error_with_its_status(bench):
    bench.write("def init():\n    pass\n\ndef run(data):\n    return 1 / 0\n")
    service = bench.deploy("raises")
    with pytest.raises(WebserviceException, match="status 500") as raised:
        service.run("1")
    assert raised.value.status_code == 500
    assert "ZeroDivisionError" in service.get_logs()


def test_a_service_that_cannot_start_has_failed_with_its_log(bench):
    bench.write(BROKEN)
    service = bench.deploy_model("broken", wait=False)
    with pytest.raises(WebserviceException, match="the model does not fit") as raised:
        service.wait_for_deployment(timeout_sec=120)
    assert "ValueError: the model does not fit" in raised.value.logs
    assert service.state == LocalWebservice.STATE_FAILED
    assert "ValueError" in service.get_logs(num_lines=30)
    assert service.error
    assert service.current_run.status == "Failed"
    with pytest.raises(WebserviceException, match="does not answer"):
        service.run("1")
    service.delete()
    assert bench.workspace.webservices == {}


def test_waiting_ends_after_the_time_given(bench):
    bench.write("import time\n\ndef init():\n    time.sleep(600)\n\ndef run(data):\n    return 1\n")
    service = bench.deploy("slow", wait=False)
    with pytest.raises(WebserviceException, match=r"not healthy after 0\.5 s: it is Transitioning"):
        service.wait_for_deployment(timeout_sec=0.5)
    assert Webservice(bench.workspace, "slow").health.state == "Transitioning"


def test_metadata_changes_without_a_new_run(bench):
    config = AciWebservice.deploy_configuration(tags={"a": "1"}, description="first")
    service = bench.deploy_model("meta", deployment_config=config)
    run = service.current_run.id
    service.add_tags({"b": 2})
    service.remove_tags(["a"])
    service.add_properties({"p": "q"})
    service.update(description="second", properties={"r": "s"}, enable_app_insights=True)
    found = Webservice(bench.workspace, "meta")
    assert found.tags == {"b": "2"}
    assert found.properties == {"p": "q", "r": "s"}
    assert found.description == "second"
    assert found.enable_app_insights is True
    assert found.current_run.id == run
    assert found.updated_time > found.created_time
    service.update(tags={"c": "3"})
    assert Webservice(bench.workspace, "meta").tags == {"c": "3"}


def test_a_service_is_found_again_by_what_it_was_serialized_as(bench):
    service = bench.deploy_model("found", [bench.model()])
    value = json.loads(json.dumps(service.serialize()))
    assert value["state"] == "running"
    assert value["models"] == [{"name": "digits", "version": 1, "path": None, "framework": None}]
    assert Webservice.deserialize(bench.workspace, value).scoring_uri == service.scoring_uri


def test_a_copy_is_deployed_as_another_service(bench):
    service = bench.deploy_model("here", [bench.model()])
    copy = service.deploy_to_cloud("there", AciWebservice.deploy_configuration())
    copy.wait_for_deployment(timeout_sec=120)
    assert type(copy) is AciWebservice
    assert copy.run("1") == service.run("1")


def test_names_of_v1_exist(bench):
    assert LocalWebservice.NETWORK_NAME == "azureml-local"
    assert client.AccessToken("x").token_type == "Bearer"
    Webservice.check_for_existing_webservice(bench.workspace, "none")
    bench.deploy("some", wait=False)
    with pytest.raises(WebserviceException, match="already exists"):
        Webservice.check_for_existing_webservice(bench.workspace, "some")
    missing = LocalWebservice(bench.workspace, "none", must_exist=False)
    assert missing.state == "deleted"
    assert (missing.models, missing.request.workers) == ([], 1)
    assert "state=deleted" in repr(missing)
    for attribute in ("created_time", "updated_time"):
        with pytest.raises(WebserviceException, match="'none' not found"):
            getattr(missing, attribute)
    with pytest.raises(AttributeError):
        _ = missing.no_such_thing
    assert Model.Framework.SCIKITLEARN == "ScikitLearn"


def test_a_service_whose_run_is_damaged_is_still_listed(bench):
    service = bench.deploy()
    service.stop()
    (service.current_run.path / "job.json").write_text("{")
    health = bench.workspace.webservices["digits"].health
    assert health.has_ended
    assert "job.json is damaged" in health.reason
    bench.write(version="2")
    assert bench.deploy(overwrite=True).run("1")["version"] == "2"


def test_models_keys_and_replicas_are_updated(bench):
    config = AksWebservice.deploy_configuration(auth_enabled=False)
    service = bench.deploy_model("up", [bench.model(text="old")], deployment_config=config)
    assert (service.num_replicas, service.scoring_timeout_ms) == (1, 60000)
    uri = service.scoring_uri
    bench.write(version="2")  # not taken: only the models change
    service.update(models=[bench.model(text="new")], num_replicas=2)
    service.wait_for_deployment(timeout_sec=120)
    assert service.run("0") == {"version": "1", "model": "new", "data": 0}
    assert (service.health.workers, service.scoring_uri) == (2, uri)
    assert service.num_replicas == 2
    service.update(auth_enabled=True, tags={"safe": "yes"})
    service.wait_for_deployment(timeout_sec=120)
    assert service.auth_enabled
    assert service.tags == {"safe": "yes"}
    with pytest.raises(urllib.error.HTTPError):
        post(uri, 1)
    assert service.run("1")["data"] == 1
    service.update(inference_config=bench.config())
    service.wait_for_deployment(timeout_sec=120)
    assert service.run("0")["version"] == "2"
    assert service.run("0")["model"] == "new"
    with pytest.raises(WebserviceException, match="workers is 0"):
        service.update(num_replicas=0)
    assert service.health.state == "Healthy"


def test_a_local_service_moves_to_another_port(bench):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    service = bench.deploy_model("moves")
    before = service.port
    service.update(deployment_config=LocalWebservice.deploy_configuration(port=port), wait=True)
    assert service.port == port != before
    assert service.scoring_uri == f"http://127.0.0.1:{port}/score"
    assert service.run("1")["data"] == 1


def test_a_local_service_never_answers_with_the_files_before_a_reload(bench):
    service = bench.deploy_model("digits")
    assert service.run("0")["version"] == "1"
    bench.write(version="2")
    service.reload()
    assert service.run("0")["version"] == "2"
    bench.write(version="3")
    service.update(inference_config=bench.config())
    assert service.run("0")["version"] == "3"
    bench.write(BROKEN)
    service.reload()
    with pytest.raises(WebserviceException, match="the model does not fit"):
        service.run("0")
    assert service.run("0")["version"] == "3", "the run before goes on"


def test_warnings_name_the_line_of_the_caller(bench):
    bench.write("import missing_package\ndef init(): pass\ndef run(data): pass\n")
    environment = Environment("none")
    with pytest.warns(UserWarning, match="missing_package") as caught:
        bench.deploy_model("digits", config=bench.config(environment=environment), wait=False)
    names = {warning.filename for warning in caught if "missing_package" in str(warning.message)}
    assert names == {service_bench.__file__}

"""Who may call a service: keys, host names, origins."""

from __future__ import annotations

import os
import signal

import pytest

from scriptrun.runtime.serving.access import Access
from scriptrun.runtime.serving.http.messages import Request
from scriptrun.runtime.serving.order import KEY, KEYS_VARIABLE, ServiceOrder
from scriptrun.testing.jobs import until


def test_a_key_is_needed(new_service):
    served = new_service().start(auth="key", environ={KEYS_VARIABLE: "first second"})
    served.until_state("healthy")
    assert served.request("GET", "/").status == 200, "a health check needs none"
    refused = served.post("1")
    assert refused.status == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert "Bearer KEY" in refused.json["message"]
    for wrong in (
        "Bearer third",
        "Bearer",
        "Bearer ",
        "first",
        "Basic first",
        "Bearer firstsecond",
    ):
        assert served.post("1", Authorization=wrong).status == 401
    assert served.request("GET", "/swagger.json").status == 401
    for key in ("first", "second"):
        assert served.post("1", Authorization=f"Bearer {key}").json == "1"
        assert served.request("GET", "/swagger.json", Authorization=f"bearer {key}").status == 200


def test_the_script_and_what_it_starts_do_not_see_the_keys(new_service):
    served = new_service(
        "import os, subprocess\n"
        "def init(): print('in init:', os.environ.get('SCRIPTRUN_SERVICE_KEYS'), flush=True)\n"
        "def run(data): return subprocess.check_output(['env'], text=True)\n"
    )
    served.start(auth="key", environ={KEYS_VARIABLE: "first second"}).until_state("healthy")
    assert "in init: None" in served.log()
    answer = served.post("1", Authorization="Bearer second")
    assert answer.status == 200 and KEYS_VARIABLE not in answer.json
    os.kill(served.workers()[0], signal.SIGKILL)
    until(lambda: served.state()["restarts"] == 1 and served.state()["workers"] == 1)
    assert served.post("1", Authorization="Bearer first").status == 200, "the next one has them"


def test_a_service_without_its_keys_lets_nobody_in():
    rules = Access(ServiceOrder(auth=KEY), {})
    for value in ("Bearer", "Bearer ", "Bearer x"):
        response = rules.check_key(Request("POST", "/score", headers=[("authorization", value)]))
        assert response is not None
        assert response.status == 401


@pytest.mark.parametrize(
    ("host", "order", "status"),
    [
        ("127.0.0.1:8890", {}, None), ("localhost", {}, None), ("[::1]:80", {}, None),
        ("app.localhost:80", {}, None), ("192.168.1.7:8890", {}, None),
        ("evil.example:8890", {}, 403), ("", {}, 403), ("127.0.0.1.evil.example", {}, 403),
        ("localhost.evil.example", {}, 403), ("1.2.3.4.5", {}, 403),
        ("gpu7:80", {"allowed_hosts": ["gpu7"]}, None),
        ("a.cluster:80", {"allowed_hosts": ["*.cluster"]}, None),
        ("gpu7", {"host": "gpu7"}, None), ("any.example", {"allowed_hosts": ["*"]}, None),
    ],
)  # fmt: skip
def test_host_names(host, order, status):
    response = Access(ServiceOrder(**order), {}).refuse(
        Request("POST", "/score", headers=[("host", host)])
    )
    assert (response and response.status) == status


def test_a_raw_script_does_not_see_pages_that_are_not_allowed(serve):
    served = serve(
        "from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp\n"
        "def init(): pass\n"
        "@rawhttp\n"
        "def run(request):\n    print('called')\n    return 'yes'\n"
    )
    for _ in range(2):
        assert served.post("1", Origin="https://app.example").status == 403
    assert served.log().count("note: a page of 'https://app.example' was refused before run()") == 1
    assert "called" not in served.log()


def test_health_checks_of_old_tools_need_no_host_name():
    rules = Access(ServiceOrder(), {})
    assert rules.refuse(Request("GET", "/", version="1.0")) is None
    for request in (
        Request("GET", "/"), Request("POST", "/score", version="1.0"),
        Request("GET", "/", headers=[("host", "evil.example")], version="1.0"),
    ):  # fmt: skip
        refused = rules.refuse(request)
        assert refused is not None and refused.status == 403


def test_pages_of_other_sites_are_refused(serve):
    served = serve()
    refused = served.post("1", Origin="https://evil.example")
    assert refused.status == 403
    assert "AML_CORS_ORIGINS" in refused.json["message"]
    assert served.post("1", Origin="null").status == 403
    assert served.post("1", Host="evil.example").status == 403
    own = f"http://127.0.0.1:{served.port}"
    assert served.post("1", Origin=own).status == 200
    assert served.request("GET", "/score?a=1", Sec_Fetch_Site="cross-site").status == 403
    assert served.request("GET", "/score?a=1", Sec_Fetch_Site="same-origin").status == 200


@pytest.mark.parametrize(
    ("order", "variable"),
    [
        ({"allowed_origins": ["https://app.example"]}, ""), ({}, "https://app.example, other"),
        ({}, "*"), ({}, "app.example"), ({"allowed_origins": ["https://*.example"]}, ""),
    ],
)  # fmt: skip
def test_allowed_origins(order, variable, new_service):
    served = new_service().start(environ={"AML_CORS_ORIGINS": variable}, **order)
    served.until_state("healthy")
    answer = served.post("1", Origin="https://app.example")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (
        200, "https://app.example",
    )  # fmt: skip
    asked = served.request(
        "OPTIONS", "/score", Origin="https://app.example",
        Access_Control_Request_Method="POST", Access_Control_Request_Headers="content-type",
    )  # fmt: skip
    assert asked.status == 204
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert asked.headers["access-control-allow-headers"] == "content-type"
    if variable != "*":
        assert served.post("1", Origin="https://app.example.evil").status == 403

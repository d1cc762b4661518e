"""What a request means from everywhere, what of it is recorded, and what is copied for it."""

from __future__ import annotations

import json
import os

import pytest

from scriptrun.registry import services as registry
from scriptrun.services import changes, client, image_text, prepare, sdk_request, source, status
from scriptrun.services.request import ServedModel, ServiceRequest
from scriptrun.spec.errors import UserErrorException, WebserviceException


def test_paths_mean_the_same_from_everywhere(bench, monkeypatch):
    monkeypatch.chdir(bench.source)
    with_script = prepare.prepare(bench.workspace, ServiceRequest("a", entry_script="score.py"))
    assert with_script.request.entry_script == str(bench.source / "score.py")
    assert with_script.order["entry_script"] == "score.py"
    with_source = prepare.prepare(
        bench.workspace, ServiceRequest("a", source_directory=".", entry_script="score.py")
    )
    assert with_source.request.source_directory == str(bench.source)
    assert with_source.request.entry_script == "score.py"


def test_values_of_passed_variables_are_not_recorded(bench, monkeypatch):
    monkeypatch.setenv("TOKEN_OF_MINE", "a-secret-value")
    bench.write("import os\ndef init(): pass\ndef run(d): return len(os.environ[d])\n")
    service = bench.deploy("p", passed=("TOKEN_OF_MINE",))
    assert service.run("TOKEN_OF_MINE") == len("a-secret-value")
    for folder, _, names in os.walk(bench.workspace.root):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                assert b"a-secret-value" not in file.read(), name
    assert list(registry.get(bench.workspace, "p").request["passed"]) == ["TOKEN_OF_MINE"]
    monkeypatch.delenv("TOKEN_OF_MINE")
    with pytest.raises(WebserviceException, match="passed-through variable TOKEN_OF_MINE"):
        service.reload()


def test_what_snapshots_ignore_is_not_copied(tmp_path):
    (tmp_path / "pkg" / "deep").mkdir(parents=True)
    for name in ("score.py", "local_settings.py", "pkg/__init__.py", "pkg/words.txt", "pkg/deep/a"):
        (tmp_path / name).write_text("")
    (tmp_path / "pkg" / "secret.env").write_text("")
    (tmp_path / "pkg" / "itself").symlink_to("..")
    (tmp_path / "link").symlink_to("pkg")
    (tmp_path / ".gitignore").write_text("local_settings.py\n*.env\n")
    request = ServiceRequest("s", entry_script=str(tmp_path / "score.py"))
    with source.gather(request) as gathered:
        found = sorted(
            os.path.relpath(os.path.join(folder, name), gathered.folder)
            for folder, _, names in os.walk(gathered.folder)
            for name in names
        )
    assert found == ["pkg/__init__.py", "pkg/deep/a", "pkg/words.txt", "score.py"]


@pytest.mark.parametrize(
    ("given", "auth"),
    [
        ({"token_auth_enabled": False}, "key"),
        ({"token_auth_enabled": True}, "key"),
        ({"auth_enabled": False}, "none"),
        ({"auth_enabled": True}, "key"),
    ],
)
def test_only_auth_enabled_turns_keys_off(given, auth):
    before = ServiceRequest("s", auth="key")
    assert changes._with_settings(before, dict(given)).auth == auth


def test_a_service_that_stops_asking_for_keys_says_so(bench):
    bench.deploy("k", auth="key")
    record = registry.get(bench.workspace, "k")
    warnings = prepare.prepare(bench.workspace, bench.request("k"), record).warnings
    assert any("asked callers for a key until now" in each for each in warnings)


def test_two_sets_of_gpus_are_needed_for_a_replacement(monkeypatch):
    monkeypatch.setattr(prepare.slots, "machine_gpus", lambda: ["a", "b"])
    replaced = prepare.Replaced("run", 1, "run", gpus=1)
    assert not prepare._gpu_problems(ServiceRequest("s", gpus=1), replaced)
    (problem,) = prepare._gpu_problems(ServiceRequest("s", gpus=2), replaced)
    assert "stop it first" in problem
    assert not prepare._gpu_problems(ServiceRequest("s", gpus=2), prepare.Replaced())


def test_an_update_of_gpus_is_checked(bench):
    service = bench.deploy("g", compute_type="AKS")
    if len(prepare.slots.machine_gpus()) > 1:
        pytest.skip("needs a machine with fewer GPUs")
    with pytest.raises(WebserviceException, match="2 GPUs requested"):
        service.update(gpu_cores=2)
    assert service.state == "Healthy"


@pytest.mark.parametrize(
    ("host", "node", "reached"),
    [
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "elsewhere", None),
        ("localhost", "elsewhere", None),
        ("0.0.0.0", "elsewhere", "elsewhere"),
        ("0.0.0.0", None, "127.0.0.1"),
        ("10.1.2.3", "elsewhere", "10.1.2.3"),
        (None, None, None),
    ],
)
def test_a_loopback_address_is_that_of_its_own_machine(host, node, reached):
    here = status.identity.host()
    assert status._reachable_host({"host": host, "node": node or here}) == reached


def test_wrong_values_are_sentences():
    with pytest.raises(WebserviceException, match="scoring_timeout_ms is 'x', not a number"):
        sdk_request.seconds("x")
    for wrong in ({1, 2}, "\ud800"):
        with pytest.raises(WebserviceException, match="cannot be sent"):
            client._body(wrong)
    with pytest.raises(UserErrorException, match="must be a dict"):
        changes._with_settings(ServiceRequest("s"), {"tags": 5})


def test_variables_are_in_the_dockerfile():
    lines = image_text._variables({"B": 'say "hi" for $5', "A": "a\\b\nc"})
    assert lines == 'ENV A="a\\\\b\\nc"\nENV B="say \\"hi\\" for \\$5"\n'


def test_requests_are_read_as_written():
    request = ServiceRequest("s", (ServedModel("m", 1),), passed=("A",), variables={"B": "1"})
    assert ServiceRequest.from_json(json.loads(json.dumps(request.to_json()))) == request

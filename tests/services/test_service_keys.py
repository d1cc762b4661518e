"""The keys of services: where they lie, who loses them, and what happens then."""

from __future__ import annotations

import shutil
import sys
import threading

import pytest

from scriptrun import Webservice, Workspace
from scriptrun.diagnostics import fsck
from scriptrun.exceptions import WebserviceException
from scriptrun.registry import services as registry
from scriptrun.registry.services import ServiceRecord
from scriptrun.spec.errors import SecretException
from scriptrun.store import paths
from scriptrun.store.secrets import encryption, vault


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    return Workspace.create("w", path=tmp_path)


def test_keys_are_no_secret_of_the_users(workspace):
    keyvault = workspace.get_default_keyvault()
    keyvault.set_secret("service-acct", "mine")
    record = ServiceRecord("acct", {}, run="r")
    registry.create(workspace, record)
    registry.store_keys(workspace, record, "r", ("a", "b"))
    assert registry.keys(workspace, "acct", "r") == ("a", "b")
    assert keyvault.list_secrets() == [{"name": "service-acct"}]
    assert vault.names() == []
    registry.remove(workspace, "acct")
    assert registry.keys(workspace, "acct", "r") is None
    assert keyvault.get_secret("service-acct") == "mine"


def test_damaged_keys_are_found(workspace, tmp_path):
    record = ServiceRecord("x", {}, run="r")
    registry.create(workspace, record)
    registry.store_keys(workspace, record, "r", ("a", "b"))
    (secret,) = (tmp_path / "secrets").iterdir()
    assert [each for each in fsck._secrets(workspace) if isinstance(each, tuple)] == []
    secret.write_bytes(secret.read_bytes()[:-9])
    (found,) = [each for each in fsck._secrets(workspace) if isinstance(each, tuple)]
    assert found[0] == str(secret)


def test_keys_are_removed_before_the_record(workspace, tmp_path, monkeypatch):
    record = ServiceRecord("x", {}, run="r")
    registry.create(workspace, record)
    registry.store_keys(workspace, record, "r", ("a", "b"))
    (kept,) = (tmp_path / "secrets").iterdir()
    content = kept.read_bytes()
    monkeypatch.setitem(sys.modules, "keyring", None)
    kept.write_bytes(encryption._KEYRING)  # and there is no keyring to remove it from
    with pytest.raises(SecretException):
        registry.remove(workspace, "x")
    assert registry.names(workspace) == ["x"]
    kept.write_bytes(content)
    registry.remove(workspace, "x")
    assert registry.names(workspace) == []


def test_no_keys_are_kept_of_a_service_that_was_removed(workspace, tmp_path):
    record = ServiceRecord("x", {}, run="r")
    registry.create(workspace, record)
    began = threading.Event()

    def store():
        began.set()
        with pytest.raises(registry.ServiceMissing):
            registry.store_keys(workspace, record, "r", ("a", "b"))

    thread = threading.Thread(target=store)
    with registry.locked(workspace, "x"):
        thread.start()
        began.wait()
        (workspace.directory / "services" / "x.json").unlink()
    thread.join()
    assert not (tmp_path / "secrets").exists()


def test_lost_keys_are_not_replaced_silently(bench, tmp_path):
    service = bench.deploy(auth="key")
    keys = service.get_keys()
    lost = tmp_path / "secrets"
    lost.rename(tmp_path / "elsewhere")
    for change in (
        service.restart,
        service.reload,
        lambda: bench.deploy(overwrite=True, auth="key"),
    ):
        with pytest.raises(WebserviceException, match="its keys are not among this user's secrets"):
            change()
    (tmp_path / "elsewhere").rename(lost)
    (secret,) = lost.iterdir()
    whole = secret.read_bytes()
    secret.write_bytes(whole[:-9])
    with pytest.raises(SecretException, match="The keys of service 'digits' cannot be read"):
        service.restart()
    secret.write_bytes(whole)
    assert service.get_keys() == keys
    assert service.run("1")["data"] == 1
    shutil.rmtree(lost)
    service.regen_key("Primary")
    assert not set(service.get_keys()) & set(keys)
    assert service.run("1")["data"] == 1


def test_new_keys_do_not_start_a_stopped_service(bench):
    service = bench.deploy(auth="key")
    primary, secondary = service.get_keys()
    service.stop()
    service.regen_key("Secondary", "chosen")
    assert service.state == "stopped"
    assert service.get_keys() == (primary, "chosen")
    service.start()
    service.wait_for_deployment(timeout_sec=120)
    assert service.get_keys() == (primary, "chosen")
    assert service.run("1")["data"] == 1
    assert secondary != "chosen"


def test_a_list_shows_what_its_reader_may_not_change(workspace):
    registry.create(workspace, ServiceRecord("a", {"models": []}, run="r", retired=["gone"]))
    registry.create(workspace, ServiceRecord("b", {"models": []}, run="r"))
    folder = files_of_locks(workspace)
    shutil.rmtree(folder)
    folder.write_text("in the way")  # nothing can be changed
    assert [each.name for each in Webservice.list(workspace)] == ["a", "b"]
    assert Webservice(workspace, "a").state == "stopped"


def files_of_locks(workspace):
    return paths.runtime_folder("services", workspace.id)

"""The keys of services: where they lie, who loses them, and what happens then."""

from __future__ import annotations

import pytest

from scriptrun import Workspace
from scriptrun.registry import services as registry
from scriptrun.registry.services import ServiceRecord
from scriptrun.store.secrets import vault


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

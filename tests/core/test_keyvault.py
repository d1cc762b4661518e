"""Named secrets as the SDK v1 gives them out: a user's for a workspace, and not in it."""

import pytest

from scriptrun import Datastore, Environment, Workspace
from scriptrun.core.keyvault import Keyvault
from scriptrun.environments import builder
from scriptrun.preparation import build as build_environment
from scriptrun.preparation import build_secrets
from scriptrun.spec.errors import SecretException, UserErrorException, WorkspaceException
from scriptrun.store.secrets import vault as secret_vault
from scriptrun.testing.jobs import Bench


@pytest.fixture
def vault(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    return Workspace.create("w", path=tmp_path / "home").get_default_keyvault()


def test_what_is_kept_comes_back_and_can_be_forgotten(vault):
    assert isinstance(vault, Keyvault)
    vault.set_secret("key", "s3cr3t")
    vault.set_secrets({"other": "x y\u00fc", "third": "3"})
    assert vault.get_secrets(["key", "other"]) == {"key": "s3cr3t", "other": "x y\u00fc"}
    assert [each["name"] for each in vault.list_secrets()] == ["key", "other", "third"]
    assert vault.get_secrets(["third", "absent"]) == {"third": "3", "absent": None}
    vault.delete_secrets(["key", "third", "never there"])
    assert [each["name"] for each in vault.list_secrets()] == ["other"]
    with pytest.raises(UserErrorException, match="Secret 'key' not found"):
        vault.get_secret("key")


def test_a_secret_is_a_text(vault):
    with pytest.raises(SecretException, match="'port' must be a string, not int"):
        vault.set_secret("port", 8080)
    assert vault.list_secrets() == []


def test_nothing_of_it_lies_in_the_workspace(vault):
    vault.set_secret("key", "s3cr3t-value")
    for path in vault.workspace.directory.rglob("*"):
        assert path.is_dir() or b"s3cr3t-value" not in path.read_bytes()


def test_another_workspace_has_its_own(vault, tmp_path):
    """As in v1; what the user keeps for all is found where a workspace has none of that name."""
    other = Workspace.create("prod", path=tmp_path / "prod").get_default_keyvault()
    secret_vault.store("password", "for all")
    assert (vault.get_secret("password"), vault.list_secrets()) == ("for all", [])
    vault.set_secret("password", "dev")
    other.set_secret("password", "prod")
    assert (vault.get_secret("password"), other.get_secret("password")) == ("dev", "prod")
    assert secret_vault.find("password") == "for all"
    assert secret_vault.names() == ["password"]
    other.delete_secret("password")
    other.delete_secret("password")
    assert other.get_secrets(["password"]) == {"password": "for all"}
    assert [each["name"] for each in vault.list_secrets()] == ["password"]
    with pytest.raises(WorkspaceException, match="Invalid name"):
        vault.set_secret("", "x")


def test_what_a_workspace_does_finds_its_own(vault):
    """``${secret:NAME}`` of a requirement, and a datastore's secret."""
    vault.set_secret("mine", "s3cr3t")
    vault.set_secret("headers", "Bearer abc")
    environment = Environment("e")
    environment.python.conda_dependencies.set_pip_requirements(
        ["-i https://me:${secret:mine}@127.0.0.1:9/simple", "six"]
    )
    spec = build_environment.spec_of(environment)
    assert not build_environment.plan(vault.workspace, spec).reasons
    assert build_secrets.find_secrets(spec, vault.workspace) == {"mine": "s3cr3t"}
    assert "secret 'mine'" in " ".join(builder.check(spec))  # out of any workspace
    store = Datastore.register_http(vault.workspace, "web", "http://127.0.0.1:9/", secret="headers")
    assert store.store is not None


def test_a_run_gives_them_out(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_SECRET_KEY", "from-a-variable")
    run = Bench(tmp_path / "bench").run("print('done')")
    assert run.get_secret("key") == "from-a-variable"
    assert run.get_secrets(["key"]) == {"key": "from-a-variable"}


def test_smaller_calls_of_the_sdk(tmp_path):
    bench = Bench(tmp_path / "bench")
    run = bench.run("print('done')")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.txt").write_text("a")
    digest = run.take_snapshot(tmp_path / "more")
    assert (run.restore_snapshot(digest, tmp_path / "back"), digest) == (
        str(tmp_path / "back"),
        digest,
    )
    assert (tmp_path / "back" / "a.txt").read_text() == "a"
    assert run.clean() == []
    with pytest.raises(NotImplementedError, match="one run type"):
        run.add_type_provider("x", None)

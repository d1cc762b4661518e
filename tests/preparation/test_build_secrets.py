"""The secrets that go where an environment is built: those that it names, and no others."""

from __future__ import annotations

import pytest

from scriptrun import Workspace
from scriptrun.preparation import build_secrets
from scriptrun.spec.environment import (
    CONDA,
    IMAGE,
    PACKAGES,
    DockerOptions,
    EnvironmentSpec,
    ImageRegistry,
)
from scriptrun.spec.errors import SecretException
from scriptrun.store.secrets import vault


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    for name in ("team", "git", "index-a.io", "index-b.io:8443", "registry-c.io", "of no concern"):
        vault.store(name, f"value of {name}")


@pytest.fixture
def home(tmp_path):
    return Workspace.create("w", path=tmp_path / "home")


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (EnvironmentSpec(PACKAGES, pip=("six",)), set()),
        (EnvironmentSpec(PACKAGES, pip_options=("-i https://u:${secret:team}@x.io/s",)), {"team"}),
        (EnvironmentSpec(PACKAGES, pip_options=("-i https://a.io/s",)), {"index-a.io"}),
        (EnvironmentSpec(PACKAGES, pip=("x @ git+https://me:${secret:git}@g.io/x",)), {"git"}),
        (EnvironmentSpec(PACKAGES, pip=("x @ https://b.io:8443/x.whl",)), {"index-b.io:8443"}),
        (EnvironmentSpec(CONDA, conda=("x",), channels=("https://me@a.io/c",)), {"index-a.io"}),
        (
            EnvironmentSpec(IMAGE, docker=DockerOptions(registry=ImageRegistry("c.io"))),
            {"registry-c.io"},
        ),
        (EnvironmentSpec(PACKAGES, pip_options=("-i https://${secret:unknown}@x.io",)), set()),
    ],
)
def test_only_what_is_named_and_known(home, spec, names):
    assert build_secrets.find_secrets(spec, home, {}) == {
        name: f"value of {name}" for name in names
    }


def test_the_submitters_variables_come_first(home):
    spec = EnvironmentSpec(PACKAGES, pip_options=("-i https://a.io/s",))
    assert build_secrets.find_secrets(spec, home, {"SCRIPTRUN_SECRET_INDEX_A_IO": "theirs"}) == {
        "index-a.io": "theirs"
    }
    assert build_secrets.as_variables({"index-a.io": "x"}) == {"SCRIPTRUN_SECRET_INDEX_A_IO": "x"}


def test_what_is_lent_is_known_for_a_while():
    with vault.with_secrets({"far": "away"}):
        assert (vault.exists("far"), vault.find("far")) == (True, "away")
        vault.store_offered()
    assert "far" not in vault.names()
    with pytest.raises(SecretException):
        vault.find("far")

"""A password that old code writes into an index's address is the user's secret from then on."""

import os
from pathlib import Path

import pytest
from index_server import serving
from wheel_making import make_wheel

from scriptrun import Environment, Experiment, Run, ScriptRunConfig, Workspace
from scriptrun.store.secrets import vault
from scriptrun.testing.jobs import log_of

TOKEN = "t0ken-of-hunter2"


@pytest.fixture
def index(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    monkeypatch.setattr(vault, "_offered", {})
    make_wheel(tmp_path / "index" / "violet", "violet", "1.0")
    with serving(tmp_path / "index", "build", TOKEN) as host:
        yield host


def test_it_is_kept_for_the_user_and_stands_in_no_record(index, tmp_path, monkeypatch):
    workspace = Workspace.create("w", path=tmp_path / "home")
    source = tmp_path / "source"
    source.mkdir()
    (source / "train.py").write_text("import violet; print('violet', violet.VERSION)")
    made = Environment("old")
    conda = made.python.conda_dependencies
    conda.add_pip_package("violet")
    conda.set_pip_option(f'--index-url "http://build:{TOKEN}@{index}/"')
    registered = made.register(workspace)
    assert conda.pip_options[0].count(TOKEN) == 1, "the user's own object stays as it is"
    config = ScriptRunConfig(source, "train.py", environment=made)
    run = Experiment(workspace, "e").submit(config)
    run.wait_for_completion()
    assert "violet 1.0" in log_of(run)
    name = f"login-build-{index}"
    monkeypatch.setattr(vault, "_offered", {})  # as another process has it
    assert vault.find(name) == TOKEN
    again = ScriptRunConfig(source, "train.py", environment=Environment.get(workspace, "old"))
    other = Experiment(workspace, "e").submit(again)
    other.wait_for_completion()
    assert "violet 1.0" in log_of(other) and registered.version
    details = Run.get(workspace, run.id).get_details()
    assert f"${{secret:{name}}}" in str(details["runDefinition"])
    places = (tmp_path / "home", tmp_path / "uv", Path(os.environ["SCRIPTRUN_CACHE"]))
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []
    assert TOKEN not in str(details)

"""``scriptrun config`` in this process; tests/journeys/test_journey_settings.py has the command."""

from __future__ import annotations

import json

import pytest

from scriptrun.cli import config, dispatch
from scriptrun.cli.config import edit, show
from scriptrun.registry.settings import files


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_subcommand_has_its_function():
    modules = {"config.show": show, "config.edit": edit}
    for name, (_, module) in config._VERBS.items():
        assert callable(getattr(modules[module], "list_all" if name == "list" else name))
    assert config._VERBS.keys() == config._ARGUMENTS.keys()


def test_list_get_and_path_of_one_level(here, capsys):
    (here / "scriptrun.toml").write_text('compute = "a"\n')
    assert dispatch.run(["config", "set", "compute", "b"]) == 0
    assert files.user_path().read_text() == 'compute = "b"\n'
    capsys.readouterr()
    for level, value in (("--user", "b"), ("--project", "a")):
        assert dispatch.run(["config", "get", level, "compute"]) == 0
        assert capsys.readouterr().out == f"{value}\n"
        dispatch.run(["config", "list", level, "--json"])
        assert json.loads(capsys.readouterr().out)["settings"]["compute"]["value"] == value
    assert dispatch.run(["config"]) == 0
    assert "compute" in capsys.readouterr().out
    dispatch.run(["config", "path", "--json"])
    assert json.loads(capsys.readouterr().out)["project"] == {
        "path": f"{here}/scriptrun.toml",
        "exists": True,
    }


@pytest.mark.parametrize(
    "words", [["set", "compute"], ["set"], ["get"], ["list", "--user", "--project"], ["frob"]]
)
def test_wrong_usage(words, capsys):
    assert dispatch.run(["config", *words]) == 2
    assert capsys.readouterr().err.startswith("scriptrun: ")


def test_what_a_project_may_not_set_is_said_at_once(capsys):
    assert dispatch.run(["config", "set", "--project", "notify", "true"]) == 0
    assert "is ignored until you run: scriptrun trust" in capsys.readouterr().err

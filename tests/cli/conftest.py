"""A workspace in the current directory, and commands that are typed there."""

from __future__ import annotations

import pytest

from scriptrun.cli import main
from scriptrun.core.workspace import Workspace


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return Workspace.create("w", path=tmp_path)


@pytest.fixture
def types(workspace, capsys):
    """Type a command; it returns what it prints: to stderr if it fails with exit code 2."""

    def run(*words, code=0):
        capsys.readouterr()
        assert main(list(words)) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return err if code == 2 else out

    return run

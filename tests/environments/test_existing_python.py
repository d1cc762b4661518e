"""An interpreter that jobs cannot run on is refused before anything is written."""

from __future__ import annotations

from scriptrun.environments import builder
from scriptrun.spec.environment import INTERPRETER, EnvironmentSpec


def test_python_2_is_refused_in_a_sentence(tmp_path):
    root = tmp_path / ".pyenv" / "versions" / "2.7.18"
    (root / "bin").mkdir(parents=True)
    (root / "lib" / "python2.7" / "site-packages").mkdir(parents=True)
    python = root / "bin" / "python2.7"
    python.write_text("#!/bin/sh\necho 2.7.18\n")
    python.chmod(0o755)
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to(python)
    (tmp_path / "venv" / "pyvenv.cfg").write_text(f"home = {root / 'bin'}\nversion = 2.7.18\n")
    (tmp_path / "venv" / "lib" / "python2.7" / "site-packages").mkdir(parents=True)
    spec = EnvironmentSpec(INTERPRETER, interpreter=str(tmp_path / "venv" / "bin" / "python"))
    (reason,) = builder.check(spec)
    assert "is Python 2.7.18, but jobs require 3.6 or newer" in reason

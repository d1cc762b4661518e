"""The real command, as a user would call it: a process of its own in a directory of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from scriptrun.testing.jobs import PATIENCE, until

COMMAND = Path(sys.executable).parent / "scriptrun"


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


class User:
    """Somebody in the directory ``here`` who types commands."""

    def __init__(self, here: Path, environ: dict[str, str]):
        self.here, self.environ = here, environ

    def argv(self, *words):
        return [str(COMMAND), *map(str, words)]

    def types(self, *words, cwd=None, stdin=None, **environ) -> Done:
        done = subprocess.run(
            self.argv(*words),
            cwd=cwd or self.here,
            env={**self.environ, **environ},
            input=(stdin or "").encode(),
            capture_output=True,
            timeout=PATIENCE,
        )
        out, err = (text.decode("utf-8", "surrogateescape") for text in (done.stdout, done.stderr))
        assert "Traceback" not in err, err
        return Done(done.returncode, out, err)

    def does(self, *words, **more) -> Done:
        """As ``types``, for what has to succeed."""
        done = self.types(*words, **more)
        assert done.code == 0, done
        return done

    def writes(self, name: str, text: str) -> Path:
        path = self.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def runs(self) -> list[dict]:
        return self.does("list", "--json", "--all").json["runs"]

    def run_folders(self) -> list[Path]:
        return sorted(self.here.glob(".scriptrun/runs/*/*"))

    def waits_for(self, state: str, run: str = "") -> dict:
        """The record of the run once it has that state."""

        def there():
            found = self.does("show", *([run] if run else []), "--json").json
            if found["state"] == state:
                return found
            assert found["state"] not in ("Completed", "Failed", "Canceled"), found
            return None

        return until(there, f"not {state}")


@pytest.fixture
def user(tmp_path) -> User:
    if not COMMAND.exists():
        pytest.skip("the command is not installed beside this Python")
    here = tmp_path / "project"
    here.mkdir()
    environ = {name: value for name, value in os.environ.items() if name != "CONDA_PREFIX"}
    environ.update(VIRTUAL_ENV=sys.prefix, HOME=str(tmp_path), LC_ALL="C.UTF-8", TERM="xterm")
    environ.pop("NO_COLOR", None)
    return User(here, environ)

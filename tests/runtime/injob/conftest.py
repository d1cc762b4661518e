"""Runs code as a job does: another Python, with nothing but PYTHONPATH and the job's variables."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import old_pythons
import pytest

import scriptrun.runtime
from scriptrun.testing.jobs import PATIENCE

RUNTIME = Path(scriptrun.runtime.__file__).parent


@pytest.fixture(params=old_pythons.to_try(), ids=old_pythons.version_of)
def python(request) -> str:
    """An interpreter that jobs run on: the oldest, the launcher's oldest, and the newest here."""
    return request.param


class Job:
    """A run folder, and how a process of that job is started."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "ws" / ".scriptrun" / "runs" / "2026-11-24" / "first_1_00000000"
        (self.folder / "events").mkdir(parents=True)
        (self.folder / "work" / "outputs").mkdir(parents=True)
        job = {
            "id": self.folder.name, "experiment": "first", "workspace": "ws", "script": "train.py",
            "created": "2026-11-24T00:00:00+00:00", "format": 1, "kind": "azureml.scriptrun",
            "tags": {"from": "submit"}, "display_name": "a name",
        }  # fmt: skip
        (self.folder / "job.json").write_text(json.dumps(job))
        self.runtime = root / "ws" / ".scriptrun" / "runtime" / "digest"
        self.lay_out(self.runtime)

    @staticmethod
    def lay_out(place: Path) -> None:
        """Put the runtime where a job finds it, as submission does."""
        inner = place / "scriptrun" / "runtime"
        shutil.copytree(RUNTIME, inner, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(RUNTIME / "fronts" / "script_front.py", place / "scriptrun" / "__init__.py")

    def environ(self, **more: str) -> dict[str, str]:
        return {
            "PATH": os.defpath,
            "PYTHONPATH": str(self.runtime),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONIOENCODING": "utf-8",
            "SCRIPTRUN_RUN_ID": self.folder.name,
            "SCRIPTRUN_RUN_FOLDER": str(self.folder),
            "SCRIPTRUN_EXPERIMENT": "first",
            "SCRIPTRUN_RANK": "0",
            **more,
        }

    def start(self, python: str, code: str, **more: str) -> subprocess.Popen[str]:
        script = self.folder / "work" / "train.py"
        if not script.exists() or script.read_text("utf-8") != code:
            script.write_text(code, "utf-8")  # never while another rank begins to read it
        return subprocess.Popen(
            [python, str(script)], cwd=script.parent, env=self.environ(**more), text=True,
            encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, python: str, code: str, **more: str) -> str:
        """The output of ``code``, which must end well and be silent on stderr."""
        process = self.start(python, code, **more)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
        assert err == ""
        return out


@pytest.fixture
def job(tmp_path) -> Job:
    return Job(tmp_path)

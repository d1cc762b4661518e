"""What old code starts uses its Python, and finds ``azureml`` as it does itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from notebook_runs import BOTH, notebook, run

from scriptrun.dropin import child_processes

#: starts a script with ``python``, as people's notebooks and scripts do
OFFLINE = "from azureml.core import Run\nimport numpy\nprint(Run.get_context().id[:10])\n"
NAMES_PYTHON = "import sys; print(sys.prefix)"


@pytest.fixture(autouse=True)
def other_python_first(tmp_path, monkeypatch):
    """A PATH on which another ``python`` comes first, as without an activated environment."""
    folder = tmp_path / "other"
    folder.mkdir()
    for name in ("python", "python3", "pip"):
        (folder / name).write_text("#!/bin/sh\necho the other one\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))


@BOTH
@pytest.mark.parametrize(
    "cell",
    [
        f'!python -c "{NAMES_PYTHON}"',
        f'! python3 -c "{NAMES_PYTHON}"',
        f'x = !python -c "{NAMES_PYTHON}"\nprint(x[0])',
        f'%%bash\npython -c "{NAMES_PYTHON}"',
        f"%%script python\n{NAMES_PYTHON}",
        f"%%python\n{NAMES_PYTHON}",
        f"import subprocess\nsubprocess.run(['python', '-c', '{NAMES_PYTHON}']);",
    ],
)
def test_python_is_the_one_that_runs_the_cells(tmp_path, ipython, cell):
    done = run(notebook(tmp_path / "a.ipynb", cell), ipython)
    assert done.stdout.strip() == sys.prefix, done.stderr


@BOTH
def test_pip_speaks_of_that_python(tmp_path, ipython):
    cells = ["!pip list", "%pip list", "x = !pip list\nprint(*x, sep='\\n')"]
    done = run(notebook(tmp_path / "a.ipynb", *cells), ipython)
    assert done.stdout.count("\nscriptrun ") == 3, done.stderr
    assert "the other one" not in done.stdout


@BOTH
def test_a_script_that_is_started_finds_azureml(tmp_path, ipython):
    (tmp_path / "train.py").write_text(OFFLINE)
    done = run(notebook(tmp_path / "a.ipynb", "!python train.py", "%run train.py"), ipython)
    assert done.stdout == "OfflineRun\nOfflineRun\n", done.stderr


def test_a_script_starts_others(tmp_path):
    (tmp_path / "train.py").write_text(OFFLINE)
    (tmp_path / "all.py").write_text(
        "import os, subprocess\nos.system('python train.py')\n"
        "subprocess.run(['python', '-m', 'train'])\n"
    )
    command = [sys.executable, "-m", "scriptrun", "exec", "all.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "OfflineRun\nOfflineRun\n", done.stderr


def test_another_python_has_its_own_azureml(tmp_path):
    """Without scriptrun the folder gives way to what is installed."""
    (tmp_path / "site" / "azureml").mkdir(parents=True)
    (tmp_path / "site" / "azureml" / "__init__.py").write_text("where = 'installed'")
    path = os.pathsep.join([child_processes.FOLDER, str(tmp_path / "site")])
    code = (
        "import sys; sys.modules['scriptrun'] = None\nimport azureml\n"
        "print(azureml.where, len([p for p in sys.path if 'in_children' in p]))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "installed 0\n", done.stderr


def test_preparing_twice_changes_nothing_more(monkeypatch):
    monkeypatch.setattr(child_processes, "_enable_in_spawned", lambda: None)
    monkeypatch.setenv("PYTHONPATH", "/mine")
    child_processes.prepare()
    first = os.environ["PATH"], os.environ["PYTHONPATH"]
    child_processes.prepare()
    assert (os.environ["PATH"], os.environ["PYTHONPATH"]) == first
    assert first[0].startswith(os.path.dirname(sys.executable) + os.pathsep)
    assert first[1] == f"/mine{os.pathsep}{child_processes.FOLDER}"

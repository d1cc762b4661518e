"""Old code runs in another Python than scriptrun's, which has no scriptrun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import old_pythons
import pytest

from scriptrun.dropin import child_processes, other_python
from scriptrun.spec import tool_python
from scriptrun.spec.errors import UserErrorException

#: what the other Python must get from scriptrun's own
NEEDED = ("scriptrun", "__editable__", "_scriptrun", "yaml", "_yaml", "psutil", "cryptography")
WHERE = "import sys; print(sys.prefix)"
SUBMIT = """
from azureml.core import Experiment, ScriptRunConfig, Workspace

run = Experiment(Workspace.from_config(), "x").submit(ScriptRunConfig("src", "train.py"))
run.wait_for_completion()
print(run.get_metrics())
"""
TRAIN = """
import os, sys
from azureml.core import Run

Run.get_context().log("prefix", sys.prefix)
Run.get_context().log("tool", str(os.environ.get("SCRIPTRUN_EXEC_TOOL")))
"""


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """An environment with everything that this one has, but scriptrun and what it needs."""
    folder = tmp_path_factory.mktemp("other") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": folder, "platbase": folder}))
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(NEEDED):
            (site / entry.name).symlink_to(entry)
    (site / "only_here.py").write_text("")
    return folder


@pytest.fixture(autouse=True)
def private(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text(TRAIN)


def book(path, *sources, kernel=None):
    cells = [{"cell_type": "code", "source": text, "metadata": {}} for text in sources]
    metadata = {"kernelspec": {"name": kernel}} if kernel else {}
    path.write_text(json.dumps({"nbformat": 4, "metadata": metadata, "cells": cells}))


def kernel(tmp_path, name, python, language="python"):
    folder = tmp_path / "jupyter" / "kernels" / name
    folder.mkdir(parents=True)
    spec = {"argv": [str(python), "-m", "ipykernel_launcher"], "language": language}
    spec["env"] = {"OF_KERNEL": name}
    (folder / "kernel.json").write_text(json.dumps(spec))


def execute(tmp_path, *words, code=0, **variables):
    done = subprocess.run(
        [sys.executable, "-m", "scriptrun", "exec", *map(str, words)],
        cwd=tmp_path, capture_output=True, text=True, env={**os.environ, **variables},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_a_notebook_runs_and_submits_in_the_requested_python(tmp_path, other):
    spawn = "import multiprocessing as m\nprint(m.get_context('spawn').Pool(1).map(len, ['abc']))"
    child = '!python -c "from azureml.core import Run; print(Run.__module__)"'
    book(tmp_path / "a.ipynb", WHERE, SUBMIT, child, spawn, "import only_here\n%pwd")
    done = execute(tmp_path, "--python", other, "a.ipynb")
    prefix, metrics, *rest = done.stdout.splitlines()
    assert prefix == str(other)
    assert json.loads(metrics.replace("'", '"')) == {"prefix": str(other), "tool": "None"}
    assert rest == ["scriptrun.core.run", "[3]", repr(str(tmp_path))]
    assert f"a.ipynb: IPython {_ipython()} runs the cells, in {other}/bin/python" in done.stderr


def _ipython():
    import IPython

    return IPython.__version__


def test_a_script_and_a_module_run_there_with_their_arguments(tmp_path, other):
    text = "import sys, only_here\nfrom azureml.core import Run\nprint(sys.argv[1:])\nsys.exit(7)\n"
    (tmp_path / "s.py").write_text(text)
    python = other / "bin" / "python"
    words = ["--python", "x", "-m", "--", "--check"]
    done = execute(tmp_path, "--python", python, "s.py", *words, code=7)
    assert done.stdout == f"{words}\n"
    assert execute(tmp_path, "--python", python, "-m", "s", *words, code=7).stdout == done.stdout


def test_a_notebook_runs_in_the_kernel_that_it_names(tmp_path, other):
    kernel(tmp_path, "mine", other / "bin" / "python")
    book(tmp_path / "a.ipynb", WHERE, "import os; print(os.getenv('OF_KERNEL'))", kernel="mine")
    assert execute(tmp_path, "a.ipynb").stdout == f"{other}\nmine\n"
    own = execute(tmp_path, "--python", sys.executable, "a.ipynb")
    assert own.stdout == f"{sys.prefix}\nNone\n"


def test_the_active_environment_and_the_one_beside_it_come_before_scriptruns(tmp_path, other):
    book(tmp_path / "a.ipynb", WHERE, kernel="python3")
    assert execute(tmp_path, "a.ipynb").stdout == f"{sys.prefix}\n"
    assert execute(tmp_path, "a.ipynb", VIRTUAL_ENV=str(other)).stdout == f"{other}\n"
    (tmp_path / ".venv").symlink_to(other)
    assert execute(tmp_path, "a.ipynb").stdout == f"{tmp_path / '.venv'}\n"


def test_an_environment_without_ipython_is_passed_over_with_a_note(tmp_path):
    plain = tmp_path / "plain"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", plain], check=True)
    book(tmp_path / "a.ipynb", WHERE)
    done = execute(tmp_path, "a.ipynb", VIRTUAL_ENV=str(plain))
    assert done.stdout == f"{sys.prefix}\n"
    assert f"a.ipynb: not using {plain}/bin/python, which has no IPython\n" in done.stderr
    done = execute(tmp_path, "--python", plain, "a.ipynb")
    assert done.stdout == f"{plain}\n"
    assert f"run: {plain}/bin/python -m pip install ipython\n" in done.stderr


def test_a_kernel_that_is_not_here_is_a_note(tmp_path):
    book(tmp_path / "a.ipynb", WHERE, kernel="python38-azureml")
    done = execute(tmp_path, "a.ipynb")
    assert done.stdout == f"{sys.prefix}\n"
    line = (
        f"a.ipynb: kernel 'python38-azureml' is not installed here; using {sys.executable}. Choose"
    )
    assert line in done.stderr
    book(tmp_path / "b.ipynb", WHERE, kernel="../../mine")
    assert "is not installed here" in execute(tmp_path, "b.ipynb").stderr


def test_a_kernel_that_cannot_run_it_is_refused_in_a_sentence(tmp_path):
    kernel(tmp_path, "ghost", "/nowhere/bin/python")
    kernel(tmp_path, "stats", "R", language="R")
    kernel(tmp_path, "conda", "conda")
    for name, sentence in {
        "ghost": "Kernel 'ghost' of 'a.ipynb' uses /nowhere/bin/python, which cannot be started.",
        "stats": "'a.ipynb' cannot be run: its kernel 'stats' is for R, and only Python is run.",
        "ir": "'a.ipynb' is not a Python notebook: its language is ir, and only Python is run.",
    }.items():
        book(tmp_path / "a.ipynb", WHERE, kernel=name)
        done = execute(tmp_path, "a.ipynb", code=2)
        assert sentence in done.stderr and not done.stdout
    book(tmp_path / "a.ipynb", WHERE, kernel="conda")
    assert "'conda' starts conda, not a Python; using" in execute(tmp_path, "a.ipynb").stderr


def test_an_old_python_is_refused_in_a_sentence(tmp_path):
    python = old_pythons.find("3.8")
    if python is None:
        pytest.skip("this machine has no Python 3.8")
    kernel(tmp_path, "old", python)
    book(tmp_path / "a.ipynb", WHERE, kernel="old")
    for words in (["a.ipynb"], ["--python", python, "a.ipynb"]):
        done = execute(tmp_path, *words, code=2)
        assert " is Python 3.8." in done.stderr
        assert "scriptrun requires Python 3.11 or newer.\n  Choose a" in done.stderr


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        ("3.99", "Python 3.99 is not installed."),
        ("pythonx", "Python 'pythonx' was not found on PATH."),
        ("./gone/python", "Python './gone/python' does not exist."),
        ("src", "Directory 'src' is not a virtual environment: it has no bin/python."),
        ("/bin/true", "Cannot start /bin/true: it is not a Python."),
    ],
)
def test_a_python_that_is_not_there_is_a_sentence(tmp_path, monkeypatch, python, sentence):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserErrorException) as caught:
        other_python.requested(python)
    assert caught.value.message == sentence
    assert "--python 3.12" in str(caught.value.hint)


@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_another_version_of_python_runs_it(tmp_path, version):
    python = old_pythons.find(version)
    if python is None or version == f"3.{sys.version_info.minor}":
        pytest.skip(f"this machine has no other Python {version}")
    book(tmp_path / "a.ipynb", "import sys; print(sys.version_info[:2])", SUBMIT)
    done = execute(tmp_path, "--python", version, "a.ipynb")
    assert done.stdout.startswith(f"{tuple(map(int, version.split('.')))}\n"), done.stderr
    assert "'tool': 'None'" in done.stdout


def test_where_it_runs_itself_scriptrun_starts_its_own_python(monkeypatch):
    monkeypatch.setenv(tool_python.VARIABLE, os.pathsep.join(["/other/python", "/other"]))
    assert tool_python.path() == sys.executable
    monkeypatch.syspath_prepend(child_processes.FOLDER)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    __import__(tool_python.READER)
    monkeypatch.setitem(sys.modules, tool_python.READER, sys.modules[tool_python.READER])
    assert tool_python.path() == "/other/python"
    assert other_python.is_running()

"""The Jupyter kernel: what is written starts a Python that finds ``azureml`` here."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from scriptrun.dropin.notebook import kernel
from scriptrun.testing.jobs import PATIENCE

IPYKERNEL = """
import sys
def launch_new_instance(exec_lines):
    from azureml.core import Run
    print(Run.__module__, sys.argv[1:])
"""


@pytest.fixture
def places(tmp_path):
    """Jupyter's directory, and a package ipykernel that tells how it was started."""
    (tmp_path / "site" / "ipykernel").mkdir(parents=True)
    (tmp_path / "site" / "ipykernel" / "__init__.py").write_text("")
    (tmp_path / "site" / "ipykernel" / "kernelapp.py").write_text(IPYKERNEL)
    return {**os.environ, "JUPYTER_DATA_DIR": str(tmp_path / "jupyter")}, str(tmp_path / "site")


def test_the_kernel_that_is_installed_starts(places):
    environ, site = places
    environ["PYTHONPATH"] = site
    command = [sys.executable, "-m", "scriptrun", "exec", "--install-kernel"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with open(os.path.join(done.stdout.strip(), "kernel.json"), encoding="utf-8") as handle:
        spec = json.load(handle)
    words = [each.format(connection_file="/tmp/c.json") for each in spec["argv"]]
    started = subprocess.run(words, env=environ, capture_output=True, text=True)
    assert started.stdout == "scriptrun.core.run ['-f', '/tmp/c.json']\n", started.stderr
    assert done.stdout.startswith(environ["JUPYTER_DATA_DIR"])


CELLS = [
    "! pip install --upgrade azureml-sdk",
    "%pip install 'azureml-core[notebooks]'\n!echo other commands run",
    "from azureml.core import Run\nprint(Run.__module__)",
    '!python -c "from azureml.core import Run; print(Run.__module__)"',
]


@pytest.mark.slow
def test_a_cell_that_installs_azureml_is_skipped_in_jupyter(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    name = kernel.install().name
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    wait = int(PATIENCE)
    NotebookClient(book, timeout=wait, startup_timeout=wait, kernel_name=name).execute()
    said = ["".join(output.get("text", "") for output in cell.outputs) for cell in book.cells]
    assert said[0].startswith("scriptrun: skipped") and "provides azureml" in said[0]
    assert said[1].startswith("scriptrun: skipped") and "other commands run" in said[1]
    assert said[2].split() == said[3].split() == ["scriptrun.core.run"]


def test_without_ipykernel_it_says_what_to_install(places):
    environ, _ = places
    code = (
        "import sys; sys.modules['ipykernel'] = None\n"
        "from scriptrun.cli import main; sys.exit(main(['exec', '--install-kernel']))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert (done.returncode, "ipykernel" in done.stderr) == (2, True), done.stderr
    assert not os.path.exists(environ["JUPYTER_DATA_DIR"])

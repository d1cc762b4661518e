"""RunDetails in a real notebook kernel: it does not block, and follows the run to its end."""

from __future__ import annotations

import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from scriptrun.dropin.azureml import widgets
from scriptrun.testing.jobs import PATIENCE, Bench

CELLS = [
    "import scriptrun.dropin\n"
    "from azureml.core import Experiment, ScriptRunConfig, Workspace\n"
    "from azureml.widgets import RunDetails\n"
    "ws = Workspace.from_config()\n"
    "run = Experiment(ws, 'live').submit(ScriptRunConfig('src', 'train.py'))\n"
    "details = RunDetails(run)",
    "details.show()\nprint('returned at once', run.get_status() != 'Completed')",
    "open('src/../go', 'w').close()\nrun.wait_for_completion()\ndetails._follower.join()",
]
TRAIN = """
import os, time
from azureml.core import Run

run = Run.get_context()
run.log("accuracy", 0.25)
run.flush()
while not os.path.exists({gate!r}):
    time.sleep(0.05)
run.log("accuracy", 0.75)
print("<b>the last line</b>")
"""


@pytest.mark.slow
def test_a_notebook_follows_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text(TRAIN.format(gate=str(tmp_path / "go")))
    _kernel(tmp_path)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    wait = int(PATIENCE)
    NotebookClient(book, timeout=wait, startup_timeout=wait, kernel_name="here").execute()
    shown = book.cells[1].outputs
    text = "".join(each.get("text", "") for each in shown)
    assert "returned at once True" in text
    (last,) = [each["data"]["text/html"] for each in shown if each.output_type == "display_data"]
    assert "Completed" in last and "0.75" in last
    assert "&lt;b&gt;the last line&lt;/b&gt;" in last
    (text,) = [each["data"]["text/plain"] for each in shown if each.output_type == "display_data"]
    assert "Status      Completed" in text and "accuracy  0.75" in text
    assert text.endswith("<b>the last line</b>")


def _kernel(root):
    place = root / "jupyter" / "kernels" / "here"
    place.mkdir(parents=True)
    python = sys.executable.replace("\\", "/")
    argv = f'["{python}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"]'
    (place / "kernel.json").write_text(
        f'{{"argv": {argv}, "display_name": "here", "language": "python"}}'
    )


def test_in_a_terminal_it_is_one_line(tmp_path, capsys):
    run = Bench(tmp_path / "bench").run("print('done')")
    widgets.RunDetails(run).show()
    shown = capsys.readouterr().out
    assert shown.splitlines() == [f"{run.id}: Completed  {run.path.as_uri()}"]


def test_a_failed_run_says_why(tmp_path):
    run = Bench(tmp_path / "bench").run("import sys; print('x < y'); sys.exit(3)")
    page = widgets.render(run)
    assert "Failed" in page and "exited with code 3" in page and "x &lt; y" in page
    details = widgets.RunDetails(run)
    assert details._repr_html_() == page
    assert repr(details).startswith(f"Run         {run.id}\n")
    assert "Reason      " in repr(details) and repr(details).endswith("\nx < y")


WITHOUT_A_WAIT = """
from azureml.core import Experiment, ScriptRunConfig, Workspace
from azureml.widgets import RunDetails

ws = Workspace.from_config()
run = Experiment(ws, "show").submit(ScriptRunConfig("src", "train.py"))
RunDetails(run).show()
print("accuracy", run.get_metrics()["accuracy"])
"""


def test_without_a_terminal_what_follows_has_the_results(tmp_path):
    (tmp_path / "src").mkdir()
    train = "from azureml.core import Run\nRun.get_context().log('accuracy', 0.5)\n"
    (tmp_path / "src" / "train.py").write_text(train)
    (tmp_path / "submit.py").write_text(WITHOUT_A_WAIT)
    done = subprocess.run(
        [sys.executable, "-m", "scriptrun", "exec", "submit.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Completed" in done.stdout and "accuracy 0.5" in done.stdout


OWN_RUN = """
from azureml.core import Experiment, Workspace
from azureml.widgets import RunDetails

run = Experiment(Workspace.from_config(), "own").start_logging(snapshot_directory=None)
RunDetails(run).show()
with run.child_run("part") as child:
    RunDetails(child).show()
try:
    run.wait_for_completion()
except Exception as error:
    print(error)
run.log("accuracy", 0.5)
run.complete()
RunDetails(run).show()
print("accuracy", run.get_metrics()["accuracy"], run.wait_for_completion()["status"])
"""


def test_a_run_of_this_process_is_shown_without_waiting_for_itself(tmp_path):
    (tmp_path / "own.py").write_text(OWN_RUN)
    done = subprocess.run(
        [sys.executable, "-m", "scriptrun", "exec", "own.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    states = [line.split()[1] for line in done.stdout.splitlines() if "file://" in line]
    assert states == ["Running", "Running", "Completed"]
    assert "cannot wait for itself" in done.stdout and "accuracy 0.5 Completed" in done.stdout


def test_a_job_shows_itself_without_waiting(tmp_path):
    job = "from azureml.core import Run\nfrom azureml.widgets import RunDetails\n"
    job += "RunDetails(Run.get_context()).show()\n"
    run = Bench(tmp_path / "bench").run(job)
    assert "Running" in (run.path / "user_logs" / "std_log.txt").read_text()

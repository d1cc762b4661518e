"""Looking at runs, ending them, fetching what they left, and doing them again."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from scriptrun.testing.jobs import PATIENCE

SLEEPY = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print('saved', flush=True), sys.exit(0)))
print('started', flush=True)
time.sleep(3600)
"""
MODEL = """
import os, sys
from scriptrun import Run
run = Run.get_context()
run.log('alpha', float(sys.argv[1]))
for step in range(3):
    run.log('loss', 1 / (step + 1))
os.makedirs('outputs/deep', exist_ok=True)
open('outputs/model.txt', 'w').write(sys.argv[1])
open('outputs/deep/more.txt', 'w').write('more')
print('trained', sys.argv[1])
"""


def test_detach_follow_and_cancel(user):
    user.writes("train.py", SLEEPY)
    grace = f"AZUREML_RUN_KILL_SIGNAL_TIMEOUT_SEC={PATIENCE:g}"
    run = user.does("run", "--detach", "--env", grace, "train.py").out.strip()
    user.waits_for("Running", run)
    follower = subprocess.Popen(
        user.argv("logs", "-f"),
        cwd=user.here,
        env=user.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert follower.stdout.readline() == b"started\n"
    assert user.does("cancel", run).out.endswith(f" ({run}): cancellation requested\n")
    out, err = follower.communicate(timeout=PATIENCE)
    assert out == b"saved\n"
    assert b"Canceled" in err
    assert follower.returncode == 1
    assert "already finished: Canceled" in user.does("cancel").out
    assert user.does("cancel", "--all").out == "No active runs.\n"


def test_a_run_is_meant_by_id_prefix_name_or_nothing(user):
    user.writes("train.py", "import sys; print(sys.argv[1])\n")
    first = user.does(
        "run",
        "-n",
        "the first",
        "train.py",
        "--",
        "one",
    ).err
    user.does("run", "-e", "other", "train.py", "--", "two")
    ids = [run["id"] for run in user.runs()]
    assert user.does("logs").out == "two\n"
    assert user.does("logs", "the first").out == "one\n"
    assert user.does("logs", ids[1]).out == "one\n"
    assert user.does("logs", "other_").out == "two\n"
    assert ids[1] in first
    user.does("run", "train.py", "--", "three")
    many = user.types("show", "project_")
    assert many.code == 2
    assert ids[1] in many.err


def test_a_run_is_meant_by_the_short_name_that_the_list_shows(user):
    user.writes("train.py", "from scriptrun import Run; print(Run.get_context().short_name)\n")
    ended = user.does("run", "train.py").err
    (row,) = user.does("list").out.splitlines()[1:]
    run_id, name = row.split()[:2]
    assert f": {name} ({run_id})" in ended
    assert user.does("logs", name).out == f"{name}\n"
    assert re.search(rf"^name +{name}$", user.does("show", name).out, re.M)
    record = user.does("show", name, "--json").json
    assert (record["id"], record["short_name"]) == (run_id, name)
    user.does("run", "-n", "given", "train.py")
    words = name.split("-")
    for query in (
        f"name={name}",
        f"name~{words[1]}-",
        f"short_name={name}",
        f"{words[0]}-{words[1]}",
    ):
        found = user.does("list", query, "--json").json["runs"]
        assert [run["short_name"] for run in found] == [name]
    assert re.search(rf"^short name +{user.does('logs').out}", user.does("show", "given").out, re.M)
    mistyped = user.types("show", f"{name}0")
    assert mistyped.code == 2 and f"Did you mean '{name}'?" in mistyped.err
    assert f"between {name} ({run_id}) and given (" in user.does("diff", name, "given").out
    assert user.does("cancel", name).out == f"{name} ({run_id}): already finished: Completed\n"


def test_the_last_lines_of_a_log(user):
    user.writes("train.py", "for n in range(1000): print(n)\n")
    user.does("run", "train.py")
    assert user.does("logs", "--tail", "2").out == "998\n999\n"
    assert user.does("logs", "--tail", "2", "-f").out == "998\n999\n"
    assert user.does("logs", "--tail", "0").out == ""
    assert user.does("logs", "--tail", "5000").out.count("\n") == 1000


def test_list_filters_and_json(user):
    user.writes("good.py", "")
    user.writes("bad.py", "raise SystemExit(3)")
    user.does("run", "-e", "a", "good.py")
    user.types("run", "-e", "b", "bad.py")
    assert [
        run["experiment"] for run in user.does("list", "--json", "-s", "failed").json["runs"]
    ] == ["b"]
    assert [run["state"] for run in user.does("list", "--json", "-e", "a").json["runs"]] == [
        "Completed"
    ]
    assert len(user.does("runs", "list", "--json", "-l", "1").json["runs"]) == 1
    table = user.does("runs").out.splitlines()
    assert table[0].split()[:3] == ["RUN", "NAME", "STATE"]
    assert table[1].split()[-5:] == ["bad.py", "exited", "with", "code", "3"]
    assert "\x1b" not in "".join(table)
    shorter = user.does("list", "-l", "1")
    assert len(shorter.out.splitlines()) == 2
    assert "--all" in shorter.err
    assert user.does("list", "-l", "2").err == ""
    nothing = user.does("list", "-e", "nobody").out.splitlines()
    assert nothing[0] == "No matching runs." and "Experiments: a, b." in nothing[1]
    assert user.does("list", "-e", "nobody", "--json").json["runs"] == []


def test_show_and_download(user, tmp_path):
    user.writes("train.py", MODEL)
    user.does("run", "train.py", "--", "0.5")
    record = user.does("show", "--json").json
    assert record["metric_values"] == {"alpha": 0.5, "loss": [1.0, 0.5, 1 / 3]}
    assert "outputs/model.txt" in record["files"]
    shown = user.does("show").out
    assert "train.py 0.5" in shown
    assert "outputs/deep/more.txt" in shown
    place = tmp_path / "got"
    user.does("download", "-o", place)
    assert (place / "outputs/deep/more.txt").read_text() == "more"
    user.does("download", "outputs/model.txt", "-o", place)
    assert (place / "model.txt").read_text() == "0.5"
    user.does("download", record["id"], "user_logs", "-o", place)
    assert (place / "user_logs/std_log.txt").read_text() == "trained 0.5\n"
    missing = user.types("download", record["id"], "outputs/nothing")
    assert missing.code == 2
    assert "outputs/deep/more.txt" in missing.err


def test_rerun_is_the_same_whatever_became_of_the_source(user):
    user.writes("train.py", MODEL)
    user.does("run", "-n", "mine", "--env", "A=1", "train.py", "--", "0.5")
    user.writes("train.py", "raise SystemExit('changed')\n")
    done = user.does("rerun", "mine", "--verify", "--json")
    assert done.json["answer"] == "same"
    first, again = user.does("show", done.json["rerun_of"], "--json"), user.does("show", "--json")
    assert again.json["snapshot"] == first.json["snapshot"]
    job = [json.loads((folder / "job.json").read_text()) for folder in user.run_folders()]
    for key in ("arguments", "variables", "environment", "snapshot", "script", "target"):
        assert job[0][key] == job[1][key]
    assert {each["rerun_of"] for each in job} == {None, first.json["id"]}


def test_rerun_tells_what_drifted(user, tmp_path):
    counter = tmp_path / "counter"
    user.writes("train.py", f"from scriptrun import Run\nimport os\nn = len(os.listdir({str(tmp_path)!r}))\n"
        f"open({str(counter)!r} + str(n), 'w')\nRun.get_context().log('n', n)\n")  # fmt: skip
    user.does("run", "train.py")
    done = user.types("rerun", "--verify")
    assert done.code == 1
    assert done.out.splitlines()[-2:] == ["drifted", "  metric 'n' differs"]


def test_rerun_that_cannot_tell(user):
    user.writes("train.py", SLEEPY)
    first = user.does("run", "-d", "train.py").out.strip()
    user.does("cancel", user.waits_for("Running", first)["id"])
    again = user.does("rerun", first, "-d").out.strip()
    user.waits_for("Running", again)
    user.does("cancel", again)
    user.writes("gone.py", "")
    user.does("run", "gone.py")
    for path in user.here.glob(".scriptrun/snapshots/manifests/*/*"):
        path.unlink()
    done = user.types("rerun")
    assert done.code == 2
    assert "snapshot" in done.err
    assert len(user.runs()) == 3


def test_a_run_that_no_script_made_cannot_be_run_again(user):
    user.writes("log.py", "import sys; sys.path.insert(0, sys.argv[1])\n")
    code = "from scriptrun import Experiment, Workspace\nwith Experiment(Workspace.from_config(), 'x').start_logging() as run: run.log('a', 1)"
    from sys import executable

    subprocess.run([executable, "-c", code], cwd=user.here, env=user.environ, check=True)
    done = user.types("rerun")
    assert done.code == 2
    assert "interactive run" in done.err


def test_diff(user):
    user.writes("train.py", MODEL)
    user.writes("old.bin", "\0\1")
    user.does("run", "-n", "a", "train.py", "--", "0.5")
    assert user.does("diff", "a", "a", "--exit-code").out.startswith("No differences")
    alone = user.types("diff", "a")
    assert alone.code == 2
    assert "nothing to compare it with" in alone.err
    user.writes("train.py", MODEL.replace("range(3)", "range(4)"))
    (user.here / "old.bin").unlink()
    user.does("run", "-n", "b", "--env", "SEED=2", "train.py", "--", "0.7")
    done = user.does("diff", "a", "b")
    assert user.types("diff", "a", "b", "--exit-code").code == 1
    for line in ("-for step in range(3):", "+for step in range(4):", "removed: old.bin", "- 0.5", "+ 0.7", "+ SEED 2", "- alpha 0.5"):  # fmt: skip
        assert line in done.out.splitlines(), line
    found = user.does("diff", "a", "b", "--json").json
    assert found["arguments"] == [["0.5"], ["0.7"]]
    assert found["metrics"]["alpha"] == [0.5, 0.7]
    assert list(found["outputs"]) == ["outputs/model.txt"]


def test_shell_in_a_fresh_copy(user, tmp_path):
    user.writes("train.py", MODEL)
    user.does("run", "--env", "A=1", "train.py", "--", "0.5")
    user.writes("train.py", "raise SystemExit('changed')\n")
    script = "pwd; echo A=$A; python train.py 7; touch new; exit 5"
    done = user.types("shell", "--", "sh", "-c", script, TMPDIR=str(tmp_path))
    assert done.code == 5
    lines = done.out.splitlines()
    assert lines[1] == "A=1"
    assert lines[-1] == "trained 7"
    assert lines[0].startswith(str(tmp_path))
    assert not list(tmp_path.glob("scriptrun-shell-*"))
    assert user.does("show", "--json").json["metrics"]["alpha"] == 0.5
    assert user.types("shell", "--", "/no/such/program").code == 2


@pytest.mark.parametrize("words", [["list"], ["show"], ["logs"]])
def test_a_reader_that_goes_away_is_no_error(user, words):
    user.writes("train.py", "print('x' * 100000)\n")
    user.does("run", "train.py")
    process = subprocess.Popen(
        user.argv(*words),
        cwd=user.here,
        env=user.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() in (0, 141)


def test_metrics_that_look_alike_in_short_are_told_to_differ(user):
    user.writes("train.py", "import sys\nfrom scriptrun import Run\n"
        "Run.get_context().log_list('l', [int(sys.argv[1]), 3])\n")  # fmt: skip
    user.does("run", "-n", "a", "train.py", "--", "1")
    user.does("run", "-n", "b", "train.py", "--", "2")
    assert "~ l 3 (last of 2)" in user.does("diff", "a", "b").out


def test_the_latest_run_is_no_child_of_another(user):
    user.writes(
        "train.py",
        "from scriptrun import Run\n"
        "with Run.get_context().child_run('fold') as fold: fold.log('x', 1)\n"
        "print('parent')\n",
    )
    user.does("run", "train.py")
    (parent,) = user.does("list", "--json").json["runs"]
    both = user.does("list", "--children", "--json").json["runs"]
    assert [run["parent"] for run in both] == [parent["id"], None]
    assert user.does("logs").out == "parent\n"
    assert user.does("show", "fold", "--json").json["metrics"] == {"x": 1}


def test_the_time_to_save_can_be_set_on_the_command_line(user):
    user.writes(
        "deaf.py",
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\ntime.sleep(3600)\n",
    )
    grace = "AZUREML_RUN_KILL_SIGNAL_TIMEOUT_SEC=0.5"
    run = user.does("run", "--detach", "--env", grace, "deaf.py").out.strip()
    job = user.does("show", run, "--json").json["folder"] + "/job.json"
    with open(job, encoding="utf-8") as file:
        assert json.load(file)["grace_seconds"] == 0.5
    user.does("cancel", run)
    user.waits_for("Canceled", run)


def test_diff_alone_compares_the_last_two(user):
    user.writes("train.py", "")
    user.does("run", "train.py")
    alone = user.types("diff")
    assert alone.code == 2
    assert "at least two runs" in alone.err
    user.does("run", "-n", "second", "train.py", "--", "--x")
    assert "--x" in user.does("diff").out


def test_a_rerun_that_logs_the_same_image_is_the_same(user):
    """The image's file has another name, with the time, each time."""
    user.writes(
        "draw.py",
        "import os, time\nfrom scriptrun import Run\n"
        "open('drawn.png', 'wb').write(os.environ.get('PIXELS', 'a').encode())\n"
        "time.sleep(1.1)\nRun.get_context().log_image('drawn', path='drawn.png')\n",
    )
    user.does("run", "draw.py")
    first = user.runs()[0]["id"]
    assert user.does("rerun", first, "--verify", "--time", "1h", "--json").json["answer"] == "same"
    user.does("run", "--env", "PIXELS=b", "draw.py")
    other = user.runs()[0]["id"]
    assert list(user.does("diff", first, other, "--json").json["metrics"]) == ["drawn"]

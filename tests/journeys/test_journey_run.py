"""Running scripts: what a newcomer does first, and what the job gets and leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from scriptrun.testing.jobs import PATIENCE, until

HELLO = "print('hello')\n"


def test_the_first_run_in_an_empty_directory(user):
    user.writes(
        "train.py", "from scriptrun import Run\nRun.get_context().log('acc', 0.5)\nprint('hello')\n"
    )
    done = user.does("run", "train.py")
    assert done.out == "hello\n"
    assert "Created workspace 'project'" in done.err
    assert "Completed" in done.err
    assert "acc 0.5" in done.err
    (run,) = user.runs()
    assert run["experiment"] == "project"
    assert run["state"] == "Completed"
    assert (user.here / ".scriptrun" / ".gitignore").read_text() == "*\n"


def test_arguments_after_the_dashes_arrive_as_they_are(user):
    user.writes("train.py", "import json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    words = [
        "--alpha",
        "0.5",
        "",
        "a b",
        "$HOME",
        'it\'s "q"',
        "line\nbreak",
        "--",
        "--help",
        "ü…",
        "%j",
    ]
    assert json.loads(user.does("run", "train.py", "--", *words).out) == words


def test_a_failing_script(user):
    user.writes(
        "train.py", "import sys\nprint('out')\nprint('err', file=sys.stderr)\nsys.exit(7)\n"
    )
    done = user.types("run", "train.py")
    assert done.code == 1
    assert done.out == "out\nerr\n"
    assert "train.py exited with code 7" in done.err
    assert user.does("show", "--json").json["exit_code"] == 7


def test_a_script_below_keeps_its_path_and_one_elsewhere_brings_its_directory(user, tmp_path):
    user.writes("src/train.py", "import os; print(sorted(os.listdir('.')))\n")
    assert "'src'" in user.does("run", "src/train.py").out
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "go.py").write_text("import os; print(sorted(os.listdir('.')))\n")
    assert "'go.py'" in user.does("run", other / "go.py").out
    assert [run["script"] for run in user.runs()] == ["go.py", "src/train.py"]


def test_source_names_the_directory(user):
    user.writes("src/train.py", "import os; print(sorted(os.listdir('.')))\n")
    for script in ("train.py", "src/train.py"):
        out = user.does("run", "--source", "src", script).out
        assert "'train.py'" in out
        assert "'src'" not in out


@pytest.mark.parametrize(
    ("here", "words"),
    [
        ("below", ["../train.py"]),
        ("below", ["--source", "..", "train.py"]),
        ("below", ["--source", "../below/..", "../train.py"]),
        ("link", ["../train.py"]),
    ],
)
def test_a_source_directory_above_or_beside(user, here, words):
    """Where a link is on the way, the directory that the system means by `..` counts."""
    user.writes("project/train.py", "import os; print(sorted(os.listdir('.')))\n")
    (user.here / "project" / "below").mkdir()
    (user.here / "link").symlink_to("project/below")
    user.does("init")
    out = user.does(
        "run", *words, cwd=user.here / ("project/below" if here == "below" else here)
    ).out
    assert out == "['below', 'logs', 'outputs', 'train.py']\n"
    assert user.runs()[0]["experiment"] == "project"


def test_variables_are_set_and_passed_on_and_kept_secret(user):
    user.writes("train.py", "import os; print(os.environ['A'], os.environ['TOKEN'])\n")
    done = user.does("run", "--env", "A=x=y", "--env", "TOKEN", "train.py", TOKEN="hush-hush")
    assert done.out == "x=y hush-hush\n"
    written = [
        path.read_bytes()
        for path in user.here.rglob("*")
        if path.is_file() and path.name != "std_log.txt"
    ]
    assert not any(b"hush-hush" in content for content in written)


def test_a_command_instead_of_a_script(user):
    done = user.does("run", "--command", "echo $((6 * 7)) | tr 4 x")
    assert done.out == "x2\n"


def test_names_tags_and_settings(user):
    user.writes("train.py", "import time; time.sleep(3600)\n")
    words = ["-e", "mine", "-n", "first try", "--tag", "a=1", "--tag", "b"]
    done = user.types("run", *words, "--set", "max_run_duration_seconds=1", "--json", "train.py")
    assert done.code == 1
    record = done.json
    assert record["name"] == "first try"
    assert record["tags"] == {"a": "1", "b": None}
    assert "max_run_duration_seconds=1" in record["reason"]
    assert user.runs()[0]["experiment"] == "mine"


def test_output_that_is_no_text_passes_through(user):
    user.writes("train.py", "import sys; sys.stdout.buffer.write(b'\\xff\\xfe ok\\n')\n")
    assert user.does("run", "train.py").out == "\udcff\udcfe ok\n"


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_a_poor_terminal_does_not_break_anything(user, locale):
    user.writes("tränen.py", "print('fine')\n")
    poor = {"LC_ALL": locale, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    assert user.types("run", "-n", "größe", "tränen.py", **poor).code == 0
    for words in (["list"], ["show"], ["run", "--plan", "tränen.py"], ["list", "--json"]):
        user.does(*words, **poor)


def test_a_runconfig_file(user):
    user.writes(
        ".azureml/cpu.runconfig",
        "script: train.py\narguments: [--alpha, 1]\nframework: Python\n"
        "environment:\n  environmentVariables: {A: b}\n  python: {userManagedDependencies: true}\n",
    )
    user.writes("train.py", "import os, sys; print(sys.argv[1:], os.environ['A'])\n")
    assert user.does("run", "-c", "cpu").out == "['--alpha', '1'] b\n"
    assert user.does("run", "-c", ".azureml/cpu.runconfig").out == "['--alpha', '1'] b\n"


def test_an_environment_is_built_and_its_progress_goes_to_stderr(user):
    user.writes("requirements.txt", "")
    user.writes("train.py", "import sys; print(sys.prefix)\n")
    done = user.does("run", "--requirements", "requirements.txt", "train.py")
    assert os.path.realpath(done.out.strip()) != os.path.realpath(sys.prefix)
    assert "Building" in done.err
    again = user.does("run", "--requirements", "requirements.txt", "train.py")
    assert again.out == done.out
    assert "Building" not in again.err
    user.does("rerun", "--verify")


def test_the_users_python_and_never_the_tools_own(user, tmp_path):
    user.writes("train.py", "import sys; print(sys.prefix)\n")
    environ = {name: value for name, value in user.environ.items() if name != "VIRTUAL_ENV"}
    user.environ = environ
    environ["PATH"] = f"{sys.prefix}/bin:{environ['PATH']}"
    assert os.path.realpath(user.does("run", "train.py").out.strip()) != os.path.realpath(
        sys.prefix
    )
    venv = user.here / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    (venv / "pyvenv.cfg").write_text(
        f"home = {os.path.dirname(os.path.realpath(sys.executable))}\nversion = 3.11.0\n"
    )
    assert user.does("run", "train.py").out == f"{venv}\n"


def test_what_the_script_imports_and_nobody_has_is_told_before_it_fails(user):
    user.writes("train.py", "import no_such_package_at_all\n")
    done = user.types("run", "train.py")
    assert done.code == 1
    assert "warning: train.py imports 'no_such_package_at_all'" in done.err


def test_a_run_that_must_wait_says_so(user):
    user.does("compute", "set", "local", "--max-runs", "1")
    gate = user.here / "gate"
    user.writes(
        "slow.py", f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.05)\n"
    )
    first = user.does("run", "-d", "slow.py").out.strip()
    user.waits_for("Running", first)
    heard = user.here / "heard"
    with open(heard, "w") as err:
        second = subprocess.Popen(
            user.argv("run", "slow.py"), cwd=user.here, env=user.environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=err,
        )  # fmt: skip
    try:
        until(lambda: "is queued" in heard.read_text(), heard.read_text)
    finally:
        gate.touch()
    assert second.wait(PATIENCE) == 0, heard.read_text()


def test_the_end_names_what_could_not_be_kept(user):
    user.writes(
        "train.py",
        "import os\nos.makedirs('ck')\nopen('ck/best.pt', 'w').write('best')\n"
        "os.symlink('../ck/best.pt', 'outputs/best.pt')\nos.symlink('none', 'outputs/gone')\n",
    )
    done = user.does("run", "train.py")
    assert "outputs/gone (its target none does not exist)" in done.err
    user.does("download")
    assert (user.here / "outputs" / "best.pt").read_text() == "best"

"""Another user's workspace, above the current directory or named: nothing of it is run or believed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from machine import lacking

from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.engines.local.engine import Local
from scriptrun.registry import trust
from scriptrun.spec.errors import WorkspaceException
from scriptrun.testing.jobs import PATIENCE, Bench, until, wait
from scriptrun.tracking import run_marks

pytestmark = [pytest.mark.faults]

#: users that no machine has
MALLORY, ALICE = 61234, 61236
COMMANDS = (
    ("list",),
    ("show",),
    ("logs",),
    ("cancel", "--all"),
    ("run", "train.py"),
    ("rerun",),
    ("env", "list"),
    ("compute", "list"),
    ("data", "list"),
    ("model", "list"),
    ("secret", "list"),
    ("init",),
)


@pytest.fixture(autouse=True)
def root():
    if os.geteuid() != 0:
        lacking("it takes root to make files of other users")


@pytest.fixture
def everybodys():
    """A folder that every user can enter, as tmp_path is not."""
    folder = tempfile.mkdtemp(prefix="two-users-")
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def trap(tmp_path):
    """A workspace of another user's whose runtime says that it was executed; a folder below."""
    bench = Bench(tmp_path / "top", Local())
    assert wait(bench.submit("pass")) == "Completed"
    mark = tmp_path / "executed"
    for path in bench.workspace.directory.glob("runtime/*/scriptrun/runtime/**/*.py"):
        path.write_text(f"open({str(mark)!r}, 'w').close()\n{path.read_text()}")
    for folder, _, names in os.walk(bench.workspace.directory):
        for name in ("", *names):
            os.chown(os.path.join(folder, name), MALLORY, MALLORY, follow_symlinks=False)
    below = tmp_path / "top" / "work"
    below.mkdir()
    (below / "train.py").write_text("print('trained')")
    return below, mark


def scriptrun(*words, cwd, **variables):
    return subprocess.run(
        [sys.executable, "-m", "scriptrun", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
    )


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_uses_it(trap, words):
    below, mark = trap
    here = below.parent if words == ("init",) else below
    before = sorted(map(str, below.parent.rglob("*")))
    done = scriptrun(*words, cwd=here)
    assert done.returncode == 2, done.stderr
    assert f"belongs to the user with ID {MALLORY}" in done.stderr
    assert f"scriptrun trust {below.parent}" in done.stderr
    assert not mark.exists()
    assert sorted(map(str, below.parent.rglob("*"))) == before


def test_naming_it_by_a_variable_is_not_trusting_it(trap, tmp_path):
    below, _ = trap
    done = scriptrun("list", cwd=tmp_path, SCRIPTRUN_WORKSPACE=str(below.parent))
    assert (done.returncode, "scriptrun trust" in done.stderr) == (2, True)


def test_trusted_once_it_is_used_until_that_is_taken_back(trap):
    below, _ = trap
    assert scriptrun("trust", cwd=below).returncode == 0
    assert scriptrun("trust", "--list", cwd=below).stdout == f"{below.parent}\n"
    assert scriptrun("list", cwd=below).returncode == 0
    done = scriptrun("trust", "--remove", str(below.parent), cwd=below)
    assert (done.returncode, scriptrun("list", cwd=below).returncode) == (0, 2)
    said = json.loads(scriptrun("trust", str(below.parent), "--json", cwd=below).stdout)
    assert said == {"schema": 1, "path": str(below.parent), "trusted": True}
    assert scriptrun("trust", str(below / "missing"), cwd=below).returncode == 2


def test_a_workspace_in_a_folder_like_tmp_is_believed_by_its_owner_only(everybodys):
    os.chmod(everybodys, 0o1777)
    Workspace.create("mine", path=everybodys)
    trusting = as_user(ALICE, lambda: Workspace(everybodys))
    assert trusting == "WorkspaceException"
    assert as_user(0, lambda: Workspace(everybodys)) == ""


def test_a_user_trusts_for_oneself_only(everybodys, monkeypatch):
    settings = os.path.join(everybodys, "alice")
    os.mkdir(settings)
    os.chown(settings, ALICE, ALICE)
    shared = os.path.join(everybodys, "shared")
    Workspace.create("shared", path=shared)
    monkeypatch.setenv("SCRIPTRUN_SETTINGS", settings)

    def trusts():
        trust.trust(trust.Path(shared))
        Workspace(shared)

    assert as_user(ALICE, trusts) == ""
    os.chown(os.path.join(shared, ".scriptrun"), MALLORY, MALLORY)
    assert as_user(0, lambda: Workspace(shared)) == "WorkspaceException"


def as_user(user, what):
    """The name of the error that ``what`` raises in a process of the user; "" for none."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        name = "died"
        try:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            what()
            name = ""
        except BaseException as error:
            name = type(error).__name__
        finally:
            os.write(writing, name.encode())
            os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    with open(reading, "rb") as handle:
        return handle.read().decode()


def test_looking_from_another_users_account_signals_nothing(tmp_path):
    """Root opens a trusted workspace: the runs of others are not root's to stop."""
    bench = Bench(tmp_path / "home", Local())
    run = bench.run("pass")
    os.chown(bench.workspace.directory, MALLORY, MALLORY)
    with pytest.raises(WorkspaceException, match="belongs to"):
        Workspace(bench.root)
    trust.trust(bench.root)
    assert Run.get(Workspace(bench.root), run.id).standing.state == "Completed"


PRUNES = """
import json, os, sys
from scriptrun import Workspace
root, cache, user = sys.argv[1], sys.argv[2], int(sys.argv[3])
Workspace.reopen(root).prune(removed_before=1e9)  # loads all: the other user cannot read this Python
os.setgroups([])
os.setgid(user)
os.setuid(user)
os.environ.update(HOME=cache, SCRIPTRUN_CACHE=cache, SCRIPTRUN_RUNTIME=cache + "/runtime")
report = Workspace(root).prune()
print(json.dumps([[run.id for run in report.runs], report.other_users]))
"""


def test_prune_deletes_only_what_is_the_users_own(everybodys):
    bench = Bench(Path(everybodys) / "work", Local())
    own, others = bench.run("print('own')"), bench.run("print('other')")
    until(lambda: not bench.workspace.prune("", older_than=0.0, dry_run=True).kept, "one lives")
    for run in (own, others):
        run_marks.write(run.path, run_marks.REMOVED)
    cache = Path(everybodys) / "cache"
    cache.mkdir()
    subprocess.run(["chmod", "-R", "a+rX", everybodys], check=True)
    subprocess.run(["chown", "-R", f"{ALICE}:{ALICE}", everybodys], check=True)
    subprocess.run(["chown", "-R", "0:0", others.path], check=True)
    words = [sys.executable, "-c", PRUNES, str(bench.root), str(cache), str(ALICE)]
    done = subprocess.run(words, capture_output=True, timeout=PATIENCE)
    assert json.loads(done.stdout or "null") == [[own.id], {"root": 1}], done.stderr.decode()
    assert others.path.exists() and not own.path.exists()

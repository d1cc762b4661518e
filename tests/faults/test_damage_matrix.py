"""Any record file with any damage: every command ends with a sentence and shows the neighbours.

`./dev faults` tries each damage of each record; the suite a few of each, chosen by FAULT_SEED.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import secrets
import shutil
import signal
from pathlib import Path

import damage
import pytest

from scriptrun.cli import main
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.testing.jobs import living, until

pytestmark = [pytest.mark.faults]

#: all damages of each record, or so many of them
IS_WHOLE = int(os.environ.get("FAULT_ROUNDS", "20")) >= 100
SAMPLE = 1
#: what ends a command that would never end: far more than any needs
PATIENCE = 300
RECORDS = [
    *(("run", name) for name in damage.RUN),
    *(("sweep", name) for name in damage.SWEEP),
    *(("workspace", name) for name in damage.WORKSPACE),
    *(("secrets", name) for name in damage.SECRETS),
]
COMMANDS = (
    ("list",),
    ("list", "--children", "--json"),
    ("list", "-a", "-s", "Completed", "-e", "trials"),
    ("show", "{run}"),
    ("show", "{run}", "--json"),
    ("show", "{sweep}"),
    ("show", "neighbour"),
    ("logs", "{run}"),
    ("logs", "{run}", "-f"),
    ("diff", "{run}", "neighbour"),
    ("cancel", "{run}"),
    ("cancel", "--all"),
    ("download", "{run}", "-o", "there"),
    ("sweep", "show", "{sweep}"),
    ("sweep", "show", "{sweep}", "--json"),
    ("sweep", "show", "{sweep}", "--html", "sweep.html", "--csv", "runs.csv"),
    ("logs", "{sweep}", "-f"),
    ("lineage", "digits"),
    ("model", "list"),
    ("model", "list", "--tag", "a=b", "--run", "{run}"),
    ("model", "show", "digits"),
    ("data", "list"),
    ("data", "show", "things"),
    ("datastore", "list"),
    ("compute", "list"),
    ("compute", "show", "box"),
    ("env", "list"),
    ("env", "show", "here"),
    ("export", "{run}", "--to", "shell"),
    ("run", "--plan", "source/train.py"),
    ("secret", "list"),
    ("secret", "list", "--json"),
    ("datastore", "show", "vaulted"),
    ("doctor",),
    ("doctor", "--fsck"),
    ("doctor", "--fsck", "--json"),
)
#: commands that start something, or remove what was damaged: for records of that kind, at the end
FURTHER_COMMANDS = {
    "run": (("rerun", "{run}", "--verify"),),
    "workspace": (("rerun", "neighbour"),),
    "secrets": (("secret", "remove", "token"), ("secret", "remove", "own", "--workspace")),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A workspace to copy, with the ids of its run and its sweep."""
    root = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CACHE", "RUNTIME", "SLOTS", "work/SECRETS"):
            patch.setenv(f"SCRIPTRUN_{Path(name).name}", str(root / name.lower()))
        workspace = damage.make(root / "work")
        run = Run.find(workspace, "victim").id
        sweep = next(workspace.runs_folder.glob("*/*/sweep.json")).parent.name
    return root / "work", {"run": run, "sweep": sweep}


@pytest.fixture
def chance(request):
    seed = os.environ.get("FAULT_SEED") or str(secrets.randbelow(10**9))
    print(f"to repeat: FAULT_SEED={seed} pytest '{request.node.nodeid}'")
    return random.Random(f"{seed}-{request.node.name}")


@pytest.fixture
def copied(template, tmp_path, monkeypatch):
    """A function that makes a fresh copy of the template."""
    root = tmp_path / "work"
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(root / "secrets"))

    def copy():
        for path in (root, tmp_path / "cache"):
            if path.exists():
                shutil.rmtree(path)
        monkeypatch.setenv("SCRIPTRUN_CACHE", str(tmp_path / "cache"))
        shutil.copytree(template[0], root, symlinks=True)
        monkeypatch.chdir(root)
        return Workspace(root)

    return copy


class Endless(BaseException):
    """A command that did not end."""


def _too_long(*_):
    raise Endless


@pytest.fixture
def typed():
    """A function that types a command; it gives the exit code, and what was written."""
    previous = signal.signal(signal.SIGALRM, _too_long)

    def run(*words):
        streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", "replace") for _ in range(2)]
        with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
            signal.alarm(PATIENCE)
            try:
                code = main(list(words))
            finally:
                signal.alarm(0)
        for stream in streams:
            stream.flush()
        return code, *(stream.buffer.getvalue().decode("utf-8", "replace") for stream in streams)

    yield run
    signal.signal(signal.SIGALRM, previous)


def problems_of(typed, names, kind, record):
    """What breaks the rules: a crash, a neighbour that is not shown."""
    problems = []
    for words in (*COMMANDS, *FURTHER_COMMANDS.get(kind, ())):
        words = [word.format(**names) for word in words]
        line = " ".join(words)
        try:
            code, out, err = typed(*words)
        except Endless:
            problems.append(f"{line}: it does not end")
            continue
        if code not in (0, 1, 2) or "Traceback" in err:
            problems.append(f"{line}: {code}: {err[-300:]}")
        is_listing = words[0] == "list" and "-s" not in words and kind != "workspace"
        if is_listing and ("neighbour" not in out or names["run"] not in out):
            problems.append(f"{line}: a run is not shown: {out} {err}")
        if words == ["show", "neighbour"] and kind != "workspace" and code:
            problems.append(f"{line}: {code}: {err}")
    return problems


def until_no_process_is_left(root):
    until(lambda: not living(str(root)))


def metrics_problems(workspace, names):
    try:
        Run.get(workspace, names["run"]).get_metrics()
    except Exception as error:
        if not hasattr(error, "message"):
            return [f"get_metrics: {error!r}"]
    return []


@pytest.mark.parametrize(("kind", "pattern"), RECORDS, ids=lambda each: each.replace("/", "-"))
def test_a_damaged_record_harms_no_other(kind, pattern, template, copied, typed, chance):
    workspace = copied()
    names = template[1]
    kinds = damage.damages_of(damage.record_of(workspace, kind, pattern))
    if not IS_WHOLE:
        kinds = chance.sample(kinds, min(SAMPLE, len(kinds)))
    problems = []
    for number, name in enumerate(kinds):
        workspace = workspace if number == 0 else copied()
        record = damage.record_of(workspace, kind, pattern)
        damage.apply(name, record)
        found = problems_of(typed, names, kind, record) + metrics_problems(workspace, names)
        problems += [f"{name}: {each}" for each in found]
        until_no_process_is_left(workspace.root)
    count = len(kinds) * (len(COMMANDS) + len(FURTHER_COMMANDS.get(kind, ())))
    print(f"{len(kinds)} damages, {count} commands, {len(problems)} problems")
    assert not problems, "\n".join(problems)

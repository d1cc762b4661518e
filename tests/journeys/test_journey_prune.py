"""Free disk space: look, agree, and see what went."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scriptrun import Workspace
from scriptrun.testing.jobs import until
from scriptrun.tracking import run_marks

WRITES = "open('outputs/big.bin', 'wb').write(b'x' * 200_000)"


def removed(user, name):
    """A run that has ended and was removed."""
    user.writes("train.py", WRITES)
    user.does("run", "-n", name, "train.py")
    (run,) = user.does("list", f"name={name}", "--json").json["runs"]
    run_marks.write(Path(run["folder"]), run_marks.REMOVED)
    until(
        lambda: (
            run["id"]
            in [each["id"] for each in user.does("prune", "--plan", "--json").json["runs"]]
        ),
        "its launcher lives on",
    )
    return run


def test_what_a_prune_would_free_and_what_it_freed(user):
    user.writes("train.py", "print('stays')")
    user.does("run", "-n", "stays", "train.py")
    run = removed(user, "goes")
    plan = user.does("prune", "--dry-run").out
    assert "Would delete:" in plan and "runs: removed  1" in plan and "goes" in plan
    assert "scriptrun env prune" in plan and os.path.exists(run["folder"])
    refused = user.types("prune")
    assert refused.code == 2 and "--yes" in refused.err and "Would delete:" in refused.out
    assert os.path.exists(run["folder"])
    done = user.does("prune", "--yes").out
    assert "Deleted:" in done and "Freed 20" in done and "kB." in done
    assert not os.path.exists(run["folder"])
    assert "Nothing to prune." in user.does("prune").out
    shown = user.types("show", "goes")
    assert shown.code == 2 and f"Run '{run['id']}' was pruned by" in shown.err
    assert [each["name"] for each in user.runs()] == ["stays"]


def test_prune_for_programs(user):
    run = removed(user, "goes")
    refused = user.types("prune", "--json")
    assert refused.code == 2 and "--yes" in refused.json["error"]["hint"]
    report = user.does("prune", "--json", "--yes").json
    assert report["dry_run"] is False and [each["id"] for each in report["runs"]] == [run["id"]]
    assert report["freed"] > 200_000 and report["kept"] == []


def test_a_model_keeps_its_run(user):
    user.writes("train.py", WRITES)
    user.does("run", "-n", "best", "train.py")
    user.does("model", "register", "net", "outputs/big.bin", "--run", "best")
    out = user.does("prune", "--older-than", "0s", "--yes").out
    assert "best (" in out and "model net:1 came from it" in out
    assert user.does("lineage", "net").out and len(user.runs()) == 1


def test_a_sweep_goes_as_a_whole_and_stays_for_a_model(user):
    user.writes(
        "train.py",
        "import sys; from scriptrun import Run\n"
        "Run.get_context().log('loss', float(sys.argv[2]))\n" + WRITES,
    )
    words = ("--param", "x=0.1,0.2,0.3", "--metric", "loss", "--minimize", "--sampling", "grid")
    for name in ("kept", "goes"):
        user.does("sweep", "-n", name, *words, "train.py")
    best, other, third = sorted(name for name in names(user) if name.startswith("kept_"))
    user.does("model", "register", "net", "outputs/big.bin", "--run", best)
    until(
        lambda: len(user.does("prune", "--older-than", "0", "--plan", "--json").json["runs"]) == 4,
        "a driver or a launcher lives on",
    )
    user.does("prune", "--older-than", "0", "--yes")
    assert set(names(user)) == {"kept", best, other, third}
    run_marks.write(names(user)[other], run_marks.REMOVED)
    user.does("prune", "--yes")
    assert user.does("sweep", "show", "kept").out
    assert set(names(user)) == {"kept", best, third}


def names(user):
    """The folders of all runs by display name, with those of sweeps' runs."""
    return {run.display_name: run.path for run in Workspace(user.here).runs(children=True)}


def test_mistakes_are_refused(user):
    user.does("init")
    assert "Invalid age --older-than='soon'" in user.types("prune", "--older-than", "soon").err
    assert user.types("prune", "-q", "state=").code == 2


@pytest.mark.skipif(os.name != "posix", reason="only on POSIX")
@pytest.mark.parametrize("answer", ["n", "y"])
def test_in_a_terminal_it_asks(user, answer):
    import pty

    run = removed(user, "goes")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(user.here)
        os.execve(user.argv("prune")[0], user.argv("prune"), user.environ)
    out = b""
    while b"[y/N]" not in out:
        out += os.read(terminal, 4096)
    os.write(terminal, answer.encode() + b"\n")
    try:
        while data := os.read(terminal, 4096):
            out += data
    except OSError:
        pass  # its end
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    assert (code, os.path.exists(run["folder"])) == ((0, False) if answer == "y" else (1, True))
    assert (b"Freed" if answer == "y" else b"Nothing was deleted.") in out

"""Old code as people have it: each folder of tests/old_code is run whole, and compared.

It runs unchanged by ``scriptrun exec``, and rewritten by ``scriptrun migrate`` in a plain Python or
a plain Jupyter kernel. A case is a folder of what a person wrote, with ``case.json``: what is run,
and what comes of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scriptrun import Dataset, Webservice, Workspace
from scriptrun.core.model import Model
from scriptrun.testing.jobs import PATIENCE

#: runs a notebook in a Jupyter kernel of this Python, and prints what its cells print
KERNEL = """
import sys, nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], 4)
for cell in book.cells:  # %matplotlib needs matplotlib beside the kernel; a test installs nothing
    lines = cell.source.split("\\n")
    pip = ("!pip", "! pip", "%pip", "pip ")
    cell.source = "\\n".join(
        line for line in lines if line != "%matplotlib inline" and not line.startswith(pip)
    )
book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
try:
    NotebookClient(book, kernel_name="python3", timeout=300).execute()
finally:
    for cell in book.cells:
        for output in cell.get("outputs", []):
            print(output.get("text") or output.get("data", {}).get("text/plain", ""), end="")
"""
#: what a case's own shell lines call as pip installs nothing, wherever it comes from
NO_INSTALLS = {"PIP_REQUIRE_VIRTUALENV": "1", "PIP_DRY_RUN": "1"}
#: the experiment of the runs that serve
SERVICES = "services"
CASES = Path(__file__).resolve().parents[1] / "old_code"


def facts_of(name: str) -> dict:
    return json.loads((CASES / name / "case.json").read_text("utf-8"))


def cases(fault: str) -> list:
    """Every case; those that download gigabytes only with SCRIPTRUN_TEST_LARGE=1."""
    names = sorted(path.parent.name for path in CASES.glob("*/case.json"))
    found = [(name, facts_of(name)) for name in names]
    if os.environ.get("SCRIPTRUN_TEST_LARGE") != "1":
        found = [(name, facts) for name, facts in found if not facts.get("large")]
    return [pytest.param(name, marks=marks(facts, fault)) for name, facts in found]


def marks(facts: dict, fault: str) -> list:
    """``needs``: the suite's marks; ``fault``: what is known to be wrong."""
    found = [getattr(pytest.mark, name) for name in facts.get("needs", ["network"])]
    reason = facts.get(fault) or facts.get("fault")
    if reason:
        found.append(pytest.mark.xfail(strict=False, reason=reason))
    return found


@pytest.fixture(scope="module")
def one_cache(tmp_path_factory) -> Path:
    """Environments are built once for all cases, as in one person's home."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def project(name, tmp_path, one_cache, monkeypatch) -> Iterator[Path]:
    """A copy of the case's folder."""
    monkeypatch.setenv("SCRIPTRUN_CACHE", str(one_cache))
    copy = tmp_path / "project"
    shutil.copytree(CASES / name, copy, ignore=shutil.ignore_patterns("case.json"))
    yield copy
    for metadata in tmp_path.rglob(".scriptrun/services"):  # a case that failed leaves some
        for service in Webservice.list(Workspace(metadata.parent.parent)):
            service.delete()


@pytest.mark.slow
@pytest.mark.parametrize("name", cases("fault"))
def test_old_code_runs_unchanged(name, project):
    facts = facts_of(name)
    shown = "".join(
        run_words(project, line, [sys.executable, "-m", "scriptrun", "exec"])
        for line in facts["runs"]
    )
    compare(project, facts, shown)
    for line in facts.get("prints_unchanged", []):  # what goes with rewritten lines
        assert line in shown, f"not printed: {line!r}\n{shown}"


@pytest.mark.slow
@pytest.mark.parametrize("name", cases("rewritten_fault"))
def test_rewritten_code_does_the_same(name, project):
    facts = facts_of(name)
    migrate = [sys.executable, "-m", "scriptrun", "migrate", "--write"]
    run_words(project, ["."], migrate)
    for target in facts.get("targets", []):  # as the proof says
        words = ["compute", "alias", target, "local"]
        run_words(project, words, [sys.executable, "-m", "scriptrun"])
    shown = "".join(run_words(project, line, [sys.executable]) for line in facts["runs"])
    compare(project, facts, shown)


def run_words(project: Path, line: str | list | dict, command: list[str]) -> str:
    """What ``command`` prints; ``line`` is a file, or its words.

    Or a dict of those, and of a folder, variables and the exit status.
    """
    call = line if isinstance(line, dict) else {"words": line}
    words = [call["words"]] if isinstance(call["words"], str) else call["words"]
    if words[0].endswith(".ipynb") and command == [sys.executable]:
        command = [*command, "-c", KERNEL]
    done = subprocess.run(
        [*command, *words],
        cwd=project / call.get("folder", "."),
        env={**os.environ, **NO_INSTALLS, **call.get("environ", {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE * 4,
    )
    assert done.returncode == call.get("status", 0), done.stdout + done.stderr
    return done.stdout + done.stderr


def compare(project: Path, facts: dict, shown: str) -> None:
    for line in facts.get("prints", []):
        assert line in shown, f"not printed: {line!r}\n{shown}"
    for line in facts.get("never_prints", []):
        assert line not in shown, f"printed: {line!r}\n{shown}"
    for file in facts.get("writes", []):
        assert list(project.glob(file)), f"{file} was not written\n{shown}"
    compare_records(Workspace(project / facts.get("workspace", ".")), facts, shown)


def compare_records(workspace: Workspace, facts: dict, shown: str) -> None:
    assert [service.name for service in Webservice.list(workspace)] == [], shown
    experiments = workspace.experiments
    assert set(experiments) - {SERVICES} == set(facts.get("jobs", {})), shown
    for name, expected in facts.get("jobs", {}).items():
        runs = sorted(
            experiments[name].get_runs(), key=lambda run: run.get_details()["createdTimeUtc"]
        )
        assert len(runs) == len(expected), shown
        for run, job in zip(runs, expected, strict=True):
            compare_run(run, job, shown)
    assert {
        model.name: len(Model.list(workspace, name=model.name)) for model in Model.list(workspace)
    } == (facts.get("models", {})), shown
    for name, version in facts.get("datasets", {}).items():
        assert Dataset.get_by_name(workspace, name).version == version, shown


def compare_run(run, job: dict, shown: str) -> None:
    state = job.get("state", run.get_status())
    assert run.get_status() in (state["in"] if isinstance(state, dict) else [state]), shown
    metrics = run.get_metrics()
    for name, expected in job.get("metrics", {}).items():
        assert name in metrics, (name, metrics, shown)
        assert fits(metrics[name], expected), (name, metrics[name], expected)
    missing = set(job.get("files", [])) - set(run.get_file_names())
    assert not missing, (missing, run.get_file_names())
    for name, value in job.get("tags", {}).items():
        assert run.get_tags().get(name) == value, run.get_tags()
    compare_children(run, job)


def compare_children(run, job: dict) -> None:
    children = list(run.get_children())
    assert len(children) == job.get("children", 0), children
    for child in children:
        assert child.get_status() == job.get("child_state", "Completed"), child
        assert set(job.get("child_metrics", [])) <= set(child.get_metrics()), child.get_metrics()
    if "best" in job:
        metrics = run.get_best_run_by_primary_metric().get_metrics()
        for name, expected in job["best"].items():
            assert fits(metrics[name], expected), metrics


def fits(value, expected) -> bool:
    """Equal within a millionth; or of the shape that a dict names."""
    if not isinstance(expected, dict):
        return value == (expected if isinstance(expected, str) else pytest.approx(expected))
    if "between" in expected:
        low, high = expected["between"]
        return low <= value <= high
    if "count" in expected:
        return len(value) == expected["count"]
    if "columns" in expected:
        return {name: len(column) for name, column in value.items()} == expected["columns"]
    return set(expected["keys"]) <= set(value)

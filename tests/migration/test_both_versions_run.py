"""Proofs against the truth: both versions of whole programs are run, with their jobs.

Where the proof says that both do the same, all that their runs leave is equal.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.migration.old_programs import PROGRAMS
from tests.wheel_making import make_wheel

from scriptrun import Workspace
from scriptrun.cli import migrate
from scriptrun.core.run import Run
from scriptrun.migration import batch
from scriptrun.migration.proof import prove
from scriptrun.store import document_limits

EXAMPLES = Path(__file__).parents[2] / "examples"
DOCS = Path(__file__).parents[2] / "docs"
RANDOM = re.compile(r"[0-9a-f]{32}|input__[0-9a-f]{8}")


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A folder of wheels: ``red`` has lost its release 1.5."""
    folder = tmp_path_factory.mktemp("packages")
    for name, version in [("red", "2.0"), ("green", "1.0"), ("pip", "24"), ("setuptools", "70")]:
        make_wheel(folder, name, version)
    return folder


@pytest.fixture
def variables(packages, monkeypatch):
    monkeypatch.setenv("UV_FIND_LINKS", str(packages))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("SCRIPTRUN_CONDA", "pypi")
    return monkeypatch


def lay_out(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def migrated_in(folder: Path, arguments: tuple[str, ...]) -> dict[str, prove.Proof]:
    """Rewrite all files below ``folder``; the proof of each that changes."""
    report = batch.look(
        [str(folder)], "scriptrun", migrate.alternative, lambda *_: None, True, True
    )
    report.prove(arguments)
    return {os.path.relpath(proof.path, folder): proof for proof in report.proofs}


def run_file(folder: Path, file: str, arguments: tuple[str, ...], old: bool) -> str:
    """Run the file as old code, or by Python alone; what it said on stderr."""
    command = [sys.executable, "-W", "ignore"]
    if old:
        command += ["-m", "scriptrun", "exec", file]
    elif file.endswith(".ipynb"):
        command += ["-c", as_script(folder / file)]
    else:
        command += [file]
    done = subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True)
    return done.stderr if done.returncode else ""


def as_script(path: Path) -> str:
    """A notebook as Python: ``%%writefile`` cells write their file."""
    lines = []
    for cell in json.loads(path.read_text())["cells"]:
        source = "".join(cell["source"])
        first, _, rest = source.partition("\n")
        if first.startswith("%%writefile "):
            source = f"open({first.split()[1]!r}, 'w').write({rest!r} + '\\n')"
        lines.append(source)
    return "\n".join(lines)


def assume(folder: Path, proof: prove.Proof) -> None:
    """Make true what the proof took for given: compute targets."""
    for text in proof.assumed:
        command = re.search(r"\(scriptrun (compute (alias|add) [^)]+)\)", text)
        if command is None:
            continue
        if not (folder / ".scriptrun").exists():
            scriptrun("init", cwd=folder)
        scriptrun(*command[1].split(), cwd=folder)


def scriptrun(*words: str, cwd: Path) -> None:
    subprocess.run([sys.executable, "-m", "scriptrun", *words], cwd=cwd, check=True)


def left_by(folder: Path) -> list[dict]:
    """What the runs of the workspace in ``folder`` have left, in their order."""
    if not (folder / ".scriptrun").exists():
        return []
    workspace = Workspace(folder)
    records = [*workspace.runs_folder.glob("*/*/job.json")]
    runs = [Run.at(workspace, path.parent) for path in records]
    ids = {run.id: run.job.experiment for run in runs}
    facts = [facts_of(run, ids) for run in runs]
    return sorted(facts, key=lambda each: json.dumps(each, sort_keys=True, default=str))


def facts_of(run: Run, ids: dict[str, str]) -> dict:
    folder = run.path / "outputs"
    outputs = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    environment = run.path / "environment.json"
    lock = json.loads(document_limits.read_text(environment)) if environment.exists() else {}
    text = json.dumps(
        {
            "experiment": run.job.experiment,
            "kind": run.type,
            "script": run.job.script,
            "arguments": run.job.arguments,
            "parent": ids.get(run.job.parent or ""),
            "state": run.get_status(),
            "tags": run.get_tags(),
            "metrics": run.get_metrics(),
            "files": sorted(run.get_file_names()),
            "outputs": outputs,
            "packages": lock.get("packages"),
            "requirements": lock.get("requirements"),
        },
        default=str,
    ).replace(run.id, "RUN")
    return json.loads(RANDOM.sub("DRAWN", text))


def both(tmp_path: Path, files: dict[str, str], file: str, arguments: tuple[str, ...]):
    """The proof, and what the runs of both versions have left, with their errors."""
    before = lay_out(tmp_path / "before", files)
    after = lay_out(tmp_path / "after", files)
    proof = migrated_in(after, arguments)[file]
    assume(after, proof)
    old_error = run_file(before, file, arguments, old=True)
    has_ipython = any("get_ipython" in text for text in proof.assumed)
    new_error = run_file(after, file, arguments, old=has_ipython)
    return proof, left_by(before), left_by(after), f"{old_error}\n{new_error}"


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_proved_is_true(tmp_path, variables, name):
    files, file, arguments, standing = PROGRAMS[name]
    proof, old, new, errors = both(tmp_path, files, file, arguments)
    assert proof.standing == standing, f"{proof}\n{errors}"
    assert old, errors
    if standing == prove.PARTLY:
        assert new == old, errors
    elif standing == prove.SAME:
        assert new == old, errors
        assert {run["state"] for run in old} == {"Completed"}, errors
    else:
        assert new != old, errors


def old_names(text: str) -> str:
    return text.replace("from scriptrun import", "from azureml.core import")


def test_an_example_in_old_names_does_what_the_example_does(tmp_path, variables):
    files = {path.name: old_names(path.read_text()) for path in (EXAMPLES / "hello").glob("*.py")}
    assert "azureml" in files["submit.py"]
    proof, old, new, errors = both(tmp_path, files, "submit.py", ())
    assert (proof.standing, new) == (prove.SAME, old), f"{proof}\n{errors}"
    assert [run["state"] for run in old] == ["Completed"], errors
    assert old[0]["metrics"] == {"square": [1, 4, 9, 16, 25]}


def test_the_drop_ins_page_is_true_of_both_versions(tmp_path, variables):
    page = (DOCS / "reference" / "dropin.md").read_text("utf-8")
    blocks = re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", page, re.DOTALL)
    files = dict(blocks[:2])
    assert [*files] == ["src/train.py", "submit.py"]
    proof, old, new, errors = both(tmp_path, files, "submit.py", ())
    assert (proof.standing, new) == (prove.SAME, old), f"{proof}\n{errors}"
    assert old[0]["metrics"] == {"accuracy": 0.97}, errors

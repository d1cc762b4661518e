"""A release dates the changelog, sets the version, commits and tags; a problem changes nothing."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n\n## [0.1.0] - 2020-01-02\n\n- The first.\n"


@pytest.fixture
def scratch(tmp_path):
    """A repository with what a release reads and writes."""
    for name in ("tools/release.py", "src/scriptrun/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    source = tmp_path / "src" / "scriptrun" / "__init__.py"
    text = re.sub(r'__version__ = ".*"', '__version__ = "0.1.0"', source.read_text())
    source.write_text(text)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "begin")
    git(tmp_path, "tag", "v0.1.0")
    return tmp_path


def git(folder, *words):
    who = {
        f"GIT_{role}_{what}": "someone@x"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **who},
    )
    return done.stdout.strip()


def release(folder, *words, code=0):
    who = {
        f"GIT_{role}_{what}": "someone@x"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    command = [sys.executable, folder / "tools" / "release.py", *words]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **who})
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_the_version_is_written_committed_and_tagged(scratch):
    assert "nothing was changed" in release(scratch, "0.2.0", "--dry-run").stdout
    assert git(scratch, "tag") == "v0.1.0" and not git(scratch, "status", "--porcelain")
    before = datetime.datetime.now(datetime.UTC).date()
    done = release(scratch, "0.2.0")
    after = datetime.datetime.now(datetime.UTC).date()
    assert "git push origin HEAD v0.2.0" in done.stdout
    assert git(scratch, "log", "-1", "--format=%s %D").startswith("Release 0.2.0 HEAD -> ")
    assert git(scratch, "tag", "--points-at", "HEAD") == "v0.2.0"
    assert not git(scratch, "status", "--porcelain")
    assert git(scratch, "show", "--stat", "--format=", "HEAD").count("|") == 2
    changelog = (scratch / "CHANGELOG.md").read_text()
    assert changelog in [
        CHANGELOG.replace("## [Unreleased]\n", f"## [Unreleased]\n\n## [0.2.0] - {day}\n")
        for day in (before, after)
    ]
    assert release(scratch, "--check-tag", "v0.2.0").stdout == "v0.2.0 is the tag of the sources.\n"
    assert release(scratch, "--notes", "0.2.0").stdout == "### Added\n\n- A thing.\n"
    assert release(scratch, "--notes", "0.1.0").stdout == "- The first.\n"
    assert "no entries under Unreleased" in release(scratch, "0.3.0", code=1).stderr


def test_every_problem_is_named_at_once_and_nothing_is_changed(scratch):
    (scratch / "CHANGELOG.md").write_text(CHANGELOG.replace("- A thing.", ""))
    said = release(scratch, "0.1.0", code=1).stderr
    assert "0.1.0 is not newer than 0.1.0, the last version." in said
    assert "CHANGELOG.md has no entries under Unreleased." in said
    assert "There are uncommitted changes: CHANGELOG.md." in said
    assert "The tag v0.1.0 exists." in said
    assert git(scratch, "rev-list", "--count", "HEAD") == "1"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["v0.2"], "'v0.2' is not a version such as 1.2.3 or 1.2.3rc1."),
        (["0.1.0rc1"], "0.1.0rc1 is not newer than 0.1.0"),
        ([], "Give the version to release"),
        (["--check-tag", "v0.9.0"], "whose version is 0.1.0"),
        (["--notes", "0.9.0"], "CHANGELOG.md has no section for 0.9.0."),
    ],
)
def test_a_mistake_is_a_sentence(scratch, words, sentence):
    assert sentence in release(scratch, *words, code=1).stderr


@pytest.mark.parametrize("version", ["0.1.1", "0.10.0", "1.0.0rc1"])
def test_what_is_newer_can_be_released(scratch, version):
    release(scratch, version, "--dry-run")


def test_the_first_version_is_that_of_the_sources(scratch):
    git(scratch, "tag", "-d", "v0.1.0")
    release(scratch, "0.1.0", "--dry-run")
    assert "0.0.9 is older than 0.1.0" in release(scratch, "0.0.9", code=1).stderr


def test_the_workflow_calls_what_is_there():
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    assert jobs["publish"]["permissions"]["id-token"] == "write"
    assert all(jobs[name]["needs"] in jobs for name in ("try", "publish", "announce"))
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    usage = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True).stdout
    verbs = [command.split()[1] for command in commands if command.startswith("./dev ")]
    assert verbs and all(f"./dev {verb} " in usage for verb in verbs)
    options = re.findall(r"tools/release\.py (--\S+)", text)
    options_help = [sys.executable, ROOT / "tools" / "release.py", "--help"]
    described = subprocess.run(options_help, capture_output=True, text=True).stdout
    assert len(options) == 2 and all(option in described for option in options)

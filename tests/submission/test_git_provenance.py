"""Git's facts: told as they are, without credentials, in a work tree beside the first one too."""

from __future__ import annotations

import subprocess

import pytest

from scriptrun.submission import git_provenance


def git(folder, *words):
    who = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "first"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "remote", "add", "origin", "https://me:secret@example.invalid/a/b.git")
    (folder / "train.py").write_text("")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def test_a_clean_tree(repository):
    facts = git_provenance.GitFacts(repository).properties()
    assert facts["azureml.git.branch"] == "main"
    assert facts["azureml.git.dirty"] == "False"
    assert facts["azureml.git.repository_uri"] == "https://example.invalid/a/b.git"
    assert len(facts["mlflow.source.git.commit"]) == 40


def test_what_is_not_committed_makes_it_dirty(repository):
    (repository / "new.py").write_text("")
    assert git_provenance.GitFacts(repository).properties()["azureml.git.dirty"] == "True"


def test_another_work_tree_has_the_same_address(repository, tmp_path):
    git(repository, "worktree", "add", "-q", str(tmp_path / "second"), "-b", "other")
    facts = git_provenance.GitFacts(tmp_path / "second").properties()
    assert facts["azureml.git.branch"] == "other"
    assert facts["azureml.git.repository_uri"] == "https://example.invalid/a/b.git"


def test_no_repository_no_facts(tmp_path):
    assert git_provenance.GitFacts(tmp_path).properties() == {}

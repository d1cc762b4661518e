"""Every decision about what is left out is compared with git's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scriptrun.spec.errors import SnapshotException
from scriptrun.store.snapshots import snapshots

GIT = shutil.which("git")
needs_git = pytest.mark.skipif(GIT is None, reason="git is not installed")

NAMES = ["a", "b", "ab", "foo", "foo.py", "x.log", "#h", "!n", "a b", "[x]", "a\\b", "ä", ".hid"]


def _git(folder: Path, *words: str) -> bytes:
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "XDG_CONFIG_HOME": str(folder / ".git"),
    }
    return subprocess.run(
        ["git", "-c", "core.quotePath=false", *words],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
    ).stdout


def _kept_by_git(folder: Path) -> set[str]:
    listed = _git(folder, "ls-files", "-z", "--others", "--exclude-standard")
    return {os.fsdecode(name) for name in listed.split(b"\0") if name}


def _lay(folder: Path, files: set[str], ignores: dict[str, str]) -> None:
    for name in files:
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
        except (NotADirectoryError, FileExistsError, IsADirectoryError):
            pass  # another example of the same name is a file here
    for name, text in ignores.items():
        path = folder / name
        if path.parent.is_dir():
            path.write_text(text)


@st.composite
def _patterns(draw) -> str:
    atoms = st.sampled_from(
        [*NAMES, "*", "**", "?", "*.py", "*.log", "f*", "***", "a**", "**b", "[ab]", "[!a]", "[a-f]*",
         "[[:alpha:]]*", "[^x]", "[]a]", "\\a", "\\#h", "\\!n", "\\[x]", "a\\ b", "[", "[a", "b\\", "fo?",
         "f**o", "[a-]", "[b-a]", "[\\]x]", "[[:nope:]]"]
    )  # fmt: skip
    body = "/".join(draw(st.lists(atoms, min_size=1, max_size=3)))
    lead = draw(st.sampled_from(["", "", "", "/", "!", "!/", "#"]))
    tail = draw(st.sampled_from(["", "", "", "/", "/**", " ", "\\ ", "\t", "//"]))
    return lead + body + tail


IGNORE_TEXTS = st.lists(_patterns(), max_size=5).map(lambda lines: "\n".join(lines) + "\n")
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join)
TREES = st.sets(PATHS, min_size=1, max_size=14)
NESTED = st.dictionaries(
    st.sampled_from(["a/.gitignore", "foo/.gitignore", "a/b/.gitignore"]), IGNORE_TEXTS, max_size=2
)


@needs_git
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@example({"foo/a", "foo/b/a"}, "foo/**\n!foo/b\n", {})
@example({"keep/x.log", "a/x.log"}, "*.log\n!keep\n", {})
@example({"a/b/foo.py", "a/foo.py"}, "a/\n!a/b/foo.py\n", {})
@example({"a/foo.py", "a/x.log"}, "*\n!*/\n!*.py\n", {})
@example({"a/x.log", "x.log"}, "*.log\n", {"a/.gitignore": "!x.log\n"})
@example({"b"}, "[b-a]\n", {})
@example({"a\\b", "a b"}, "a\\\\b\na\\ b  \n", {})
@example({"foo", "a"}, "\ufefffoo\r\na\r\n", {})
@given(tree=TREES, text=IGNORE_TEXTS, nested=NESTED)
def test_the_same_files_as_git(tree, text, nested):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "source"
        root.mkdir()
        _git(root, "init", "-q")
        _lay(root, tree, {".gitignore": text, **nested})
        assert set(snapshots.inspect(root).files) == _kept_by_git(root)


@needs_git
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=TREES, text=IGNORE_TEXTS, above=IGNORE_TEXTS)
def test_ignore_files_above_count_up_to_the_repository(tree, text, above):
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder)
        root = repository / "mid" / "source"
        root.mkdir(parents=True)
        _git(repository, "init", "-q")
        (repository / ".gitignore").write_text(above)
        _lay(root, tree, {".gitignore": text})
        (root / "marker").write_text("x")
        prefix = "mid/source/"
        kept = {name[len(prefix) :] for name in _kept_by_git(repository) if name.startswith(prefix)}
        if kept or not _left_out(repository, "mid", "mid/source"):
            assert set(snapshots.inspect(root).files) == kept


def _left_out(repository: Path, *names: str) -> bool:
    asked = subprocess.run(["git", "check-ignore", *names], cwd=repository, capture_output=True)
    return asked.returncode == 0


@needs_git
def test_a_source_that_git_ignores_is_taken_all_the_same(tmp_path):
    _git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("scratch/\n*.py\n")
    source = tmp_path / "scratch" / "job"
    source.mkdir(parents=True)
    (source / "train.py").write_text("x")
    assert set(snapshots.inspect(source).files) == {"train.py"}


def test_amlignore_replaces_gitignore(tmp_path):
    for name in ("a.txt", "b.txt", "sub/c.txt", "sub/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / ".gitignore").write_text("a.txt\n")
    (tmp_path / "sub/.gitignore").write_text("c.txt\n")
    (tmp_path / "sub/.amlignore").write_text("d.txt\n")
    (tmp_path / ".amlignore").write_text("b.txt\n")
    kept = set(snapshots.inspect(tmp_path).files)
    assert {"a.txt", "sub/c.txt"} <= kept
    assert not {"b.txt", "sub/d.txt"} & kept


def test_left_out_by_default_and_brought_back_by_name(tmp_path):
    for name in (".git/x", "__pycache__/x", "node_modules/x", ".scriptrun/x", "env/pyvenv.cfg", "env/bin/x",
                 "conda/conda-meta/x", "train.py"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert set(snapshots.inspect(tmp_path).files) == {"train.py"}
    (tmp_path / ".amlignore").write_text("*\n!*/\n!*.py\n")
    assert set(snapshots.inspect(tmp_path).files) == {"train.py"}, "wildcards bring nothing back"
    (tmp_path / ".amlignore").write_text("!node_modules\n!/env/\n!.scriptrun\n")
    kept = set(snapshots.inspect(tmp_path).files)
    assert kept == {".amlignore", "train.py", "node_modules/x", "env/pyvenv.cfg", "env/bin/x"}
    (tmp_path / ".amlignore").unlink()
    (tmp_path / ".gitignore").write_text("!node_modules\n")
    assert "node_modules/x" not in snapshots.inspect(tmp_path).files


def test_the_source_itself_may_be_an_environment(tmp_path):
    (tmp_path / "pyvenv.cfg").write_text("x")
    (tmp_path / "train.py").write_text("x")
    assert "train.py" in snapshots.inspect(tmp_path).files


def test_why(tmp_path):
    (tmp_path / "sub" / "data").mkdir(parents=True)
    (tmp_path / "sub" / "data" / "x.csv").write_text("x")
    (tmp_path / "sub" / "utils.py").write_text("x")
    (tmp_path / ".gitignore").write_text("# data\n\ndata/\n")
    assert snapshots.why_ignored(tmp_path, "sub/data/x.csv") == "data/ (.gitignore:3)"
    assert snapshots.why_ignored(tmp_path, "sub/utils.py") is None
    assert snapshots.why_ignored(tmp_path, "sub/__pycache__/x.pyc") is None, "it is not there"
    ignored = snapshots.inspect(tmp_path).ignored
    assert {path: str(why) for path, why in ignored.items()} == {
        "sub/data/": "data/ (.gitignore:3)"
    }


def test_a_missing_source_is_a_sentence(tmp_path):
    with pytest.raises(SnapshotException, match="does not exist"):
        snapshots.inspect(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(SnapshotException, match="is not a directory"):
        snapshots.inspect(tmp_path / "file")

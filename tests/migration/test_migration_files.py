"""What files go through: encodings, line ends, links, permissions, and notebooks byte for byte."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.migration.versions import migrated

from scriptrun.cli import migrate
from scriptrun.dropin.notebook import syntax
from scriptrun.migration import batch, candidates, rewrite_file
from scriptrun.migration.code import edits, files, notebooks
from scriptrun.migration.estimators.call import CannotRewrite
from scriptrun.migration.findings import LEFT_ALONE, NEEDS_REVIEW
from scriptrun.testing.jobs import PATIENCE

CALL = "est = Estimator('src', compute_target='c', entry_script='t.py')\n"
OLD = f"from azureml.train.estimator import Estimator\n{CALL}"


KILLED = """
import os, signal, sys
from scriptrun.migration.code import files
def kill(event, words):
    if event == "os.rename" and words[1] == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(kill)
files.write(sys.argv[1], b"old", b"new")
"""


def looked(path, write=True, to="azureml"):
    return batch.look([str(path)], to, lambda module, name: None, lambda done, total: None, write)


@pytest.mark.parametrize(
    "raw",
    [
        OLD.encode(),
        OLD.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + OLD.encode(),
        b"# -*- coding: latin-1 -*-\n# caf\xe9\n" + OLD.encode(),
        ("# 日本\r\nif True:\n\tx = 1\n" + OLD).encode(),
        OLD.rstrip("\n").encode(),
        ("x = '''\n  keep   \n'''\n" + OLD + "\f\n\n# end").encode(),
    ],
)
def test_what_is_not_rewritten_stays_byte_for_byte(tmp_path, raw):
    path = tmp_path / "submit.py"
    path.write_bytes(raw)
    report = looked(path)
    new = path.read_bytes()
    assert new != raw and report.changed
    kept = [line for line in raw.splitlines(keepends=True) if b"stimator" not in line]
    assert all(line in new for line in kept)
    assert new.startswith(raw[:3])
    assert new.count(b"\r\n") >= raw.count(b"\r\n")
    assert (b"\n" in new.replace(b"\r\n", b"")) == (b"\n" in raw.replace(b"\r\n", b""))
    assert not looked(path).changed


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"from azureml.core import Run\nprint 'two'\n", "not valid Python 3"),
        (b"# coding: nothing-like-it\nimport azureml\n", "encoding"),
        (b"import azureml\nx = '\xff'\n", "encoding"),
        (b"import azureml\n\0\n", "not valid Python 3"),
    ],
)
def test_what_does_not_parse_is_told(tmp_path, raw, reason):
    path = tmp_path / "old.py"
    path.write_bytes(raw)
    (finding,) = looked(path).findings
    assert finding.kind == NEEDS_REVIEW and reason in finding.reason
    assert path.read_bytes() == raw


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"cells": 1}', '{"cells": [{}], "azureml": 1}', '{"worksheets": []}']
)
def test_a_broken_notebook_is_told(tmp_path, text):
    path = tmp_path / "old.ipynb"
    path.write_text(
        text + " azureml" if not text.endswith("}") else text.replace("}", ', "a": "azureml"}', 1)
    )
    report = looked(path)
    assert not report.changed and path.exists()


def test_a_file_that_changes_meanwhile_is_left(tmp_path):
    path = tmp_path / "submit.py"
    path.write_text(OLD)
    with pytest.raises(CannotRewrite, match="changed during the rewrite"):
        files.write(str(path), b"what was read", b"new")
    assert path.read_text() == OLD
    assert os.listdir(tmp_path) == ["submit.py"]


def test_permissions_and_links_stay(tmp_path):
    path, link = tmp_path / "submit.py", tmp_path / "link.py"
    path.write_text(OLD)
    path.chmod(0o751)
    link.symlink_to(path)
    looked(link)
    assert link.is_symlink() and "ScriptRunConfig" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o751


@pytest.mark.skipif(hasattr(os, "getuid") and os.getuid() == 0, reason="root may write all files")
def test_a_read_only_file_is_told(tmp_path):
    path = tmp_path / "submit.py"
    path.write_text(OLD)
    path.chmod(0o444)
    (finding,) = looked(path).findings
    assert finding.kind == NEEDS_REVIEW and "writable" in finding.reason
    assert path.read_text() == OLD


def test_loops_of_links_end_and_no_file_comes_twice(tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "x.py").write_text(OLD)
    (inner / "up").symlink_to(tmp_path, target_is_directory=True)
    (inner / "again.py").symlink_to(inner / "x.py")
    (inner / "nowhere.py").symlink_to(tmp_path / "nothing.py")
    for name in (".git", "site-packages"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "y.py").write_text(OLD)
    (tmp_path / ".azureml").mkdir()
    run = tmp_path / ".azureml" / "t.runconfig"
    run.write_text("script: x.py\n")
    found = list(candidates.files([str(tmp_path), str(inner)]))
    assert [os.path.realpath(each) for each in found] == [str(run), str(inner / "x.py")]
    told = rewrite_file.compute_outcome(found[0], "azureml", migrate.alternative)
    assert told is not None and not told.is_changed and told.findings[0].kind == LEFT_ALONE
    assert f"scriptrun import {run}" in told.findings[0].advice


# notebooks


def notebook(*sources: str, indent: int | None = 1, lists: bool = True, plain: bool = False) -> str:
    made = nbformat.v4.new_notebook()
    made.cells = [
        nbformat.v4.new_markdown_cell("# Tïtle azureml"),
        *map(nbformat.v4.new_code_cell, sources),
    ]
    for each in made.cells[1:]:
        each.outputs = [nbformat.v4.new_output("stream", text="ünchanged\n")]
        each.metadata["odd"] = {"b": 1, "a": [1.50, "x"]}
    content = json.loads(nbformat.writes(made))
    for cell, source in zip(content["cells"][1:], sources, strict=True):
        if not lists:
            cell["source"] = source
    return json.dumps(content, indent=indent, ensure_ascii=plain) + ("\n" if indent else "")


CELLS = (
    "%matplotlib inline\nfrom azureml.train.estimator import Estimator",
    "!pip install \\\n  x\nfiles = !ls\nparams = {\n    '--a': 1,  # one\n}",
    "%%bash\nls azureml",
    "est = Estimator('src', compute_target='c', entry_script='ä.py',\n"
    "                script_params=params)\nest?",
)


@pytest.mark.parametrize("indent", [None, 1, 4])
@pytest.mark.parametrize("lists", [True, False])
@pytest.mark.parametrize("plain", [True, False])
def test_a_notebook_keeps_all_but_the_cells_that_change(tmp_path, indent, lists, plain):
    path = tmp_path / "train.ipynb"
    before = notebook(*CELLS, indent=indent, lists=lists, plain=plain)
    path.write_text(before, "utf-8")
    looked(path)
    after = path.read_text("utf-8")
    nbformat.validate(nbformat.reads(after, 4))
    old, new = json.loads(before), json.loads(after)
    texts = ["".join(cell.pop("source")) for cell in new["cells"]]
    for cell in old["cells"]:
        cell.pop("source")
    assert old == new
    assert texts[1] == "%matplotlib inline\nfrom azureml.core import Environment, ScriptRunConfig"
    assert texts[2].endswith("params = [\n    '--a', 1,  # one\n]")
    assert texts[2].startswith("!pip install \\\n  x\nfiles = !ls\n") and texts[3] == CELLS[2]
    assert texts[4].startswith("est = ScriptRunConfig('src'") and texts[4].endswith("\nest?")
    assert after.isascii() == before.isascii()
    pairs = [line for line in before.split("\n") if line in after.split("\n") or "source" in line]
    assert len(pairs) > len(before.split("\n")) - 12
    looked(path)
    assert path.read_text("utf-8") == after


@given(
    st.lists(st.text(max_size=30), min_size=1, max_size=3),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_a_cell_is_put_back_as_it_was_read(sources, indent, lists):
    content = json.dumps(
        {
            "cells": [
                {"cell_type": "code", "source": each.splitlines(keepends=True) if lists else each}
                for each in sources
            ]
        },
        indent=indent,
    )
    found = notebooks.cells(content)
    assert [each.text for each in found] == sources
    assert notebooks.with_cells(content, found, sources) == content
    changed = [each + "\nx = 'é\"'" for each in sources]
    after = notebooks.with_cells(content, found, changed)
    assert [each.text for each in notebooks.cells(after)] == changed


@given(st.text(max_size=60))
def test_a_masked_cell_is_as_long_and_has_the_same_lines(source):
    text, _ = syntax.mask(source)
    assert len(text) == len(source)
    assert edits.Lines(text).starts == edits.Lines(source).starts


def test_overlapping_edits_are_refused():
    with pytest.raises(ValueError, match="overlap"):
        edits.apply("abcdef", [edits.Edit(0, 3, ""), edits.Edit(2, 4, "")])


def test_findings_name_cells_and_lines():
    outcome = migrated(
        notebook("import azureml.core", "x = azureml\nprint 'two'"), "scriptrun", "a.ipynb"
    )
    places = {(each.cell, each.line, each.kind) for each in outcome.findings}
    assert places == {(1, 1, LEFT_ALONE), (2, 1, NEEDS_REVIEW)}
    assert outcome.findings[0].location == "a.ipynb, cell 1, line 1"


@pytest.mark.skipif(os.name != "posix", reason="only on POSIX")
def test_what_a_killed_rewrite_left_is_removed_by_the_next(tmp_path):
    path = tmp_path / "train.py"
    path.write_bytes(b"old")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], timeout=PATIENCE)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old" and len(os.listdir(tmp_path)) == 2
    files.write(str(path), b"old", b"new")
    assert path.read_bytes() == b"new" and os.listdir(tmp_path) == ["train.py"]

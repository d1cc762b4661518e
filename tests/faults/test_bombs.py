"""Files as bombs: each is refused by the command line with exit code 2, the file and the line."""

from __future__ import annotations

import os
import re

import pytest

from scriptrun.cli import dispatch
from scriptrun.migration import rewrite_file
from scriptrun.migration.code.program import Program
from scriptrun.store import document_limits, yaml_file

#: nine levels of ten aliases each: a billion values
LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
DEEP = "a: " + "[" * 50_000
DEEP_JSON = '{"a": ' * 50_000
CODE = {
    "parentheses": "(" * 20_000 + ")" * 20_000,
    "signs": "-" * 20_000 + "1",
    "sums": "+".join(["1"] * 20_000),
    "attributes": "x" + ".a" * 20_000,
    "branches": "if x: pass\n" + "elif x: pass\n" * 20_000,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("")
    return tmp_path


def refused(capsys, *words: str) -> str:
    """What the command says when it refuses."""
    assert dispatch.run(list(words)) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (LAUGHS, "line 6, column"),
        (DEEP, "line 1, column 10[0-9]: it is nested more than 100"),
        (DEEP_JSON, "line 1, column [0-9]+: it is nested more than 100"),
        ("a: &a [*a]", "line 1, column 8"),
        ("#" * (5 << 20), "larger than 4 MiB"),
        ("\n\na: !!int b", "line 3, column 4"),
    ],
    ids=["laughs", "deep", "deep json", "circle", "large", "invalid"],
)
def test_configuration_files(folder, capsys, text, problem):
    for name, words in (
        ("x.runconfig", ["run", "-c", "x", "train.py"]),
        ("x.runconfig", ["import", "x.runconfig"]),
        ("job.yml", ["import", "job.yml"]),
        ("MLproject", ["import", "MLproject"]),
        ("env.yml", ["run", "--conda", "env.yml", "train.py"]),
    ):
        (folder / name).write_text(text)
        said = refused(capsys, *words)
        assert name in said, said
        assert re.search(problem, said), said
        assert len(said) < 1000


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["run", "--conda", "pipe", "train.py"], "it is a pipe or a device"),
        (["run", "--requirements", "pipe", "train.py"], "it is a pipe or a device"),
        (["run", "--requirements", "outer.txt", "train.py"], "it is a pipe or a device"),
        (["run", "--config", "piped", "train.py"], "piped"),
        (["run", "pipe"], "pipe"),
        (["exec", "pipe"], "pipe"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_pipe_is_not_waited_for(folder, capsys, words, problem):
    (folder / "outer.txt").write_text("-r pipe\n")
    for name in ("pipe", "piped.runconfig"):
        os.mkfifo(folder / name)
    assert problem in refused(capsys, *words)


def test_pipes_among_other_files_are_passed_over(folder, capsys):
    (folder / "sub").mkdir()
    for name in ("x.py", "y.ipynb", "z.runconfig", "sub/.gitignore"):
        os.mkfifo(folder / name)
    assert dispatch.run(["migrate", "."]) in (0, 2)
    assert "x.py" in capsys.readouterr().out
    assert dispatch.run(["run", "--plan", "train.py"]) == 0


def test_what_the_shell_made_of_a_command_is_read():
    reader, writer = os.pipe()
    os.write(writer, b"numpy\n")
    os.close(writer)
    try:
        assert document_limits.read_text(f"/dev/fd/{reader}") == "numpy\n"
    finally:
        os.close(reader)


def test_a_workspaces_files(folder):
    path = folder / "x.yaml"
    path.write_text(LAUGHS)
    with pytest.raises(Exception, match=r"x\.yaml, line 7: it has more than 1,000,000 values"):
        yaml_file.read(path)


def test_values_of_options(folder, capsys):
    said = refused(capsys, "run", "--set", f"node_count={'[' * 50_000}", "train.py")
    assert "nested more than 100 levels" in said


@pytest.mark.parametrize("kind", CODE)
def test_programs(folder, capsys, kind):
    """LibCST's parser would end the process."""
    (folder / "deep.py").write_text(f"import azureml.core\n{CODE[kind]}\n")
    said = refused(capsys, "exec", "--check", "deep.py")
    assert "deep.py" in said
    outcome = rewrite_file.compute_outcome("deep.py", "scriptrun", lambda *_: None)
    assert outcome is not None
    assert "nested more than 200 levels" in outcome.findings[0].reason
    assert not outcome.is_changed


def test_programs_up_to_the_limit_are_parsed():
    for text in ("+".join(["1"] * 190), "x" + ".a" * 190, "x" + "[0]" * 190, "x" + "()" * 190):
        assert Program(text).text == text


def test_notebooks(folder, capsys):
    (folder / "x.ipynb").write_text('{"cells": ' + "[" * 50_000)
    said = refused(capsys, "exec", "x.ipynb")
    assert "x.ipynb' is not a Python notebook: line 1, column 1" in said
    assert dispatch.run(["migrate", "x.ipynb"]) in (0, 2)

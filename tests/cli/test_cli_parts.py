"""The parts of the command that need no process of their own."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.cli import commands, completion, dispatch, parsers
from scriptrun.cli.options import default_python, set_field
from scriptrun.cli.options import run as run_options
from scriptrun.cli.terminal import output
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.runs import follow
from scriptrun.runtime import files
from scriptrun.spec.errors import UserErrorException
from scriptrun.submission import check


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_every_command_has_what_the_table_promises(name):
    module = dispatch.load_module(name)
    assert callable(module.run)
    text = dispatch.parser_of(name).format_help()
    assert commands.COMMANDS[name].line in " ".join(text.split())


def test_every_metavar_that_is_completed_is_used():
    used = {
        str(action.metavar)
        for name in commands.COMMANDS
        for action in all_actions(dispatch.parser_of(name))
    }
    assert set(completion._VALUES) <= used


def all_actions(parser):
    yield from parser._actions
    for verb in (completion._subparsers(parser) or {}).values():
        yield from all_actions(verb)


# words


def parsed(*words):
    return dispatch.parser_of("run").parse(list(words))


@given(st.lists(st.text()))
def test_what_follows_the_dashes_is_kept(rest):
    assert parsed("train.py", "--", *rest).rest == rest


def test_options_may_stand_on_both_sides_of_the_script():
    args = parsed("-e", "x", "train.py", "--detach")
    assert (args.experiment, args.script, args.detach, args.rest) == ("x", "train.py", True, None)


def test_options_are_not_abbreviated():
    with pytest.raises(UserErrorException):
        parsed("--det", "train.py")


def test_argparse_errors_are_ours():
    with pytest.raises(UserErrorException) as caught:
        parsed("-e")
    assert "--help" in caught.value.hint
    assert isinstance(dispatch.parser_of("list"), parsers.Parser)


# --set


def set_in(*texts):
    made = RunConfiguration()
    for text in texts:
        set_field.apply(made, text)
    return made


def test_settings_take_names_of_the_api_and_of_files():
    made = set_in("run_config.nodeCount=2", "max_run_duration_seconds=60", "framework=1e3")
    assert (made.node_count, made.max_run_duration_seconds, made.framework) == (2, 60, "1e3")


def test_settings_reach_into_sections_and_dicts():
    made = set_in(
        "environment.python.userManagedDependencies=true",
        "environment.environment_variables.A=b=c",
        'docker.arguments=["--ipc", "host"]',
        "environment.docker.base_image=x:1",
    )
    assert made.environment.python.user_managed_dependencies is True
    assert made.environment.environment_variables["A"] == "b=c"
    assert made.docker.arguments == ["--ipc", "host"]
    assert made.environment.docker.base_image == "x:1"


@given(st.text())
def test_a_text_is_set_as_it_stands(value):
    assert set_in(f"communicator={value}").communicator == value


# where the source is


@pytest.mark.parametrize(
    ("named", "script", "source", "inside"),
    [
        (None, "train.py", ".", "train.py"),
        (None, "./train.py", ".", "train.py"),
        (None, "src/go.py", ".", "src/go.py"),
        (None, "{here}/src/go.py", ".", "src/go.py"),
        (None, "../other/x.py", "../other", "x.py"),
        (None, "../other/missing.py", ".", "../other/missing.py"),
        ("src", "go.py", "src", "go.py"),
        ("src", "src/go.py", "src", "go.py"),
        ("src", "train.py", "src", "../train.py"),
        (None, None, ".", None),
    ],
)
def test_source_of(tmp_path, monkeypatch, named, script, source, inside):
    here = tmp_path / "here"
    for path in (here / "train.py", here / "src" / "go.py", tmp_path / "other" / "x.py"):
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("")
    monkeypatch.chdir(here)
    script = script and script.format(here=here)
    assert run_options.split_source(named, script) == (source, inside)


@given(st.text(min_size=1).filter(lambda name: "/" not in name and "\0" not in name))
def test_any_directory_gives_a_name_that_an_experiment_can_have(name):

    assert check.experiment_problems(run_options.experiment_name(f"/x/{name}")) == []


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("größe", "grosse"),
        ("Café à la carte", "Cafe-a-la-carte"),
        ("日本語", "default"),
        ("a b", "a-b"),
    ],
)
def test_a_directory_in_another_script_keeps_what_it_can(folder, name):
    assert run_options.experiment_name(f"/x/{folder}") == name


# which Python


def python_at(folder: Path) -> Path:
    path = folder / "bin" / "python"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    path.chmod(0o755)
    return path


def test_the_order_of_pythons(tmp_path, monkeypatch):
    root = tmp_path / "root"
    source = root / "src"
    source.mkdir(parents=True)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    on_path = python_at(tmp_path / "path")
    monkeypatch.setenv("PATH", str(on_path.parent))
    assert default_python.choose(source, root)[0] == str(on_path)
    python_at(tmp_path / ".venv")  # above the workspace: not ours
    assert default_python.choose(source, root)[0] == str(on_path)
    above = python_at(root / ".venv")
    assert default_python.choose(source, root)[0] == str(above)
    beside = python_at(source / ".venv")
    assert default_python.choose(source, root)[0] == str(beside)
    conda = python_at(tmp_path / "conda")
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path / "conda"))
    assert default_python.choose(source, root)[0] == str(conda)
    active = python_at(tmp_path / "active")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "active"))
    assert default_python.choose(source, root) == (str(active), [])


def test_the_tools_own_python_is_passed_over(tmp_path, monkeypatch):
    if sys.prefix == sys.base_prefix:
        pytest.skip("only in a virtual environment is a Python the tool's own")
    for name in ("CONDA_PREFIX", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(Path(sys.prefix, "bin")))
    python, warnings = default_python.choose(tmp_path, tmp_path)
    assert not python.startswith(sys.prefix)
    assert "no Python found on PATH" in warnings[0]
    link = tmp_path / "bin" / "python"
    link.parent.mkdir()
    link.symlink_to(Path(sys.prefix, "bin", "python"))
    monkeypatch.setenv("PATH", str(link.parent))
    assert default_python.choose(tmp_path, tmp_path)[0] == python


# what is printed


@given(st.integers(0, 10**15))
def test_sizes_are_short(count):
    number, unit = output.size(count).split()
    assert unit in ("B", "kB", "MB", "GB")
    assert unit == "GB" or float(number) <= 1000


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.0, "0.0 s"),
        (0.04, "0.04 s"),
        (59.9, "59.9 s"),
        (60, "1 min 0 s"),
        (3720, "1 h 2 min"),
        (180000, "2 d 2 h"),
    ],
)
def test_durations(seconds, text):
    assert output.duration(seconds) == text


def test_tables_align_wide_characters_and_keep_to_one_line(capsys):
    output.print_table(("A", "B"), [("日本", "x"), ("a\nb\x1b[31m", "y")])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "\x1b" not in "".join(lines)
    assert output.width(lines[1].partition("x")[0]) == output.width(lines[2].partition("y")[0])


class Wide(io.StringIO):
    def isatty(self):
        return True


@given(
    st.lists(st.tuples(st.text(max_size=60), st.just("Completed"), st.text(max_size=60))),
    st.integers(40, 120),
)
def test_tables_fit_the_terminal(rows, columns):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        patch.setenv("NO_COLOR", "1")
        patch.setattr(sys, "stdout", Wide())
        output.print_table(("NAME", "STATE", "REASON"), rows, ("NAME", "REASON"))
        lines = sys.stdout.getvalue().split("\n")
    assert len(lines) == len(rows) + 2
    assert max(map(output.width, lines)) <= columns
    assert all("Completed" in line for line in lines[1:-1])


def test_json_without_what_json_lacks(capsys):
    import json

    output.print_json(
        {"a": float("nan"), "b": [float("-inf"), 1.5, {"c": float("inf")}], 3: Path("x")}
    )
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    numbers = {"a": "NaN", "b": ["-Infinity", 1.5, {"c": "Infinity"}], "3": "x"}
    assert found == {"schema": 1, **numbers}


# the last lines


@given(
    st.lists(st.sampled_from([b"a", b"\n", b"bb\n", b"\n\n", b"x" * 70000]), max_size=12),
    st.integers(0, 6),
)
def test_the_last_lines(parts, count):
    content = b"".join(parts)
    handle = io.BytesIO(content)
    follow._seek_lines(handle, count)
    lines = content.split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    assert handle.read() == b"".join(lines[len(lines) - count :] if count < len(lines) else lines)


# no workspace is made by looking


def test_looking_makes_nothing(tmp_path, monkeypatch):
    from scriptrun.cli import workspace_here

    monkeypatch.chdir(tmp_path)
    found = workspace_here.current()
    assert not workspace_here.exists(found)
    assert found.root == Path(os.path.abspath(tmp_path))
    assert list(found.compute_targets) == ["local"]
    assert list(tmp_path.iterdir()) == []
    made = workspace_here.create_if_missing(found)
    assert made.name == found.name
    assert workspace_here.current().id == made.id


# pyenv's shims


def test_the_interpreter_behind_a_shim(tmp_path, monkeypatch):
    from scriptrun.cli.options import pyenv_shims

    monkeypatch.delenv("PYENV_VERSION", raising=False)
    root, source = tmp_path / "pyenv", tmp_path / "a" / "b"
    source.mkdir(parents=True)
    shim = python_at(root / "x").rename(root / "python")
    (root / "shims").mkdir()
    shim = shim.rename(root / "shims" / "python")
    old, new = python_at(root / "versions" / "3.9.1"), python_at(root / "versions" / "3.12.2")
    assert pyenv_shims.resolve(str(shim), source) is None
    (root / "version").write_text("# mine\nmissing:3.9.1\n")
    assert pyenv_shims.resolve(str(shim), source) == str(old)
    (tmp_path / "a" / ".python-version").write_text("3.12.2\n")
    assert pyenv_shims.resolve(str(shim), source) == str(new)
    monkeypatch.setenv("PYENV_VERSION", "3.9.1")
    assert pyenv_shims.resolve(str(shim), source) == str(old)
    monkeypatch.setenv("PYENV_VERSION", "system")
    assert pyenv_shims.resolve(str(shim), source) is None
    assert pyenv_shims.resolve(str(old), source) == str(old)


@pytest.mark.parametrize("version", ["{evil}", "../../evil", "..", ".", "3.9.1/../../../evil"])
def test_a_version_of_pyenv_is_the_name_of_a_folder(tmp_path, monkeypatch, version):
    from scriptrun.cli.options import pyenv_shims

    monkeypatch.delenv("PYENV_VERSION", raising=False)
    shim = python_at(tmp_path / "pyenv" / "x")
    shim = shim.replace(tmp_path / "pyenv" / "python")
    (tmp_path / "pyenv" / "shims").mkdir()
    shim = shim.replace(tmp_path / "pyenv" / "shims" / "python")
    (tmp_path / "pyenv" / "versions" / "3.9.1").mkdir(parents=True)
    for folder in ("evil", "pyenv", "pyenv/versions"):
        python_at(tmp_path / folder)
    (tmp_path / ".python-version").write_text(version.format(evil=tmp_path / "evil"))
    assert pyenv_shims.resolve(str(shim), tmp_path) is None


def test_another_users_files_above_do_not_choose_the_python(tmp_path, monkeypatch):
    from scriptrun.cli.options import pyenv_shims

    if os.geteuid() != 0:
        pytest.skip("only as root are files of others made")
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "PYENV_VERSION"):
        monkeypatch.delenv(name, raising=False)
    source = tmp_path / "mine"
    source.mkdir()
    theirs, on_path = python_at(tmp_path / ".venv"), python_at(tmp_path / "path")
    monkeypatch.setenv("PATH", str(on_path.parent))
    assert default_python.choose(source, tmp_path)[0] == str(theirs)
    os.chown(tmp_path / ".venv", 61234, -1)
    assert default_python.choose(source, tmp_path)[0] == str(on_path)

    versions = tmp_path / "pyenv" / "versions"
    python_at(versions / "3.9.1")
    shim = python_at(tmp_path / "pyenv" / "x").replace(tmp_path / "pyenv" / "python")
    (tmp_path / "pyenv" / "shims").mkdir()
    shim = shim.replace(tmp_path / "pyenv" / "shims" / "python")
    (tmp_path / ".python-version").write_text("3.9.1")
    assert pyenv_shims.resolve(str(shim), source) is not None
    os.chown(tmp_path / ".python-version", 61234, -1)
    assert pyenv_shims.resolve(str(shim), source) is None
    os.unlink(tmp_path / ".python-version")
    os.mkfifo(source / ".python-version")  # is not waited for
    assert pyenv_shims.resolve(str(shim), source) is None


def test_no_fsync_stands_before_the_command(capsys, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_FSYNC", "1")  # put back afterwards
    assert dispatch.run(["--no-fsync", "--version"]) == 0
    assert capsys.readouterr().out.startswith("scriptrun ")
    assert not files.must_sync()
    assert dispatch.run(["version", "--no-fsync"]) == 2
    assert "--no-fsync" in capsys.readouterr().err

"""The settings in effect: which files and variables are read, whose they are, and which counts."""

from __future__ import annotations

import os

import pytest

from scriptrun.registry import compute_targets, trust
from scriptrun.registry.settings import files, keys, reader
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.errors import ScriptrunError

#: a user that no machine has
OTHER = 61234
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only as root are files of others made")


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def user_writes(text):
    path = files.user_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def values(start, workspace=None):
    return {key: each.value for key, each in reader.read(start, workspace).found.items()}


def refused(start):
    with pytest.raises(ScriptrunError) as caught:
        reader.read(start)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_nothing_is_set_without_files(project):
    assert reader.read(project) == reader.Settings()


def test_a_project_wins_over_the_user_and_a_variable_over_both(project, monkeypatch):
    user_writes('compute = "mine"\nexperiment = "mine"\npins = "relax"\n')
    (project / "scriptrun.toml").write_text('compute = "ours"\nexperiment = "ours"\n')
    monkeypatch.setenv("SCRIPTRUN_EXPERIMENT", "now")
    found = reader.read(project).found
    assert {key: (each.value, each.level) for key, each in found.items()} == {
        "compute": ("ours", "project"),
        "experiment": ("now", "variable"),
        "pins": ("relax", "user"),
    }
    assert found["compute"].origin == f"{project}/scriptrun.toml:1"
    assert found["pins"].origin == f"{files.user_path()}:3"
    assert found["experiment"].origin == "SCRIPTRUN_EXPERIMENT"


def test_the_workspaces_default_target_stands_between(project, monkeypatch):
    (project / "scriptrun.toml").write_text('compute = "ours"\n')
    workspace = WorkspaceFiles.create("here", path=project)
    assert values(project, workspace) == {"compute": "ours"}
    compute_targets.put(workspace, compute_targets.resolve(workspace, "local").replace(name="one"))
    compute_targets.set_default(workspace, "one")
    assert values(project, workspace) == {"compute": "one"}
    monkeypatch.setenv("SCRIPTRUN_COMPUTE", "two")
    assert values(project, workspace) == {"compute": "two"}
    monkeypatch.delenv("SCRIPTRUN_COMPUTE")
    compute_targets.set_default(workspace, "local")
    assert values(project, workspace) == {"compute": "ours"}


def test_only_one_environment_counts(project):
    user_writes('environment = "mine"\n')
    assert values(project) == {"environment": "mine"}
    (project / "scriptrun.toml").write_text('requirements = "r.txt"\n')
    assert values(project) == {"requirements": f"{project}/r.txt"}


def test_an_empty_value_hides_that_of_a_lower_level(project):
    user_writes('environment = "mine"\nnotify = ["true"]\ncompute = "far"\n')
    (project / "scriptrun.toml").write_text('environment = ""\nnotify = []\ncompute = ""\n')
    assert values(project) == {}


def test_tables_are_merged_by_name(project):
    user_writes('[tags]\nteam = "vision"\nowner = "me"\n')
    (project / "scriptrun.toml").write_text('tags = { team = "speech", bare = "" }\n')
    assert values(project) == {"tags.team": "speech", "tags.bare": "", "tags.owner": "me"}


@pytest.mark.parametrize(
    "text",
    [
        '[tool.scriptrun]\ncompute = "x"\n',
        'tool.scriptrun.compute = "x"\n',
        '[tool]\nscriptrun = { compute = "x" }\n',
        '[tool.scriptrun.tags]\n[tool . "scriptrun"]\ncompute = "x"\n',
    ],
)
def test_every_spelling_of_a_table_in_pyproject(project, text):
    (project / "pyproject.toml").write_text(text)
    assert values(project) == {"compute": "x"}


def test_the_nearest_file_up_to_the_git_root(project):
    inner = project / "src" / "deep"
    inner.mkdir(parents=True)
    (project.parent / "scriptrun.toml").write_text('compute = "beyond"\n')
    assert values(inner) == {}
    (project / "pyproject.toml").write_text('[tool.scriptrun]\ncompute = "root"\n')
    (project / "src" / "pyproject.toml").write_text('[project]\nname = "scriptrun-user"\n')
    assert values(inner) == {"compute": "root"}
    (project / "src" / "scriptrun.toml").write_text('experiment = "nearer"\n')
    assert values(inner) == {"experiment": "nearer"}


def test_without_git_up_to_the_workspace_else_to_here(tmp_path, monkeypatch):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "scriptrun.toml").write_text('compute = "top"\n')
    monkeypatch.chdir(inner)
    assert values(inner) == {}
    monkeypatch.chdir(tmp_path)
    assert values(inner) == {"compute": "top"}
    monkeypatch.chdir(inner)
    workspace = WorkspaceFiles.create("w", path=tmp_path)
    assert values(inner, workspace) == {"compute": "top"}


def test_of_two_files_in_a_folder_one_counts_and_the_other_is_named(project):
    (project / "scriptrun.toml").write_text('compute = "a"\n')
    (project / "pyproject.toml").write_text('[tool.scriptrun]\ncompute = "b"\n')
    settings = reader.read(project)
    assert settings.found["compute"].value == "a"
    (warning,) = settings.warnings
    assert "pyproject.toml" in warning


def test_no_file_is_read_if_a_variable_says_so(project, monkeypatch):
    user_writes("broken")
    (project / "scriptrun.toml").write_text("broken")
    monkeypatch.setenv("SCRIPTRUN_NO_CONFIG", "1")
    monkeypatch.setenv("SCRIPTRUN_COMPUTE", "gpu")
    assert values(project) == {"compute": "gpu"}


def test_all_problems_are_reported_at_once_with_their_lines(project, monkeypatch):
    user_writes('pins = "loose"\nrequirements = "r.txt"\n')
    (project / "scriptrun.toml").write_text(
        'Compute = "x"\nexperiment = 5\n\n[tags]\nteam = true\n[inputs]\n"" = "x"\n'
    )
    monkeypatch.setenv("SCRIPTRUN_NOTIFY", "echo {sate}")
    message = refused(project)
    for part in (
        "SCRIPTRUN_NOTIFY: unknown placeholder {sate}",
        "scriptrun.toml:1: unknown setting 'Compute'; did you mean 'compute'?",
        "scriptrun.toml:2: experiment: expected a string, not an integer (5)",
        "scriptrun.toml:2: experiment: expected a string",
        "scriptrun.toml:4: tags: expected a string for 'team', not a boolean (true)",
        "scriptrun.toml:6: inputs: must not have an empty name",
        "config.toml:1: pins: invalid value 'loose'",
        "config.toml:2: requirements: 'r.txt' is a relative path",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('experiment = "a b"', "invalid experiment name 'a b'"),
        ('tags = { "a=b" = "c" }', "invalid name or value: 'a=b'"),
        ('notify = [""]', "its first string must name a program"),
        ('notify = "echo hi"', "expected a list of strings"),
        ('compute = "\\u0000"', "must not contain a NUL character"),
        ("compute = 2026-01-01", "expected a string, not a date or time (2026-01-01)"),
    ],
)
def test_invalid_values(project, text, part):
    (project / "scriptrun.toml").write_text(text + "\n")
    assert f"scriptrun.toml:1: {text.partition(' ')[0]}: {part}" in refused(project)


def test_two_environments_in_one_file_are_refused(project):
    (project / "scriptrun.toml").write_text('environment = "a"\nconda = "b.yml"\n')
    assert "scriptrun.toml:2: environment and conda cannot be used together" in refused(project)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"compute = local\n", "scriptrun.toml:1: invalid TOML"),
        (b'\n\ncompute = "a"\ncompute = "b"\n', "invalid TOML"),
        (b'a = "', "scriptrun.toml:1: invalid TOML"),
        (b"\xff\xfe\xff", "it is not UTF-8 text"),
        (b"\x80abc", "it is not UTF-8 text"),
        (b"a = " + b"[" * 10_000, "nested"),
        (b"a = [" + b"1," * 200_000 + b"]", "100,000 values"),
        (b"#" + b"x" * (5 << 20), "larger than 4 MiB"),
        (b"\0", "invalid TOML"),
    ],
)
def test_damaged_files_are_refused_by_name(project, content, part):
    (project / "scriptrun.toml").write_bytes(content)
    message = refused(project)
    assert part in message and "scriptrun.toml" in message


def test_a_byte_order_mark_and_windows_line_ends(project):
    (project / "scriptrun.toml").write_bytes(b'\xef\xbb\xbfcompute = "a"\r\npins = "relax"\r\n')
    found = reader.read(project).found
    assert found["compute"].value == "a" and found["pins"].origin.endswith(":2")


def test_an_empty_file_sets_nothing(project):
    (project / "scriptrun.toml").write_text("")
    user_writes("# nothing\n")
    assert values(project) == {}


def test_what_is_no_file(project):
    (project / "scriptrun.toml").mkdir()
    assert "it is a directory" in refused(project)
    (project / "scriptrun.toml").rmdir()
    os.mkfifo(project / "scriptrun.toml")
    assert "it is a pipe or a device" in refused(project)
    os.unlink(project / "scriptrun.toml")
    (project / "scriptrun.toml").symlink_to("gone.toml")
    assert "'gone.toml', which does not exist" in refused(project)


def test_another_tools_part_of_pyproject_is_not_ours_to_refuse(project):
    for content in ("[broken\nscriptrun", "\0scriptrun", "[tool.uv]\nscriptrun = \n"):
        (project / "pyproject.toml").write_text(content)
        assert values(project) == {}
    (project / "pyproject.toml").write_text("[tool.scriptrun]\ncompute = \n")
    assert "pyproject.toml:2: invalid TOML" in refused(project)


def test_a_table_that_is_none(project):
    (project / "pyproject.toml").write_text("[tool]\nscriptrun = 5\n")
    assert "tool.scriptrun must be a table, not an integer (5)" in refused(project)


def test_a_link_to_a_file_is_followed(project, tmp_path):
    (tmp_path / "real.toml").write_text('compute = "a"\nrequirements = "r.txt"\n')
    (project / "scriptrun.toml").symlink_to(tmp_path / "real.toml")
    assert values(project) == {"compute": "a", "requirements": f"{project}/r.txt"}


def test_a_pixi_project_may_name_an_environment(project):
    (project / "scriptrun.toml").write_text('pixi-project = ".:train"\n')
    assert values(project) == {"pixi-project": f"{project}:train"}


def test_paths_are_relative_to_the_projects_file_or_to_home(project, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    user_writes('conda = "~/e.yml"\n')
    assert values(project) == {"conda": "/home/me/e.yml"}
    (project / "scriptrun.toml").write_text(
        '[inputs]\na = "./d"\nb = "sub/d"\nc = "set"\nd = "s:p/q"\n'
    )
    found = values(project)
    assert (found["inputs.a"], found["inputs.b"]) == (f"{project}/d", f"{project}/sub/d")
    assert (found["inputs.c"], found["inputs.d"]) == ("set", "s:p/q")


#: what an untrusted project may not set
RESTRICTED = 'notify = ["true"]\npython = "bin/python"\n[inputs]\na = "https://x/y"\nb = "../../x"\nc = "~/.ssh"\nd = "/etc"\n'


def test_an_untrusted_project_executes_sends_and_reads_nothing(project):
    (project / "scriptrun.toml").write_text(RESTRICTED + 'e = "./data"\n')
    settings = reader.read(project)
    assert list(settings.found) == ["inputs.e"]
    assert len(settings.warnings) == 6
    assert all(f"scriptrun trust {project}" in warning for warning in settings.warnings)
    trust.trust(project)
    settings = reader.read(project)
    assert len(settings.found) == 7 and not settings.warnings


def test_an_input_that_leaves_the_project_through_a_link(project):
    (project / "data").symlink_to("/etc")
    (project / "scriptrun.toml").write_text('[inputs]\na = "./data"\n')
    assert not values(project)


def test_the_user_may_set_everything(project):
    user_writes(RESTRICTED.replace('"bin/python"', '"/bin/python"'))
    assert len(values(project)) == 6


@as_root
@pytest.mark.parametrize("name", ["scriptrun.toml", "pyproject.toml"])
def test_a_projects_file_of_another_user_is_ignored_until_trusted(project, name):
    path = project / name
    table = "[tool.scriptrun]\n" if name.startswith("py") else ""
    path.write_text(f'{table}compute = "theirs"\n')
    os.chown(path, OTHER, -1)
    settings = reader.read(project)
    assert not settings.found
    assert f"{path} belongs to the user with ID {OTHER}" in settings.warnings[0]
    path.write_text("broken")
    assert not reader.read(project).found
    path.write_text(f'{table}compute = "theirs"\n')
    trust.trust(project)
    assert values(project) == {"compute": "theirs"}


@as_root
def test_a_link_of_another_user_is_ignored_too(project, tmp_path):
    (tmp_path / "real.toml").write_text('compute = "a"\n')
    (project / "scriptrun.toml").symlink_to(tmp_path / "real.toml")
    os.chown(project / "scriptrun.toml", OTHER, -1, follow_symlinks=False)
    assert not values(project)


def test_a_file_that_everyone_can_write(project):
    (project / "scriptrun.toml").write_text('compute = "a"\n')
    (project / "scriptrun.toml").chmod(0o666)
    assert not values(project)
    (project / "scriptrun.toml").chmod(0o644)
    user_writes('pins = "relax"\n').chmod(0o666)
    assert "can be written by everyone on this machine" in refused(project)


@as_root
def test_a_users_file_of_another_user_is_refused(project):
    os.chown(user_writes('compute = "a"\n'), OTHER, -1)
    assert f"belongs to the user with ID {OTHER}" in refused(project)


def test_a_source_that_is_no_folder_has_no_project(project):
    (project / "scriptrun.toml").write_text("broken")
    assert values(project / "missing") == {}


def test_every_variable_is_read(project, monkeypatch):
    texts = {"pins": "relax", "notify": "a 'b c'"}
    for setting in keys.SETTINGS.values():
        if setting.variable:
            monkeypatch.setenv(setting.variable, texts.get(setting.key, "x"))
    found = reader.read(project).found
    assert found.keys() == {s.key for s in keys.SETTINGS.values() if s.variable}
    assert found["notify"].value == ["a", "b c"]
    monkeypatch.setenv("SCRIPTRUN_PINS", "auto")  # for old code
    assert "pins" not in reader.read(project).found

"""Settings files are changed by program, and stay those of their authors."""

from __future__ import annotations

import pytest

from scriptrun.registry import trust
from scriptrun.registry.settings import files, reader, writer
from scriptrun.registry.settings.files import PROJECT, USER
from scriptrun.spec.errors import ScriptrunError

COMMENTED = """# mine
[project]
name = "x"  # a name

[tool.ruff]
line-length = 100

[tool.scriptrun]  # defaults
compute = "a"  # here
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_comments_and_other_tables_stay(project):
    path = project / "pyproject.toml"
    path.write_text(COMMENTED)
    writer.put(path, PROJECT, "compute", "b")
    writer.put(path, PROJECT, "tags.team", "vision")
    text = path.read_text()
    assert text.startswith(COMMENTED.replace('"a"', '"b"'))
    found = reader.read(project).found
    assert (found["compute"].value, found["tags.team"].value) == ("b", "vision")
    assert writer.remove(path, PROJECT, "tags.team")
    assert not writer.remove(path, PROJECT, "tags.owner")
    assert writer.remove(path, PROJECT, "compute")
    assert not reader.read(project).found and "# mine" in path.read_text()


def test_a_table_is_made_in_a_pyproject_without_one(project):
    path = project / "pyproject.toml"
    for text in ("", '[project]\nname = "x"\n', "[tool.ruff]\nline-length = 100\n"):
        path.write_text(text)
        writer.put(path, PROJECT, "experiment", "digits")
        assert path.read_text().startswith(text)
        assert reader.read(project).found["experiment"].value == "digits"


def test_a_table_is_made_in_an_inline_table(project):
    path = project / "pyproject.toml"
    path.write_text('tool = {scriptrun = {compute = "a"}}\n')
    writer.put(path, PROJECT, "tags.team", "vision")
    assert path.read_text().startswith("tool = {scriptrun = {")
    assert reader.read(project).found["tags.team"].value == "vision"


def test_an_unclosed_quotation_mark_is_named():
    setting, name = writer.setting_of("notify")
    with pytest.raises(ScriptrunError, match="unclosed quotation mark") as caught:
        writer.value_of(setting, name, ["notify-send 'done"])
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("level", [PROJECT, USER])
def test_a_file_that_others_can_write_is_not_made_the_users_own(project, level):
    path = files.user_path() if level == USER else project / "scriptrun.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('experiment = "theirs"\n')
    path.chmod(0o666)
    for change in (
        lambda: writer.put(path, level, "compute", "local"),
        lambda: writer.remove(path, level, "experiment"),
    ):
        with pytest.raises(ScriptrunError, match="can be written by everyone"):
            change()
    assert path.read_text() == 'experiment = "theirs"\n'
    if level == PROJECT:
        trust.trust(project)
        writer.put(path, level, "compute", "local")
        assert reader.read(project).found["compute"].value == "local"


def test_the_users_file_is_made_for_the_user_alone(project):
    path = files.user_path()
    writer.put(path, USER, "notify", ["echo", "{state}"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert reader.read(project).notify == ["echo", "{state}"]
    path.chmod(0o640)
    writer.put(path, USER, "compute", "x")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(project):
    path, real = project / "scriptrun.toml", project / "real.toml"
    real.write_text("# real\n")
    path.symlink_to("real.toml")
    writer.put(path, PROJECT, "compute", "x")
    assert path.is_symlink() and real.read_text().startswith("# real\n")


def test_where_a_project_is_written(project):
    inner = project / "src"
    inner.mkdir()
    assert writer.project_path(inner, None) == project / "scriptrun.toml"
    (project / "pyproject.toml").write_text("")
    assert writer.project_path(inner, None) == project / "pyproject.toml"
    (inner / "scriptrun.toml").write_text("")
    assert writer.project_path(inner, None) == inner / "scriptrun.toml"


def test_an_invalid_file_is_not_changed(project):
    path = project / "scriptrun.toml"
    for text, part in (
        ("compute = \n", "scriptrun.toml:1: invalid TOML"),
        ("computee = 'x'\n", "scriptrun.toml:1: unknown setting 'computee'"),
        ("tags = 5\n", "tags must be a table"),
    ):
        path.write_text(text)
        with pytest.raises(ScriptrunError) as caught:
            writer.put(path, PROJECT, "tags.team", "x")
        assert part in str(caught.value) and path.read_text() == text


@pytest.mark.parametrize(
    ("key", "words", "part"),
    [
        ("computee", ["x"], "Did you mean 'compute'?"),
        ("compute.x", ["x"], "'compute.x' is not a setting"),
        ("tags.", ["x"], "'tags.' is not a setting"),
        ("tags", ["x"], "'tags' is a table"),
        ("pins", ["loose"], "invalid value 'loose'"),
        ("compute", ["a", "b"], "'compute' has one value, not 2"),
        ("notify", ["echo {sate}"], "unknown placeholder {sate}"),
    ],
)
def test_what_cannot_be_set(key, words, part):
    with pytest.raises(ScriptrunError) as caught:
        writer.value_of(*writer.setting_of(key), words)
    assert part in str(caught.value)


def test_a_command_is_one_text_or_words():
    setting, _ = writer.setting_of("notify")
    assert writer.value_of(setting, "", ["echo 'a b'"]) == ["echo", "a b"]
    assert writer.value_of(setting, "", ["echo", "a b"]) == ["echo", "a b"]

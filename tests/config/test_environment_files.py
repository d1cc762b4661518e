"""Environments in files: comments, headers, logins, a team's folder, conda's, and saved ones."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scriptrun import CondaDependencies, Environment, RunConfiguration
from scriptrun.config import runconfig_file
from scriptrun.config.environments import (
    conda_comments,
    conda_export,
    files,
    index_logins,
    pixi_project,
    script_header,
    team,
)
from scriptrun.spec.errors import (
    EnvironmentException,
    RunConfigurationException,
    UserErrorException,
)
from scriptrun.store.secrets import vault

WORDS = st.text("ab #'\"-:é", min_size=1, max_size=6)


@st.composite
def _conda_files(draw) -> str:
    """A conda file as people write them, with comments anywhere."""
    note = st.sampled_from(["", "", "  # why", " # 'quoted", "  #"])
    before = st.sampled_from(["", "", "# about it\n", "  # deeper\n", "\n"])
    lines = [
        draw(before),
        "name: x",
        draw(note),
        "\n",
        draw(before),
        "dependencies:",
        draw(note),
        "\n",
    ]
    for package in draw(
        st.lists(st.sampled_from(["a=1", "b", "c::d=2", "'e>=3'"]), max_size=4, unique=True)
    ):
        lines += [draw(before), f"- {package}", draw(note), "\n"]
    pip = draw(
        st.lists(
            st.sampled_from(["f==1", "g[h]", "-r i.txt", "j @ file:///k#l"]),
            max_size=3,
            unique=True,
        )
    )
    if pip:
        lines += ["- pip:", draw(note), "\n"]
        for package in pip:
            lines += [draw(before), f"  - {package}", draw(note), "\n"]
    return "".join([*lines, draw(before)])  # fmt: skip


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(source=_conda_files(), other=_conda_files())
def test_comments_never_change_what_is_read(source, other):
    text = yaml.safe_dump(yaml.safe_load(other), sort_keys=False)
    assert yaml.safe_load(conda_comments.with_comments(source, text)) == yaml.safe_load(text)


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(source=_conda_files())
def test_every_comment_comes_along_where_its_line_is_still_there(source):
    text = "".join(f"{line}\n" for line in source.splitlines() if line.split("#")[0].strip())
    plain = yaml.safe_dump(yaml.safe_load(text), sort_keys=False)
    made = conda_comments.with_comments(source, plain)
    assert made.count("# why") == source.count("# why")
    assert made.count("# about it") == source.count("# about it")


@pytest.mark.parametrize(
    ("source", "text", "made"),
    [
        ("", "a: 1\n", "a: 1\n"),
        ("# all\n", "a: 1\n", "a: 1\n# all\n"),
        ("---\n# top\nname: x\n", "name: y\n", "# top\nname: y\n"),
        ("dependencies:\n- numpy=1  # n\n", "dependencies:\n- numpy=2\n", "dependencies:\n- numpy=2  # n\n"),
        ("dependencies:\n- numpy=1  # n\n", "dependencies:\n- scipy\n", "dependencies:\n- scipy\n"),
        (
            "dependencies:\n- a  # conda's\n- pip:\n  - a  # pip's\n",
            "dependencies:\n- pip:\n  - a\n- a\n",
            "dependencies:\n- pip:\n  - a  # pip's\n- a  # conda's\n",
        ),
        ("dependencies:\n- conda-forge::a=1 # c\n", "dependencies:\n- a=2\n", "dependencies:\n- a=2  # c\n"),
        ("name: 'a # b'\n", "name: c\n", "name: c\n"),
    ],
)  # fmt: skip
def test_a_comment_belongs_to_its_package(source, text, made):
    assert conda_comments.with_comments(source, text) == made


@pytest.fixture
def offered(tmp_path, monkeypatch):
    """What this process knows of secrets: nothing, in a folder of its own."""
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    known: dict = {}
    monkeypatch.setattr(vault, "_offered", known)
    return known


@pytest.mark.parametrize(
    ("line", "made", "values"),
    [
        (
            "--extra-index-url https://u:tok@h.org/simple",
            "--extra-index-url https://u:${secret:login-u-h.org}@h.org/simple",
            {"login-u-h.org": "tok"},
        ),
        ("-i http://tok@h:80/", "-i http://${secret:login-h:80}@h:80/", {"login-h:80": "tok"}),
        (
            "p @ git+https://u:a%2Fb@h/r.git",
            "p @ git+https://u:${secret:login-u-h}@h/r.git",
            {"login-u-h": "a/b"},
        ),
        ("git+https://git@github.com/x/y", "git+https://git@github.com/x/y", {}),
        ("-i https://u:${secret:mine}@h/", "-i https://u:${secret:mine}@h/", {}),
        ("-i https://${TOKEN}@h/", "-i https://${TOKEN}@h/", {}),
        ("-i https://h/a@b", "-i https://h/a@b", {}),
        ("numpy==1.0", "numpy==1.0", {}),
        ("p @ git+ssh://git@h/r", "p @ git+ssh://git@h/r", {}),
    ],
)
def test_passwords_in_addresses_become_secrets(offered, line, made, values):
    lines, found = index_logins.replace_passwords([line])
    assert (lines, found) == ([made], values)
    assert offered == values
    assert index_logins.replace_passwords(lines) == (lines, {}), "what was parted once stays so"
    assert len(index_logins.notes(values)) == len(values)
    assert all(
        value not in note for note in index_logins.notes(values) for value in values.values()
    )


def test_a_conda_file_without_its_passwords_is_otherwise_the_same(offered):
    content = {
        "name": "x",
        "dependencies": ["python=3.8", {"pip": ["-i https://u:tok@h/", "six"]}],
        "channels": ["c"],
    }
    made = index_logins.without_passwords(content)
    assert "tok" not in json.dumps(made)
    pip = ["-i https://u:${secret:login-u-h}@h/", "six"]
    assert made == {**content, "dependencies": ["python=3.8", {"pip": pip}]}
    assert content["dependencies"][1]["pip"][0].count("tok") == 1, "the argument stays as it was"
    assert index_logins.without_passwords({}) == {"dependencies": []}


TOML = st.dictionaries(
    st.text("abc-", min_size=1, max_size=4),
    st.text("ab '#/é", max_size=8) | st.integers(-9, 9) | st.lists(st.integers(0, 9), max_size=3),
    max_size=4,
)


@settings(max_examples=100)
@given(
    table=TOML,
    before=st.sampled_from(["", "#!/usr/bin/env python\n", "import os\n"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
@example(table={"a": "# ///"}, before="", end="\n")
def test_any_header_is_read_as_its_toml(table, before, end):
    lines = [
        f"{json.dumps(name)} = {json.dumps(value, ensure_ascii=False)}"
        for name, value in table.items()
    ]
    header = "\n".join(["# /// script", "#", *(f"# {line}" for line in lines), "# ///"])
    text = f"{before}{header}\nimport sys\n".replace("\n", end)
    assert script_header.read(text, "x.py") == table


@pytest.mark.parametrize(
    "text",
    [
        "",
        "print()",
        "# /// other\n# a = 1\n# ///\n",
        " # /// script\n # a=1\n # ///\n",
        "x = '# /// script'\n",
    ],
)
def test_scripts_without_a_header(text):
    assert script_header.read(text, "x.py") is None


@pytest.mark.parametrize(
    "text",
    [
        "# /// script\n# a = 1\n",
        "# /// script\nimport os\n# ///\n",
        "# /// script\n# a = \n# ///\n",
        "# /// script\n# a = 1\n# ///\n\n# /// script\n# a = 1\n# ///\n",
        "# /// script\n#a = 1\n# ///\n",
    ],
)
def test_headers_that_are_no_headers_are_named_with_their_script(text):
    with pytest.raises(EnvironmentException, match=r"some/x\.py"):
        script_header.read(text, "some/x.py")


def test_a_header_is_found_in_its_file_and_a_missing_or_binary_file_has_none(tmp_path):
    script = tmp_path / "x.py"
    script.write_text("\ufeff# /// script\n# dependencies = ['six>=1']\n# ///\n", "utf-8")
    found = script_header.find(script)
    assert found.pip_packages == ["six>=1"]
    assert script_header.find(tmp_path / "gone.py") is None
    script.write_bytes(b"# /// script\n# a = 1\n# ///\n\xff")
    assert script_header.find(script) is None
    assert script_header.find(tmp_path) is None


@pytest.mark.parametrize(
    "table",
    [
        {"dependencies": "six"},
        {"dependencies": [1]},
        {"requires-python": 3},
        {"requires-python": "new"},
    ],
)
def test_what_a_header_cannot_ask_for(table):
    with pytest.raises(EnvironmentException, match=r"x\.py"):
        script_header.dependencies(table, "/some/x.py")


def test_an_empty_header_asks_for_nothing():
    made = script_header.dependencies({}, "/some/x.py")
    assert made.pip_packages == []


def _saved(folder: Path, name: str) -> Path:
    made = Environment(name)
    made.python.conda_dependencies.add_pip_package("saved")
    made.save_to_directory(str(folder / name))
    return folder / name


def _team(folder: Path) -> Path:
    folder.mkdir()
    (folder / "reqs.txt").write_text("six==1\n")
    (folder / "con.da.yml").write_text("dependencies:\n- python=3.9\n")
    (folder / "other.yaml").write_text("dependencies:\n- python=3.10\n")
    (folder / "notes.md").write_text("no environment")
    (folder / "plain").mkdir()
    _saved(folder, "whole.v2")
    return folder


def test_a_teams_folder_holds_an_environment_a_file(tmp_path):
    folder = _team(tmp_path / "team")
    assert team.names([folder]) == ["con.da", "other", "reqs", "whole.v2"]
    for name in team.names([folder]):
        found = team.get([folder], name)
        assert found.name == name
    assert team.get([folder], "reqs").python.conda_dependencies.pip_packages == ["six==1"]
    assert team.get([folder], "whole.v2").python.conda_dependencies.pip_packages[-1] == "saved"
    assert team.get([folder], "con.da").python.conda_dependencies.get_python_version() == "3.9"
    for name in ("notes", "plain", "con", "", "whole"):
        assert team.get([folder], name) is None


def test_the_first_folder_that_has_it_counts(tmp_path, monkeypatch):
    first, second = tmp_path / "a", tmp_path / "b"
    for folder, text in ((first, "one\n"), (second, "two\n")):
        folder.mkdir()
        (folder / "e.txt").write_text(text)
    (second / "more.txt").write_text("more\n")
    monkeypatch.setenv(team.VARIABLE, os.pathsep.join([str(first), "", str(tmp_path / "gone")]))
    folders = team.directories(second)
    assert folders == [first, tmp_path / "gone", second]
    assert team.names(folders) == ["e", "more"]
    assert team.get(folders, "e").python.conda_dependencies.pip_packages == ["one"]
    monkeypatch.setenv(team.VARIABLE, "~/envs")
    assert team.directories(second) == [Path.home() / "envs", second]
    monkeypatch.delenv(team.VARIABLE)
    assert team.directories(second) == [second]


def test_a_broken_file_of_the_team_is_named(tmp_path):
    (tmp_path / "bad.yml").write_text("dependencies: [a\n")
    assert team.names([tmp_path]) == ["bad"], "it is listed all the same"
    with pytest.raises(UserErrorException, match=r"bad\.yml"):
        team.get([tmp_path], "bad")
    assert team.names([tmp_path / "bad.yml", tmp_path / "gone"]) == []


def _prefix(folder: Path, **packages: str) -> Path:
    (folder / "conda-meta").mkdir(parents=True)
    for name, version in packages.items():
        channel = "https://conda.anaconda.org/conda-forge/linux-64"
        record = {"name": name, "version": version, "channel": channel}
        (folder / "conda-meta" / f"{name}-{version}.json").write_text(json.dumps(record))
    (folder / "conda-meta" / "cut.json").write_text('{"name": ')
    return folder


def test_a_conda_environment_is_told_by_its_records(tmp_path):
    prefix = _prefix(tmp_path / "env", python="3.9.1", numpy="1.20")
    found = conda_export.read_environment(str(prefix))
    assert found.conda_packages == ["numpy=1.20", "python=3.9.1"]
    assert found.conda_channels == ["conda-forge"]
    assert conda_export.missing_base_problem(str(prefix)) == ""


def test_a_conda_environment_that_is_not_there_is_named(tmp_path):
    (tmp_path / "no-env").mkdir()
    for name in (str(tmp_path / "gone"), str(tmp_path / "no-env")):
        assert conda_export.read_environment(name) is None
        assert name in conda_export.missing_base_problem(name)


def _conda(channels, packages, pip=()):
    listed = [*packages, {"pip": list(pip)}] if pip else [*packages]
    return CondaDependencies.from_dict({"channels": channels, "dependencies": listed})


def test_what_is_built_upon_another_has_its_own_wishes_first():
    base = _conda(["b", "c"], ["python=3.8", "numpy=1.1", "kept"], ["six==1", "Old_Name==2"])
    own = _conda(["a", "b"], ["python=3.9", "numpy=2"], ["--no-index", "six==3", "old-name==4"])
    made = conda_export.merge_onto(base, own, use_python=False)
    assert made.conda_channels == ["a", "b", "c"]
    assert sorted(made.conda_packages) == ["kept", "numpy=2", "python=3.8"]
    assert (made.pip_options, made.pip_packages) == (["--no-index"], ["six==3", "old-name==4"])
    made = conda_export.merge_onto(base, own, use_python=True)
    assert "python=3.9" in made.conda_packages
    assert base.pip_packages == ["six==1", "Old_Name==2"], "the base stays as it was"


def test_a_project_without_a_lock_of_pixi_is_named(tmp_path):
    with pytest.raises(EnvironmentException, match=r"pixi\.lock"):
        pixi_project.read_project(tmp_path, "default")
    (tmp_path / "pixi.lock").mkdir()
    with pytest.raises(EnvironmentException, match=r"pixi\.lock"):
        pixi_project.read_project(str(tmp_path), "default")


def test_an_environment_comes_back_from_its_directory_and_its_dict(tmp_path):
    made = Environment("e")
    made.docker.base_image_registry.address = "r.example"
    made.docker.base_image_registry.password = "hunter2"
    made.environment_variables = {"A": "ä"}
    made.python.conda_dependencies.add_pip_package("six")
    files.save(made, tmp_path / "saved" / "e", overwrite=False)
    assert files.load(Environment("x"), tmp_path / "saved" / "e") == made
    told = files.to_dict(made)
    assert "hunter2" not in json.dumps(told)
    back = files.from_dict(Environment("x"), told, "here")
    assert back.environment_variables == {"A": "ä"}
    assert back.python.conda_dependencies == made.python.conda_dependencies


def test_saving_writes_over_nothing_unless_it_is_told_to(tmp_path):
    place = tmp_path / "e"
    for blocker in (place.mkdir, lambda: (place.rmdir(), place.symlink_to("nowhere"))):
        blocker()
        with pytest.raises(UserErrorException, match=str(place)):
            files.save(Environment("e"), place, overwrite=False)
    place.unlink()
    place.mkdir()
    (place / files.JSON_FILE_NAME).write_text("old")
    files.save(Environment("e"), place, overwrite=True)
    assert json.loads((place / files.JSON_FILE_NAME).read_text())["name"] == "e"


@pytest.mark.parametrize("content", [None, b"\xff", b"{", b"[1]", b'{"nmae": 1, "docker": 3}'])
def test_a_directory_that_holds_no_environment_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / files.JSON_FILE_NAME).write_bytes(content)
    with pytest.raises(UserErrorException, match=files.JSON_FILE_NAME):
        files.load(Environment("x"), tmp_path)


def test_all_that_is_wrong_in_a_definition_is_told_at_once():
    wrong = {"python": {"nothing": 1}, "docker": 3, "version": []}
    with pytest.raises(RunConfigurationException) as caught:
        files.from_dict(Environment("x"), wrong, "the file")
    assert len(caught.value.reasons) >= 2
    assert all("the file" in each for each in caught.value.reasons)


def _project(tmp_path: Path, *names: str) -> Path:
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"script: {name}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("there", "name", "found"),
    [
        ([".azureml/a.runconfig", "aml_config/a.runconfig", "a.runconfig"], "a", ".azureml/a.runconfig"),
        (["aml_config/a.runconfig", "a.runconfig"], "a", "aml_config/a.runconfig"),
        (["a.yml", "a.yaml"], "a", "a.yml"),
        ([".azureml/a.yaml", "a.runconfig"], "a", ".azureml/a.yaml"),
        (["a.runconfig"], "a.runconfig", "a.runconfig"),
        (["aml_config/only.runconfig"], None, "aml_config/only.runconfig"),
    ],
)  # fmt: skip
def test_where_a_run_configuration_lies(tmp_path, there, name, found):
    root = _project(tmp_path, *there)
    assert os.path.normpath(runconfig_file.find(root, name)) == str(root / found)


def test_a_path_may_name_the_file_itself_or_leave_its_ending(tmp_path):
    root = _project(tmp_path, "a.runconfig", "odd.name")
    assert runconfig_file.find(root / "odd.name") == str(root / "odd.name")
    assert os.path.normpath(runconfig_file.find(root / "a")) == str(root / "a.runconfig")


@pytest.mark.parametrize("there", [[], ["a.runconfig", ".azureml/b.runconfig"]])
def test_without_a_name_there_must_be_just_one(tmp_path, there):
    root = _project(tmp_path, *there)
    with pytest.raises(RunConfigurationException) as caught:
        runconfig_file.find(root)
    assert all(Path(each).stem in str(caught.value) for each in there)


def test_an_environment_file_that_is_named_must_be_there(tmp_path):
    (tmp_path / "a.runconfig").write_text("script: a.py\nenvironment: gone.yml\n")
    with pytest.raises(RunConfigurationException, match=r"gone\.yml"):
        runconfig_file.load(RunConfiguration(), tmp_path, "a")


@pytest.mark.parametrize("apart", [True, False])
def test_a_saved_configuration_comes_back(tmp_path, apart):
    made = RunConfiguration(script="a.py", arguments=["--x", "1"])
    made.environment.python.conda_dependencies.add_pip_package("six")
    runconfig_file.save(made, tmp_path, "a", apart)
    back = runconfig_file.load(RunConfiguration(), tmp_path, "a")
    assert (back.script, back.arguments) == ("a.py", ["--x", "1"])
    assert back.environment.python.conda_dependencies == made.environment.python.conda_dependencies
    assert (tmp_path / ".azureml" / runconfig_file.ENVIRONMENT_FILE_NAME).exists() is apart
    for _ in range(2):  # again, from what was read
        runconfig_file.save(back, tmp_path, "a", apart)
        assert runconfig_file.load(RunConfiguration(), tmp_path, "a") == back

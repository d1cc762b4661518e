"""CondaDependencies: what its methods change, and the file's round trip."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptrun import CondaDependencies, Environment, ScriptRunConfig, Workspace
from scriptrun.config import yaml_text
from scriptrun.config.describe import describe
from scriptrun.config.environments import conda_file
from scriptrun.config.reader import ConfigReader
from scriptrun.spec.errors import UserErrorException
from scriptrun.submission.check import check

DATA = Path(__file__).parent / "data"


def test_the_default_is_the_sdks(tmp_path):
    assert CondaDependencies() == CondaDependencies(DATA / "conda_dependencies.yml")
    assert CondaDependencies().get_python_version() == "3.8.13"
    assert (
        CondaDependencies().serialize_to_string() == (DATA / "conda_dependencies.yml").read_text()
    )


def test_create_takes_lists_and_single_names():
    conda = CondaDependencies.create(
        pip_indexurl="https://example.invalid/simple",
        pip_packages=["torch==1.6.0", "azureml-defaults==1.20"],
        conda_packages="scikit-learn=0.22",
        python_version="3.7",
    )
    assert conda.get_python_version() == "3.7"
    assert conda.conda_packages == ["python=3.7", "scikit-learn=0.22"]
    assert conda.pip_packages == ["torch==1.6.0", "azureml-defaults==1.20"]
    assert conda.pip_options == ["--index-url https://example.invalid/simple"]


def test_a_package_of_the_same_name_is_replaced():
    conda = CondaDependencies.create(None, ["Scikit_Learn==0.20", "numpy"])
    conda.add_pip_package("scikit-learn>=1")
    conda.add_pip_package("scikit-learn-extra")
    assert conda.pip_packages == [
        "azureml-defaults",
        "numpy",
        "scikit-learn>=1",
        "scikit-learn-extra",
    ]
    conda.add_conda_package("numpy=1.20")
    conda.add_conda_package("conda-forge::numpy>=1.21")
    conda.add_conda_package("python=3.9")
    assert conda.conda_packages == ["python=3.9", "conda-forge::numpy>=1.21"]


def test_addresses_and_local_paths_are_not_mixed_up():
    conda = CondaDependencies()
    both = [
        "https://example.invalid/a.whl",
        "https://example.invalid/b.whl",
        "git+https://x/a",
        "git+https://x/b",
    ]
    for each in both:
        conda.add_pip_package(each)
    assert conda.pip_packages == ["azureml-defaults", *both]


def test_removing():
    conda = CondaDependencies.create(
        pip_packages=["numpy==1.0"], conda_packages=["pip", "cudatoolkit=10.1"]
    )
    conda.remove_pip_package("NumPy")
    conda.remove_pip_package("never-there")
    conda.remove_conda_package("cudatoolkit")
    conda.remove_channel("anaconda")
    assert (conda.pip_packages, conda.conda_channels) == (["azureml-defaults"], ["conda-forge"])
    assert conda.conda_packages == ["python=3.8.13", "pip"]
    conda.remove_pip_package("azureml-defaults")
    assert conda.as_dict()["dependencies"] == ["python=3.8.13", "pip"]


def test_options_replace_their_like_but_extra_indexes_add_up():
    conda = CondaDependencies()
    conda.set_pip_index_url("--index-url https://one.invalid")
    conda.set_pip_index_url("https://two.invalid")
    conda.set_pip_option("--extra-index-url https://three.invalid")
    conda.set_pip_option("--extra-index-url https://four.invalid")
    conda.set_pip_option("--pre")
    assert sorted(conda.pip_options) == [
        "--extra-index-url https://four.invalid",
        "--extra-index-url https://three.invalid",
        "--index-url https://two.invalid",
        "--pre",
    ]
    conda.remove_pip_option("--extra-index-url")
    assert len(conda.pip_options) == 2
    assert conda.pip_packages == ["azureml-defaults"]


def test_tensorflow_and_merging():
    conda = CondaDependencies()
    conda.add_tensorflow_pip_package("gpu", "2.2.0")
    conda.add_tensorflow_conda_package("cpu")
    assert "tensorflow-gpu==2.2.0" in conda.pip_packages and "tensorflow" in conda.conda_packages
    assert CondaDependencies.merge_requirements(["a>=1", "b", "A<2", "b"]) == ["a>=1,<2", "b"]


def test_saving(tmp_path):
    conda = CondaDependencies.create(pip_packages=["numpy"])
    assert conda.save_to_file(tmp_path, "sub/env.yml") == "sub/env.yml"
    conda.save(tmp_path)
    assert CondaDependencies(tmp_path / "sub" / "env.yml") == conda
    assert CondaDependencies(tmp_path / "conda_dependencies.yml") == conda


def test_what_a_file_refers_to_is_found_from_elsewhere(tmp_path, monkeypatch):
    project = tmp_path / "project"
    (project / "lib").mkdir(parents=True)
    (project / "requirements.txt").write_text("numpy==1.20\n")
    (project / "env.yml").write_text(
        "dependencies:\n- pip:\n  - -r requirements.txt\n  - -e ./lib\n"
    )
    monkeypatch.chdir(tmp_path)
    conda = CondaDependencies("project/env.yml")
    assert conda.pip_packages == ["numpy==1.20", f"-e {project / 'lib'}"]
    assert conda.pip_options == []


def test_what_else_a_file_holds_is_kept_with_versions_as_written():
    text = "name: x\nchannels:\n- defaults\ndependencies:\n- python=3.10\nprefix: /opt/x\nvariables:\n  A: 1\n"
    content = yaml_text.load(text, "env.yml")
    conda = CondaDependencies.from_dict(content)
    assert conda.get_python_version() == "3.10"
    assert conda.as_dict()["variables"] == {"A": "1"}
    assert list(conda.as_dict()) == ["name", "channels", "dependencies", "prefix", "variables"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- numpy\n", "a mapping"),
        ("dependencies: numpy\n", "dependencies: expected a list"),
        ("dependencies:\n- pip: numpy\n", r"dependencies\[0\].pip: expected a list of strings"),
        ("dependencies:\n- conda:\n  - x\n", r"dependencies\[0\]"),
        ("dependencies: [a\n", "line 2, column 1: invalid YAML"),
        ("channels: 1\n", "channels: expected a list"),
    ],
)
def test_a_bad_file_is_named_with_the_place_in_it(tmp_path, text, said):
    file = tmp_path / "env.yml"
    file.write_text(text)
    with pytest.raises(UserErrorException, match=said) as caught:
        CondaDependencies(file)
    assert str(file) in str(caught.value)


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(UserErrorException, match="No such file"):
        CondaDependencies(tmp_path / "none.yml")


TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=20)
CONTENT = st.fixed_dictionaries(
    {
        "name": TEXT,
        "dependencies": st.tuples(st.lists(TEXT), st.lists(TEXT)).map(
            lambda both: [*both[0], {"pip": both[1]}] if both[1] else both[0]
        ),
        "channels": st.lists(TEXT),
    }
)


@given(CONTENT)
@settings(max_examples=100, deadline=None)
def test_text_round_trip(content):
    conda = CondaDependencies.from_dict(content)
    again = conda_file.normalize(yaml_text.load(conda.serialize_to_string(), "x"))
    assert CondaDependencies.from_dict(again) == conda
    assert conda.as_dict() == content


def test_comments_stay_with_their_lines(tmp_path):
    (tmp_path / "env.yml").write_text(COMMENTED)
    conda = CondaDependencies(tmp_path / "env.yml")
    assert conda.serialize_to_string() == COMMENTED
    conda.remove_conda_package("scipy")
    conda.add_conda_package("numpy=1.17")
    conda.add_pip_package("tqdm")
    conda.save(tmp_path / "again.yml")
    text = COMMENTED.replace("- scipy  # unused soon\n", "").replace(
        "- tools\n", "- tools\n  - tqdm\n"
    )
    written = (tmp_path / "again.yml").read_text()
    assert sorted(written.splitlines()) == sorted(text.replace("1.16", "1.17").splitlines())
    assert CondaDependencies(tmp_path / "again.yml") == conda
    odd = "name: 'a # b'\ndependencies: [red, 'blue']  # both\nchannels:\n- defaults\n"
    (tmp_path / "odd.yml").write_text(odd)
    assert (
        "dependencies:  # both\n- red\n"
        in CondaDependencies(tmp_path / "odd.yml").serialize_to_string()
    )


COMMENTED = """\
# of the whole team
# ask before you change it
name: team
dependencies:
- python=3.8  # the cluster's
# newer ones are slow here
- numpy=1.16
- scipy  # unused soon
- pip:
  # our own
  - tools
channels:  # in this order
- conda-forge
# the end
"""


def test_what_is_no_list_and_no_text():
    conda = CondaDependencies()
    conda.set_pip_requirements("six")
    assert list(conda.pip_packages) == ["six"]
    conda.set_python_version("3.9")
    conda.set_python_version(None)
    assert not conda.get_python_version()
    conda.set_python_version("3.10")
    assert conda.conda_packages == ["python=3.10"]
    for add in (conda.add_pip_package, conda.add_conda_package):
        with pytest.raises(UserErrorException, match="None is a NoneType"):
            add(None)


def conda_of(folder, text):
    (folder / "env.yml").write_text(text)
    return CondaDependencies(folder / "env.yml")


def submitted_variables(environment, **variables):
    config = ScriptRunConfig(".", "a.py", environment=environment)
    config.run_config.environment_variables = variables
    return describe(config).variables


def test_variables_of_a_conda_file_are_those_of_the_job(tmp_path):
    conda = conda_of(tmp_path, "variables: {A: 3.10, B: yes, C: , D: file, E: file}\n")
    assert conda.variables == {"A": "3.10", "B": "yes", "D": "file", "E": "file"}
    environment = Environment("e")
    environment.python.conda_dependencies = conda
    environment.environment_variables = {"D": "environment", "E": "environment"}
    assert submitted_variables(environment, E="job") == {
        "A": "3.10",
        "B": "yes",
        "D": "environment",
        "E": "job",
    }
    again = CondaDependencies.from_dict(yaml_text.load(conda.serialize_to_string(), "x"))
    assert again.variables == conda.variables
    environment.python.user_managed_dependencies = True
    assert submitted_variables(environment) == environment.environment_variables


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("variables: [A]", r"env\.yml: variables: expected a mapping of names to values"),
        ("variables: {A: [1]}", r"env\.yml: variables: 'A' must have a single value"),
    ],
)
def test_variables_of_another_kind(tmp_path, text, problem):
    with pytest.raises(UserErrorException, match=problem):
        conda_of(tmp_path, text)


def test_variables_that_no_process_can_be_given(tmp_path):
    config = ScriptRunConfig(".", "a.py", environment=Environment("e"))
    conda = conda_of(tmp_path, 'variables: {"A": "a\\0b", "B=C": x}\n')
    config.run_config.environment.python.conda_dependencies = conda
    assert ConfigReader(config).problems() == [
        "invalid variable name 'B=C' in variables of the conda file",
        "environment variable 'A' contains a NUL character, which the system does not allow",
    ]


def test_unknown_keys_are_one_warning(tmp_path):
    conda = conda_of(
        tmp_path, "dependancies: [numpy]\nvariables: {A: b}\nxyz: 1\nname: x\nprefix: /x\n"
    )
    assert conda.warnings == [
        f"conda file '{tmp_path / 'env.yml'}': the keys 'dependancies' (did you mean "
        "'dependencies'?), 'xyz' have no effect"
    ]
    assert CondaDependencies.from_dict({"chanels": []}).warnings == [
        "the conda specification: the key 'chanels' (did you mean 'channels'?) has no effect"
    ]
    assert conda_of(tmp_path, "name: x\n").warnings == CondaDependencies().warnings == []


def test_the_warning_is_given_at_submission(tmp_path):
    (tmp_path / "a.py").write_text("")
    environment = Environment("e")
    environment.python.conda_dependencies = conda_of(tmp_path, "dependencis: [x]\n")
    workspace = Workspace.create("w", path=tmp_path / "w")
    submission = check(ScriptRunConfig(tmp_path, "a.py", environment=environment), workspace, "e")
    assert len(submission.warnings) == 1 and "'dependencis'" in submission.warnings[0]


@pytest.mark.parametrize(
    ("spec", "version"),
    [
        ("python[version='>=3.8,<3.12']", ">=3.8,<3.12"),
        ('python[version="3.8",build=x]', "3.8"),
        ("python[version=3.8]", "3.8"),
    ],
)
def test_the_version_among_a_packages_keys(spec, version):
    assert CondaDependencies.from_dict({"dependencies": [spec]}).get_python_version() == version

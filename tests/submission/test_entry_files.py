"""What a job runs is looked for in its snapshot, not only in its folder."""

from __future__ import annotations

import pytest

from scriptrun import (
    Experiment,
    HyperDriveConfig,
    RandomParameterSampling,
    ScriptRunConfig,
    Workspace,
    choice,
)
from scriptrun.spec.environment import PACKAGES, EnvironmentSpec
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.job import JobSpec
from scriptrun.submission import entry_files, import_warnings


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    for name in (
        "train.py",
        "run.sh",
        "sub/job.py",
        "pkg/__init__.py",
        "pkg/__main__.py",
        "data.csv",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return folder


@pytest.mark.parametrize(
    ("command", "files"),
    [
        ("python train.py --data data.csv", ["train.py"]),
        ("python3.11 -u -W ignore ./train.py", ["train.py"]),
        ("A=1 exec python train.py > data.csv", ["train.py"]),
        ("pip install x && python train.py; bash run.sh", ["train.py", "run.sh"]),
        ("echo 1\npython sub/job.py | tee data.csv", ["sub/job.py"]),
        ("./run.sh 1", ["run.sh"]),
        ("python -m pkg", ["pkg/__main__.py"]),
        ("python -m sub.job", ["sub/job.py"]),
        ("torchrun --nproc_per_node 2 train.py", ["train.py"]),
        ("python -c 'train.py' train.py", []),
        ("cd sub && python train.py", []),
        ("python gone.py", []),
        ("python /etc/hostname", []),
        ("cat train.py", []),
        ("echo 'open", []),
        ("python", []),
    ],
)
def test_what_a_command_runs(source, command, files):
    assert entry_files.entry_files(source, None, command) == files


@pytest.mark.parametrize(
    ("file", "rules", "reason"),
    [
        (".amlignore", "# data\n*.py\n", "*.py (.amlignore:2)"),
        (".gitignore", "sub/\n*.csv\n/train.*\n", "/train.* (.gitignore:3)"),
        (".amlignore", "*\n!run.sh\n", "* (.amlignore:1)"),
    ],
)
def test_a_script_that_is_left_out_is_refused(source, tmp_path, file, rules, reason):
    (source / file).write_text(rules)
    workspace = Workspace.create("w", path=tmp_path / "w")
    command = ["python", "train.py", "--x", "1"]
    for config in (
        ScriptRunConfig(source, "train.py"),
        ScriptRunConfig(source, command=command),
        ScriptRunConfig(source, command="python -m train"),
        HyperDriveConfig(
            run_config=ScriptRunConfig(source, "train.py"),
            hyperparameter_sampling=RandomParameterSampling({"--a": choice(1, 2)}),
            primary_metric_name="m",
            primary_metric_goal="minimize",
            max_total_runs=1,
        ),
    ):
        with pytest.raises(UserErrorException) as caught:
            Experiment(workspace, "e").submit(config)
        assert f"the script 'train.py' is not part of the snapshot: {reason}" in str(caught.value)
    assert not list(workspace.runs_folder.iterdir())


def test_rules_of_folders_and_those_of_scriptrun(source):
    (source / "sub" / ".gitignore").write_text("job.py\n")
    assert "job.py (sub/.gitignore:1)" in entry_files.problems(source, "sub/job.py", None)[0]
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "a.py").write_text("")
    assert "ignored by default" in entry_files.problems(source, "__pycache__/a.py", None)[0]
    (source / "sub" / "pyvenv.cfg").write_text("")
    assert "Python environment" in entry_files.problems(source, "sub/job.py", None)[0]
    assert entry_files.problems(source, "train.py", None) == []


def test_links_to_what_is_left_out(source):
    (source / "main.py").symlink_to("sub/job.py")
    assert entry_files.problems(source, "main.py", None) == []
    (source / ".gitignore").write_text("sub\n")
    assert "sub (.gitignore:1)" in entry_files.problems(source, "main.py", None)[0]


def warnings_of(source, code, environment=None, **facts):
    (source / "train.py").write_text(code)
    job = JobSpec(
        "r", "e", "w", "2024-05-01T10:00:00.000000Z", source_directory=str(source), snapshot="x",
        **{"script": "train.py", **facts}, environment=environment or EnvironmentSpec(),
    )  # fmt: skip
    return import_warnings.missing_imports(job, None)


def test_modules_that_are_left_out_are_named(source):
    (source / "helper.py").write_text("")
    (source / "pkg" / "deep.py").write_text("from . import other\nfrom .. import nothing\n")
    (source / "pkg" / "other.py").write_text("")
    (source / ".gitignore").write_text("helper.py\nother.*\n")
    found = [
        "train.py imports 'helper', but helper.py is not in the snapshot: helper.py (.gitignore:1)",
        "pkg/deep.py imports 'pkg.other', but pkg/other.py is not in the snapshot: "
        "other.* (.gitignore:2)",
    ]
    code = "import helper, os\nfrom pkg.deep import x\n"
    assert warnings_of(source, code) == found
    assert warnings_of(source, code, script=None, command="python train.py") == found
    assert warnings_of(source, "try:\n import helper\nexcept ImportError: pass\n") == []
    in_container = EnvironmentSpec(PACKAGES, container=True, image="x")
    assert warnings_of(source, code, in_container) == found


def test_a_module_that_the_environment_has_is_no_file(source):
    (source / "datasets.py").write_text("")
    (source / ".gitignore").write_text("datasets.py\n")
    environment = EnvironmentSpec(PACKAGES, pip=("datasets",))
    assert warnings_of(source, "import datasets\n", environment) == []
    assert len(warnings_of(source, "import datasets\n", EnvironmentSpec(PACKAGES))) == 1


def test_modules_beside_a_script_in_a_folder(source):
    (source / "sub" / "near.py").write_text("import train\n")
    (source / "sub" / "job.py").write_text("import near\n")
    (source / ".gitignore").write_text("near.py\n")
    job = {"script": "sub/job.py"}
    assert warnings_of(source, "", **job) == [
        "sub/job.py imports 'near', but sub/near.py is not in the snapshot: near.py (.gitignore:1)"
    ]

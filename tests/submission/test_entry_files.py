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
from scriptrun.submission import entry_files, ignored_paths, import_warnings, script_paths


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
        ("cd sub && python -O job.py; cd .. && python train.py", ["sub/job.py", "train.py"]),
        ("cd /tmp && python train.py", []),
        ("cd $X && python train.py", []),
        ("bash -O extglob -ec 'python train.py && ./run.sh'", ["train.py", "run.sh"]),
        ("source run.sh && . ./run.sh", ["run.sh"]),
        ("torchrun --nproc-per-node 2 train.py --data data.csv", ["train.py"]),
        ("accelerate launch --config_file data.csv train.py", ["train.py"]),
        ("mpirun -n 2 -x A python -u train.py", ["train.py"]),
        ("srun --mpi=pmix ./run.sh", ["run.sh"]),
        ("timeout 60 python3 train.py", ["train.py"]),
        ("uv run --with x train.py", ["train.py"]),
        ("python -m torch.distributed.launch --nproc_per_node 2 train.py", ["train.py"]),
        ("python -m cProfile -o data.csv train.py", ["train.py"]),
        ("Rscript -e 'x' train.py", []),
        (f"python {'x' * 5000}", []),
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


def test_modules_on_added_paths(source):
    (source / "lib").mkdir()
    (source / "lib" / "tools.py").write_text("")
    (source / "native.cpython-311-x86_64-linux-gnu.so").write_text("")
    (source / "pkg" / "__main__.py").write_text("from . import deep\n")
    (source / "pkg" / "deep.py").write_text("")
    code = "import sys\nsys.path.insert(0, 'lib')\nimport tools, native\n"
    in_folder = EnvironmentSpec(PACKAGES)
    assert warnings_of(source, code, in_folder) == []
    (source / ".gitignore").write_text("lib/\n*.so\ndeep.py\n")
    assert warnings_of(source, code) == [
        "train.py imports 'tools', but lib/tools.py is not in the snapshot: lib/ (.gitignore:1)",
        "train.py imports 'native', but native.cpython-311-x86_64-linux-gnu.so is not in the "
        "snapshot: *.so (.gitignore:2)",
    ]
    assert len(warnings_of(source, "import tools", variables={"PYTHONPATH": "/x:./lib"})) == 1
    (found,) = warnings_of(source, "", script=None, command="python -m pkg")
    assert found.startswith("pkg/__main__.py imports 'pkg.deep', but pkg/deep.py is not")


def test_the_paths_that_a_script_names():
    code = (
        b"import os, sys\nfrom pathlib import Path\n"
        b"sys.path.append(os.path.join(os.path.dirname(__file__), '..', 'lib'))\n"
        b"sys.path.insert(0, str(Path(__file__).parent / 'src'))\nsys.path.append(x)\n"
        b"open('a'); open('b', 'w'); open('c', mode='rb'); open('d', mode); open(e)\n"
        b"pd.read_csv('f.csv', sep=','); plt.savefig('g.png'); np.load('h.npy')\n"
    )
    assert script_paths.search_folders(code) == ["../lib", "src"]
    assert script_paths.read_files(code) == ["a", "c", "f.csv", "h.npy"]
    assert script_paths.read_files(b"print 'x'") == []


def named(source, *arguments, **facts):
    (source / ".gitignore").write_text("*.csv\nresults/\n")
    (source / "results").mkdir(exist_ok=True)
    job = JobSpec(
        "r", "e", "w", "2024-05-01T10:00:00.000000Z", source_directory=str(source), snapshot="x",
        **{"script": "train.py", "arguments": arguments, **facts}, environment=EnvironmentSpec(),
    )  # fmt: skip
    return [message.partition(",")[0] for message in ignored_paths.warnings(job)]


def test_arguments_that_name_what_is_left_out(source):
    assert named(source, "--data", "data.csv") == ["the job is given 'data.csv'"]
    assert named(source, "--data=./data.csv", "--lr", "1") == ["the job is given './data.csv'"]
    assert named(source, "results/") == ["the job is given 'results/'"]
    assert named(source, "--output-dir", "results", "--save=results", ".", "..", "gone.csv") == []
    assert named(source, "--sub", "sub/job.py", "x" * 5000, "/etc/hostname") == []
    command = {"script": None, "command": "python train.py --data data.csv"}
    assert named(source, **command) == ["the job is given 'data.csv'"]
    assert named(source, script=None, command="echo 'open") == []


def test_files_that_a_script_reads(source):
    (source / "train.py").write_text("open('data.csv')\nopen('results/x', 'w')\nopen('run.sh')\n")
    assert named(source) == ["train.py reads 'data.csv'"]


def test_ignore_files_of_powershell(source):
    (source / ".amlignore").write_text("# ä\ntrain.py\n", "utf-16")
    assert "train.py (.amlignore:2)" in entry_files.problems(source, "train.py", None)[0]

"""Other systems' job files become a ScriptRunConfig; what can't be taken over is listed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from scriptrun.config import describe
from scriptrun.migration.formats import as_python, read_job
from scriptrun.spec.errors import UserErrorException

V2 = """
$schema: https://azuremlschemas.azureedge.net/latest/commandJob.schema.json
type: command
code: src
command: python train.py --lr ${{inputs.lr}} --data ${{inputs.data}} --out ${{outputs.model}}
inputs:
  lr: 0.01
  data:
    type: uri_folder
    path: azureml://datastores/blobs/paths/mnist
    mode: download
outputs:
  model:
    type: uri_folder
environment:
  image: python:3.11
  conda_file:
    name: x
    dependencies: [python=3.11, pip, {pip: [six]}]
environment_variables: {SEED: 7}
compute: azureml:gpu-cluster
distribution: {type: pytorch, process_count_per_instance: 2}
resources: {instance_count: 2, shm_size: 2g}
limits: {timeout: 600}
experiment_name: digits
identity: {type: managed}
services: {}
"""
PROJECT = """
name: My Project
python_env: python_env.yaml
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.5}
      data: path
    command: "python train.py --alpha {alpha} {data}"
  validate:
    command: "python validate.py"
"""


def test_a_v2_command_job(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "job.yml").write_text(V2)
    found = read_job.read(tmp_path / "job.yml")
    run = found.config.run_config
    assert found.experiment == "digits"
    assert found.config.source_directory == str(tmp_path / "src")
    assert found.config.command == (
        "python train.py --lr 0.01 --data $AZUREML_DATAREFERENCE_data "
        "--out $AZUREML_DATAREFERENCE_model"
    )
    assert run.target == "gpu-cluster" and run.node_count == 2
    assert run.environment_variables == {"SEED": "7"}
    assert run.max_run_duration_seconds == 600
    data, model = run.data_references["data"], run.data_references["model"]
    assert (data.data_store_name, data.path_on_data_store, data.mode) == (
        "blobs",
        "mnist",
        "download",
    )
    assert model.mode == "upload"
    assert run.environment.docker.base_image == "python:3.11"
    assert run.docker.shm_size == "2g"
    assert [each.split(":")[0] for each in found.lost] == ["identity", "services"]
    described = describe.describe(found.config)
    assert described.environment.pip == ("six",)
    assert (described.distribution.kind, described.distribution.processes) == ("pytorch", 4)


def test_an_mlproject_with_its_parameters(tmp_path):
    (tmp_path / "MLproject").write_text(PROJECT)
    (tmp_path / "python_env.yaml").write_text(
        "python: '3.11'\ndependencies:\n  - six\n  - -r req.txt\n"
    )
    (tmp_path / "req.txt").write_text("# packages\nred==1.0\n")
    found = read_job.read(tmp_path, {"data": "a b"})
    assert found.config.command == "python train.py --alpha 0.5 'a b'"
    assert found.lost == ["the entry point 'validate'"]
    assert found.experiment == "My-Project"
    conda = found.config.run_config.environment.python.conda_dependencies
    assert list(conda.pip_packages)[-2:] == ["six", "red==1.0"]
    lacking = read_job.read(tmp_path)
    assert any("--param data=VALUE" in each for each in lacking.lost)
    with pytest.raises(UserErrorException, match="no parameter 'beta'"):
        read_job.read(tmp_path, {"beta": "1"})


def test_what_is_printed_makes_the_same_job(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "job.yml").write_text(V2)
    found = read_job.read(tmp_path / "job.yml")
    code = as_python.code(found.config, found.experiment).text
    shown = code.replace("run = Experiment", "import json\nfrom scriptrun.config import describe as planning\n"
                         "print(json.dumps(planning.describe(config).as_dict(), default=str))\n"
                         "raise SystemExit\nrun = Experiment")  # fmt: skip
    subprocess.run([sys.executable, "-m", "scriptrun", "init"], cwd=tmp_path, check=True)
    done = subprocess.run(
        [sys.executable, "-c", shown], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    made, meant = json.loads(done.stdout), describe.describe(found.config).as_dict()
    for name in ("command", "arguments", "variables", "max_run_duration_seconds", "target"):
        assert made[name] == json.loads(json.dumps(meant[name], default=str)), name
    assert made["distribution"] == json.loads(json.dumps(meant["distribution"], default=str))
    assert made["environment"]["pip"] == ["six"]


RUNCONFIG = """
script: train.py
arguments: [--a, 1]
target: cluster
communicator: Nccl
nodeCount: 2
pytorch: {processCount: 4}
history: {outputCollection: false}
environmentVariables: {A: '1'}
environment:
  name: mine
  environmentVariables: {B: '2'}
  python: {condaDependenciesFile: conda.yml}
  docker: {baseImageRegistry: {address: r.io, username: u, password: hush}}
data:
  x: {dataLocation: {dataset: {id: d}}}
"""


def test_a_runconfig_is_printed_with_all_that_it_says(tmp_path):
    (tmp_path / ".azureml").mkdir()
    (tmp_path / ".azureml" / "train.runconfig").write_text(RUNCONFIG)
    found = read_job.read(tmp_path / ".azureml" / "train.runconfig")
    assert found.config.source_directory == str(tmp_path)
    assert found.experiment == "train"
    made = as_python.code(found.config, found.experiment)
    assert [each.partition(":")[0] for each in made.lost] == [
        "config.run_config.environment.docker.base_image_registry.password",
        "config.run_config.data",
    ]
    assert "hush" not in made.text and "script='train.py'" in made.text
    space: dict = {}
    exec(made.text.replace("ws = ", "# ").partition("\nrun = ")[0], space)
    meant, printed = found.config.run_config, space["config"].run_config
    meant.data, meant.script, meant.arguments = {}, printed.script, printed.arguments
    meant.environment.docker.base_image_registry.password = None
    assert printed == meant and space["config"].arguments == ["--a", 1]


def test_arguments_are_as_they_are_written(tmp_path):
    (tmp_path / "odd.runconfig").write_text("arguments: [2026-01-01, 3.10, 5]\ntarget: x\n")
    made = as_python.code(read_job.read(tmp_path / "odd.runconfig").config, "odd")
    assert "arguments=['2026-01-01', '3.10', 5]" in made.text and made.lost == []


def test_the_environment_that_every_job_has_is_not_printed(tmp_path):
    (tmp_path / "job.yml").write_text("command: echo ${{inputs.n}} ${{inputs.gone}}\n"
                                      "inputs: {n: {type: number, default: 3}}")  # fmt: skip
    found = read_job.read(tmp_path / "job.yml")
    assert found.config.command == "echo 3 ${{inputs.gone}}"
    assert found.lost == ["${{inputs.gone}} in the command: the job does not define it"]
    assert "Environment" not in as_python.code(found.config, found.experiment).text


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("job.yml", "just text", "is not a job"),
        ("job.yml", "a: [", "invalid YAML"),
        ("job.yml", "type: pipeline\njobs: {}", "not a supported job file"),
        ("MLproject", "name: x\nentry_points: {}", "no entry_points"),
        ("MLproject", "entry_points: [1]", "entry_points must be a mapping"),
        ("MLproject", "entry_points: {main: {}}", "missing command"),
        ("job.yml", "type: command", "missing command"),
        (
            "job.yml",
            "command: [a]\ninputs: [1]\nresources: {instance_count: many}",
            "command must be a string, not .*; inputs must be a mapping.*instance_count must be an integer",
        ),
    ],
)
def test_what_is_no_job_is_a_sentence(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserErrorException, match=said):
        read_job.read(tmp_path / name)
    with pytest.raises(UserErrorException, match="does not exist"):
        read_job.read(tmp_path / "gone.yml")


def scriptrun(folder, *words):
    command = [sys.executable, "-m", "scriptrun", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_commands(tmp_path):
    (tmp_path / "train.py").write_text("print('done')")
    assert scriptrun(tmp_path, "run", "train.py", "--", "a b").returncode == 0
    done = scriptrun(tmp_path, "export", "--to", "shell")
    assert done.returncode == 0 and "train.py 'a b'" in done.stdout, done.stderr
    assert "not exported: the source directory" in done.stderr
    done = scriptrun(tmp_path, "export", "--to", "azureml-v2", "-o", "out/job.yml", "--json")
    assert "job.yml" in json.loads(done.stdout)["files"]
    (tmp_path / "src").mkdir()
    (tmp_path / "job.yml").write_text(V2)
    done = scriptrun(tmp_path, "import", "job.yml")
    assert done.returncode == 0 and "PyTorchConfiguration" in done.stdout, done.stderr
    assert "not converted: identity" in done.stderr
    assert scriptrun(tmp_path, "import", "gone.yml").returncode == 2

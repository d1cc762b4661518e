"""What a job sees in a container, whatever the image says: by a real podman."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pods import BARE, BASE, as_user, lacking
from wheel_making import make_wheel

from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.config.environments.environment import DockerBuildContext, Environment
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.config.sections import DockerConfiguration
from scriptrun.core.experiment import Experiment
from scriptrun.engines.local.engine import Local
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.testing.jobs import Bench, log_of, until, wait

pytestmark = pytest.mark.podman

TELLS = """
import json, os, sys
from scriptrun import Run
Run.get_context().log("seen", 1)
os.makedirs("outputs", exist_ok=True)
open("outputs/made.txt", "w").write("made")
shm = os.statvfs("/dev/shm")
print(json.dumps({
    "user": os.getuid(), "home": os.path.expanduser("~"), "shm": shm.f_frsize * shm.f_blocks,
    "own": os.environ.get("OWN"), "argument": os.environ.get("ARGUMENT"),
    "image": os.environ.get("OF_THE_IMAGE"), "here": os.getcwd(), "pid": os.getpid(),
    "shell": os.path.exists("/bin/sh"), "entered": os.path.exists("/tmp/entered"),
    "mlflow": os.environ.get("MLFLOW_RUN_ID"),
}))
"""


@pytest.fixture
def bench(tmp_path, podman):
    return Bench(tmp_path, Local())


def managed(environment):
    environment.python.user_managed_dependencies = True
    return environment


def submit(bench, environment, code=TELLS, docker=None, **how):
    source = bench.source(code)
    what = how or {"script": "job.py"}
    config = ScriptRunConfig(
        str(source), environment=environment, docker_runtime_config=docker, **what
    )
    run = Experiment(bench.workspace, "containers").submit(config)
    assert wait(run) == "Completed", run.standing.reason + log_of(run)
    return run


def seen(run):
    return json.loads(log_of(run).splitlines()[-1])


def test_an_image_with_another_user_an_entrypoint_and_no_shell(bench, podman):
    podman.image(
        "localhost/odd:1",
        f'FROM {BASE}\nENV OF_THE_IMAGE=yes OWN=image\nENTRYPOINT ["touch", "/tmp/entered"]\n'
        "RUN mkdir -p $(python -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))')/mlflow\n"
        "RUN rm /usr/bin/sh /usr/bin/bash\nUSER app\nWORKDIR /nowhere\n",
    )
    environment = managed(Environment.from_docker_image("odd", "localhost/odd:1"))
    environment.environment_variables = {"OWN": "the environment's"}
    docker = DockerConfiguration(
        use_docker=True, shm_size="48m", arguments=["--env", "ARGUMENT=given", "--hostname=inside"]
    )
    run = submit(bench, environment, docker=docker)
    told = seen(run)
    assert (
        told.items()
        >= {
            "shm": 48 << 20,
            "own": "the environment's",
            "argument": "given",
            "image": "yes",
            "here": str(run.path / "work"),
            "shell": False,
            "entered": False,
            "mlflow": run.id,
        }.items()
    )
    assert run.get_metrics() == {"seen": 1}
    assert run.get_file_names().count("outputs/made.txt") == 1
    for folder, _, names in os.walk(run.path):
        for name in names:
            assert os.stat(os.path.join(folder, name)).st_uid == os.getuid()
    until(lambda: not podman.names(), "the container is still there")


def test_the_oldest_python_in_an_image(bench, tmp_path):
    """The script runs on an image's own Python 3.8, with a package on top of it."""
    if interpreter_discovery.missing("3.8"):
        pytest.skip("this machine has no Python 3.8")
    prefix = Path(os.path.realpath(interpreter_discovery.choose("3.8")[0].path)).parent.parent
    small = shutil.ignore_patterns("test", "tests", "site-packages", "__pycache__", "*.a", "share")
    shutil.copytree(prefix, tmp_path / "context" / "old", ignore=small, symlinks=True)
    (tmp_path / "context" / "Dockerfile").write_text(
        f"FROM {BASE}\nCOPY old /opt/old\n"
        "ENV PATH=/opt/old/bin:/usr/bin:/bin LD_LIBRARY_PATH=/opt/old/lib\n"
    )
    context = DockerBuildContext.from_local_directory(None, tmp_path / "context")
    environment = Environment.from_docker_build_context("old", context)
    environment.python.user_managed_dependencies = False
    make_wheel(tmp_path / "wheels", "red", "2.0")
    environment.python.conda_dependencies = CondaDependencies.create(
        pip_packages=["red", "--no-index", f"--find-links {tmp_path / 'wheels'}"]
    )
    run = submit(bench, environment, TELLS + VERSION)
    assert log_of(run).splitlines()[-1] == "3.8 /opt/old 2.0 1 {'of': 'it'}"
    assert run.get_metrics() == {"seen": 1}
    assert run.get_file_names().count("outputs/made.txt") == 1


VERSION = """
import red
run = Run.get_context()
run.tag("of", "it")
run.upload_file("kept.txt", "outputs/made.txt")
print("%d.%d" % sys.version_info[:2], sys.base_prefix, red.VERSION, run.get_metrics()["seen"], run.get_tags())
"""


def test_a_command_that_is_no_python_in_an_image_without_one(bench):
    environment = managed(Environment.from_docker_image("bare", BARE))
    run = submit(bench, environment, command="echo $0 $AZUREML_RUN_ID > outputs/told; cat job.py")
    assert log_of(run) == TELLS
    assert (run.path / "outputs" / "told").read_text().split()[1] == run.id


def test_dockerfiles_and_build_contexts_of_a_folder_and_of_git(bench, tmp_path):
    context = tmp_path / "context"
    (context / "docker").mkdir(parents=True)
    (context / "docker" / "Dockerfile").write_text(f"FROM {BASE}\nCOPY word /etc/word\n")
    (context / "word").write_text("first")
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE}\nRUN echo of a file > /etc/word\n")
    local = DockerBuildContext.from_local_directory(None, context, "docker/Dockerfile")
    says = "print(open('/etc/word').read())"

    def word(environment):
        return log_of(submit(bench, managed(environment), says)).strip()

    assert word(Environment.from_dockerfile("file", tmp_path / "Dockerfile")) == "of a file"
    assert word(Environment.from_docker_build_context("context", local)) == "first"
    (context / "word").write_text("second")
    assert word(Environment.from_docker_build_context("context", local)) == "second"
    there = DockerBuildContext("git", f"file://{repository(context)}#main:docker")
    (context / "docker" / "Dockerfile").unlink()
    assert word(Environment.from_docker_build_context("git", there)) == "of git"


def repository(folder):
    """``folder`` as a git repository, in whose folder ``docker`` all lies that is needed."""
    (folder / "docker" / "word").write_text("of git")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", folder]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "context"]):
        subprocess.run([*git, *words], check=True)
    return folder


def test_a_normal_user_needs_no_root(tmp_path):
    """podman without root: in the container the user is called root, and owns what is written."""
    if as_user.lacks():
        lacking(as_user.lacks())
    jobs = str(Path(__file__).with_name("rootless_jobs.py"))
    argv = as_user.command(tmp_path, [sys.executable, jobs])
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["rootless"] and (told["user"], told["canceled"]) == (0, "Canceled")
    run = tmp_path / "own" / Path(told["run"]).relative_to(as_user.HOME)
    files = list(run.rglob("*"))
    assert run / "outputs" / "made.txt" in files
    assert {os.lstat(path).st_uid for path in files} == {as_user.UID}

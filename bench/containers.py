"""Containers, by the podman of ci/podman: how late a job begins, and what a rebuild costs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bench import timing

sys.path.insert(0, str(timing.ROOT / "ci" / "podman"))
sys.path.insert(0, str(timing.ROOT / "tests"))
import own
import wheel_making

#: submits by a process with one thread, as the command does; prints when it began
SUBMIT = """
import sys, time
began = time.time()
from scriptrun.engines.local import engine as local
local.allow_fork()
from scriptrun import Environment, Experiment, ScriptRunConfig, Workspace
environment = Environment.from_docker_image("bench", sys.argv[2])
environment.python.user_managed_dependencies = True
config = ScriptRunConfig(sys.argv[3], "job.py", environment=environment)
run = Experiment(Workspace(sys.argv[1]), "bench").submit(config)
print(began, run.path)
"""
BUILD = """
import json, sys, time
from scriptrun import Environment, Workspace
made = Environment("bench")
made.docker.base_image = sys.argv[2]
conda = made.python.conda_dependencies
for each in sys.argv[4:]:
    conda.add_pip_package(each)
conda.set_pip_option("--no-index")
conda.set_pip_option("--find-links " + sys.argv[3])
workspace = Workspace(sys.argv[1])
began = time.perf_counter()
built = made.build(workspace)
print(json.dumps([time.perf_counter() - began, built.ready.container["image"]]))
"""
TELLS = "import time; print(time.time(), flush=True)"


def measure() -> list[dict[str, object]]:
    """Rows on containers; none on a machine that can't have the tests' podman."""
    if os.geteuid() != 0 or not shutil.which("podman"):
        return []
    with timing.own_places() as place:
        os.environ["UV_CACHE_DIR"] = str(place / "uv")
        program = own.bring_up(place / "podman")
        os.environ["SCRIPTRUN_CONTAINER_TOOL"] = str(program)
        python = str(timing.scriptrun() / "python")
        home = place / "workspace"
        home.mkdir()
        subprocess.run([timing.scriptrun() / "scriptrun", "init"], cwd=home, check=True)
        try:
            return [first_line(place, home, python, program), *layers(place, home, python, program)]
        finally:
            own.end(place / "podman")


def first_line(place: Path, home: Path, python: str, program: Path) -> dict[str, object]:
    """Submit to the script's first line, beside ``podman run`` with the same mounts."""
    source = place / "source"
    source.mkdir()
    (source / "job.py").write_text(TELLS)
    ours(home, source, python)  # the image is looked at
    mounts = [f"{home}:{home}", f"{source}:{source}:ro"]
    command = [program, "run", "--rm", "--init", "--network=host", "--pull=never"]
    command += [f"--volume={each}" for each in mounts]
    command += ["--workdir", source, own.BASE, "python3", "job.py"]
    found = timing.alternate(
        {"ours": lambda: ours(home, source, python), "bare": lambda: bare(command)}
    )
    name = "a job in a container: submit to the first line"
    target = "0.3 s later"
    return timing.row(name, found["ours"], "s", "podman run", found["bare"], target)


def ours(home: Path, source: Path, python: str) -> float:
    """Seconds from the submitting process's first statement to the script's."""
    argv = [python, "-c", SUBMIT, str(home), own.BASE, str(source)]
    began, path = subprocess.check_output(argv, text=True).split()
    result = Path(path, "attempts", "1", "result.json")
    while not result.exists():
        time.sleep(0.02)
    return float(Path(path, "user_logs", "std_log.txt").read_text()) - float(began)


def bare(command: list[object]) -> float:
    """Seconds to the same line of the tool alone."""
    began = time.time()
    return float(subprocess.check_output(list(map(str, command)), text=True)) - began


def layers(place: Path, home: Path, python: str, program: Path) -> list[dict[str, object]]:
    """One package more: the layers that are new; and an image that is there: calls of podman."""
    wheels = place / "wheels"
    for each in ("red", "blue"):
        wheel_making.make_wheel(wheels, each)
    calls = place / "calls"
    noting = place / "noting" / "podman"
    noting.parent.mkdir()
    noting.write_text(f'#!/bin/sh\necho "$*" >> {calls}\nexec {program} "$@"\n')
    noting.chmod(0o755)
    os.environ["SCRIPTRUN_CONTAINER_TOOL"] = str(noting)
    argv = [python, "-c", BUILD, str(home), own.BASE, str(wheels)]
    built = []
    for packages in (["red"], ["red", "blue"], ["red", "blue"]):
        calls.write_text("")
        said = subprocess.check_output([*argv, *packages], text=True)
        seconds, image = json.loads(said.splitlines()[-1])
        asked = len(calls.read_text().splitlines())
        built.append((seconds, asked, layers_of(program, image)))
    first, more, again = built
    new = len(set(more[2]) - set(first[2]))
    return [
        timing.row("one package more: new layers", new, "", "all layers", len(more[2]), "1"),
        timing.row("one package more: the build", more[0], "s", "the first build", first[0]),
        timing.row("an image that is there", 1000 * again[0], "ms", "its build", 1000 * more[0]),
        timing.row("... calls of podman", again[1], "", "in its build", more[1], "0"),
    ]


def layers_of(program: Path, image: str) -> list[str]:
    """The digests of an image's layers."""
    words = ["image", "inspect", "--format", "{{json .RootFS.Layers}}", image]
    found: list[str] = json.loads(subprocess.check_output([program, *words], text=True))
    return found

"""A test bench for jobs: a workspace, scripts written on the fly, and access to their results.

Used by the shipped suites and by scriptrun's own tests. A submission is made in this process or in
a new one, as the command line does, so that tests can kill the submitter.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from scriptrun.config.distributed import (
    MpiConfiguration,
    PyTorchConfiguration,
    TensorflowConfiguration,
)
from scriptrun.config.environments.environment import Environment
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.core.experiment import Experiment
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.engines.local import engine as local_engine
from scriptrun.registry import compute_targets
from scriptrun.runs import status as run_status
from scriptrun.spec.job import Target
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from scriptrun.engines.base import Engine
    from scriptrun.runtime.hints import Json

    T = TypeVar("T")


#: seconds to wait for an event before failing: only to end a hang, so far more than even a heavily
#: loaded machine needs
PATIENCE = 300.0
#: variables for a job that saves on SIGTERM: time enough on any machine
TIME_TO_SAVE = {"AZUREML_RUN_KILL_SIGNAL_TIMEOUT_SEC": f"{PATIENCE:g}"}


class Bench(Value, frozen=False):
    """A workspace in ``root`` and the engine ``target`` to try.

    With ``image`` the jobs run in containers of it, which see ``root``.
    With ``forks`` every submission is made by a process of its own that has one thread, so that
    the launcher is forked from it; else by this process, and the launcher is a fresh interpreter.
    """

    root: Path
    target: Engine | None = None
    forks: bool = False
    experiment: str = "bench"
    image: str = ""

    def __init__(
        self,
        root: Path,
        target: Engine | None = None,
        forks: bool = False,
        experiment: str = "bench",
        image: str = "",
    ) -> None:
        super().__init__(root, target, forks, experiment, image)
        self.workspace = Workspace.create("bench", path=self.root, exist_ok=True)

    def source(self, code: str, name: str = "source") -> Path:
        """A source directory whose ``job.py`` is ``code``."""
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        (folder / "job.py").write_text(code, encoding="utf-8")
        return folder

    def order(
        self, code: str | None = None, arguments: Sequence[object] = (), **settings: object
    ) -> Json:
        """What ``place_order`` takes, as JSON: see ``_config`` for the settings."""
        source = settings.pop("source", None) or self.source(code or "")
        target = compute_targets.target_of(self.target) if self.target is not None else None
        return {
            "workspace": str(self.root),
            "experiment": self.experiment,
            "source": str(source),
            "arguments": list(arguments),
            "target": [target.name, target.kind, target.options] if target else None,
            "image": self.image,
            **settings,
        }

    def submit(
        self, code: str | None = None, arguments: Sequence[object] = (), **settings: object
    ) -> Run:
        """Submit ``code`` as a job. Settings: ``command``, ``variables``, ``limit`` (seconds),
        ``python`` (the interpreter), ``requirements`` (a file: an environment is built),
        ``source`` (a directory instead of ``code``), ``resources`` (``cpus``, ``gpus``, ...); for
        ranks see ``_distributed``.
        """
        order = self.order(code, arguments, **settings)
        if not self.forks:
            return place_order(order)
        return Run.get(self.workspace, self.elsewhere(order).strip())

    def elsewhere(self, order: Json) -> str:
        """Submit from a new process; returns what it printed: the run's ID."""
        result = subprocess.run(
            submitter(),
            input=json.dumps(order),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return result.stdout

    def run(
        self, code: str | None = None, arguments: Sequence[object] = (), **settings: object
    ) -> Run:
        """Submit, and wait for the end."""
        run = self.submit(code, arguments, **settings)
        wait(run)
        return run

    def overrun(
        self,
        code: str | None = None,
        arguments: Sequence[object] = (),
        *,
        came: Callable[[Run], object],
        **settings: object,
    ) -> Run:
        """A run that reached its time limit after ``came(run)`` had become true.

        The limit starts at one second, and is raised if a loaded machine needs more.
        """
        limit = 1
        while True:
            run = self.run(code, arguments, limit=limit, **settings)
            limit *= 3
            if came(run) or limit > PATIENCE:
                return run


def submitter() -> list[str]:
    """The command of a submitting process: an order on its standard input, the id on its output."""
    return [sys.executable, "-c", "from scriptrun.testing import jobs; jobs.main()"]


def main() -> None:
    """Submit the order on standard input, as the command line would: by fork."""
    local_engine.allow_fork()
    order = json.load(sys.stdin)
    for _ in range(order.get("count", 1)):
        print(place_order(order).id, flush=True)
    time.sleep(order.get("linger", 0))


def place_order(order: Json) -> Run:
    """Submit the job that ``order`` (``Bench.order``) describes, from this process."""
    experiment = Experiment(Workspace(order["workspace"]), order["experiment"])
    return experiment.submit(_config(order), order.get("tags"))


def _config(order: Json) -> ScriptRunConfig:
    if order.get("requirements"):
        environment = Environment.from_pip_requirements("bench", order["requirements"])
    else:
        environment = Environment("bench")
        environment.python.user_managed_dependencies = True
        default_python = "python" if order.get("image") else sys.executable
        environment.python.interpreter_path = order.get("python") or default_python
    if order.get("image"):
        environment.docker.base_image = order["image"]
        environment.docker.arguments = ["--volume", "{0}:{0}".format(order["workspace"])]
    environment.environment_variables = dict(order.get("variables") or {})
    target = order["target"]
    job_settings: Json = {"script": "job.py", "arguments": order["arguments"]}
    if order.get("command"):
        job_settings = {"command": order["command"]}
    config = ScriptRunConfig(
        source_directory=order["source"],
        environment=environment,
        compute_target=compute_targets.engine_of(Target(*target)) if target else None,
        max_run_duration_seconds=order.get("limit"),
        distributed_job_config=_distributed(order),
        **job_settings,
    )
    for name, value in (order.get("resources") or {}).items():
        setattr(config, name, value)
    return config


def _distributed(
    order: Json,
) -> PyTorchConfiguration | MpiConfiguration | TensorflowConfiguration | None:
    """``pytorch``: processes and nodes; ``mpi``: processes a node, and nodes; ``tensorflow``:
    workers and servers; ``nodes``: a process on each."""
    if "pytorch" in order:
        return PyTorchConfiguration("Gloo", *order["pytorch"])
    if "mpi" in order:
        return MpiConfiguration(*order["mpi"])
    if "tensorflow" in order:
        return TensorflowConfiguration(*order["tensorflow"])
    return PyTorchConfiguration("Gloo", None, order["nodes"]) if "nodes" in order else None


def wait(run: Run, seconds: float = PATIENCE) -> str:
    """Wait until the run has ended and return its state. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while True:
        status = run.standing
        if status.is_final:
            return str(status.state)
        if time.monotonic() > deadline:
            raise TimeoutError(f"{run.id} is {status.state} after {seconds:g} s")
        time.sleep(0.02)


def until(
    what: Callable[[], T], why: str | Callable[[], object] = "", seconds: float = PATIENCE
) -> T:
    """Wait until ``what()`` is true, and return its value.

    ``why`` is the message of the TimeoutError on timeout, or returns it.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(str(why() if callable(why) else why) or "it did not happen")
        time.sleep(0.01)


def log_of(run: Run) -> str:
    """What the script wrote to its standard streams, as far as it has come home."""
    run_status.refresh(run.path, run.job)
    try:
        return (run.path / "user_logs" / "std_log.txt").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def log_of_rank(run: Run, rank: int) -> str:
    """What one of several ranks wrote to its standard streams, as far as it has come home."""
    run_status.refresh(run.path, run.job)
    return (run.path / "user_logs" / f"std_log_process_{rank}.txt").read_text(encoding="utf-8")


def living(mark: str) -> list[int]:
    """The living processes whose command line holds ``mark`` (Linux)."""
    pids = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            command = Path("/proc", name, "cmdline").read_bytes()
        except OSError:
            continue
        if mark.encode() in command:
            pids.append(int(name))
    return pids


def kill(pid: int) -> None:
    """SIGKILL, if it still lives."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def tree(folder: Path) -> dict[str, bytes]:
    """The files below ``folder`` with their content."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }

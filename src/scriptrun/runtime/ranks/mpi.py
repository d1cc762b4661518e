"""MPI: one task, ``mpirun`` on node 0, which starts ``shim.py`` once per rank.

The shim adds our variables to those of the MPI library, opens the rank's log and runs the script.
"""

import os
import re
import shutil
import signal
import sys

from .. import files, identity, log_tail, processes, results
from ..containers import docker
from ..launcher import variables
from .common import World, log_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.supervise import Supervisor
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.order import Attempt, LaunchOrder


LOG, PLAN = "system_logs/mpi.txt", "ranks.json"
_OPEN_MPI = ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none"]
#: prefixes of variables left by an outer MPI job or scheduler step
_OUTER_PREFIXES = (
    "OMPI_COMM_WORLD_",
    "PMIX_",
    "PMI_",
    "PALS_",
    "HYDRA_",
    "MPI_LOCALRANKID",
    "MPI_LOCALNRANKS",
)
#: how the variables of schedulers begin, which an mpirun would heed
_SCHEDULERS = ("SLURM_",)


def tasks(job: "Json", attempt: "Attempt", agreement: "Json") -> "list[Task]":
    """The task that runs mpirun, on node 0; other nodes have none.

    Raises FileNotFoundError if mpirun is missing. A single rank does without.
    """
    order, hidden_variables = attempt.order, {}
    if order.node:
        return []
    inherited = order.inherited.items()
    environ = {name: value for name, value in inherited if not name.startswith(_OUTER_PREFIXES)}
    order = order.replace(environ=environ)
    if order.mpi_alone and find_mpirun(order.bin, environ.get("PATH")):
        order = order.replace(mpi=None)
    attempt.order = order
    world = World(job, attempt, agreement, job["distribution"]["processes_per_node"])
    if not order.mpi:
        hidden_variables = _for_mpirun(world, environ)
    _write_plan(world, hidden_variables)
    task_variables = dict(world.system, **_grace_variables(job))
    if _is_alone(world, order, environ):
        argv = [sys.executable, "-I", "-S", _shim_path()]
        task_variables["OMPI_COMM_WORLD_RANK"] = "0"
    elif order.container:
        argv = _container_command(world, order)
    else:
        argv = _launch_command(world, order, environ) + [sys.executable, "-I", "-S", _shim_path()]
    argv.append(_plan_path(order))
    task = variables.Task(0, 0, 0, argv, task_variables, LOG)
    task.name = order.mpi[0] if order.mpi else "mpirun"
    return [task]


def _is_alone(world: "World", order: "LaunchOrder", environ: "dict[str, str]") -> bool:
    """Whether there is a single rank, and no mpirun that would start it."""
    if world.size > 1 or order.mpi or order.container:
        return False
    return find_mpirun(order.bin, environ.get("PATH")) is None


def find_mpirun(bin_folder: "str | None", path: "str | None") -> "str | None":
    """The path of mpirun in ``bin_folder`` or on PATH, or None."""
    search_path = os.pathsep.join(folder for folder in (bin_folder, path or os.defpath) if folder)
    return shutil.which("mpirun", path=search_path) or shutil.which("mpiexec", path=search_path)


def _for_mpirun(world: "World", environ: "dict[str, str]") -> "dict[str, str]":
    """Let mpirun see the scheduler's nodes as they are to be used; what it must not see, for later.

    It would start its ranks where the scheduler's variables say, or fail without those of a step.
    """
    order = world.order
    if order.rehearsal or order.nodes == 1:
        return {name: environ.pop(name) for name in list(environ) if name.startswith(_SCHEDULERS)}
    scheduler = order.load_scheduler()
    if scheduler is not None:
        scheduler.describe_nodes(environ, order.nodes, world.ranks_per_node)
    return {}


def _launch_command(world: "World", order: "LaunchOrder", environ: "dict[str, str]") -> "list[str]":
    program = find_mpirun(order.bin, environ.get("PATH"))
    scheduler = order.load_scheduler()
    if order.mpi and scheduler is not None:
        name, *options = scheduler.rank_starter(order, program is None or is_open_mpi(program))
        return [shutil.which(name, path=environ.get("PATH")) or name, *options]
    if program is None:
        raise FileNotFoundError(2, "mpirun not found in the environment or on PATH", "mpirun")
    is_multi_node = order.nodes > 1 and not order.rehearsal
    if not is_open_mpi(program):
        options = ["-ppn", str(world.ranks_per_node)] if is_multi_node else []
        return [program, *options, "-n", str(world.size)]
    options = _OPEN_MPI if os.geteuid() == 0 else _OPEN_MPI[1:]
    if is_multi_node:
        options = [*options, "--map-by", "ppr:{}:node".format(world.ranks_per_node)]
    return [program, *options, "-n", str(world.size)]


def _container_command(world: "World", order: "LaunchOrder") -> "list[str]":
    """Run all ranks in one container, with the image's mpirun and Python."""
    container = docker.container_of(order)
    if not container.get("mpi") or not container.get("python"):
        missing = "mpirun" if not container.get("mpi") else "Python"
        message = "{} not found in image {}".format(missing, container["named"])
        raise FileNotFoundError(2, message, "mpirun")
    shim = os.path.join(order.runtime, "scriptrun", "runtime", "ranks", "shim.py")
    options = _OPEN_MPI if container["mpi"] == "open" else []
    return ["mpirun", *options, "-n", str(world.size), container["python"], "-I", "-S", shim]


def is_open_mpi(program: str) -> bool:
    """Whether ``program`` is Open MPI's; MPICH and Intel MPI share their options."""
    real = os.path.realpath(program)
    name = os.path.basename(real)
    if any(word in name for word in ("hydra", "mpich", "impi")):
        return False
    if any(word in name for word in ("openmpi", "orterun", "prte")):
        return True
    folder = os.path.dirname(program)
    return any(
        os.path.exists(os.path.join(folder, launcher_name))
        for launcher_name in ("prterun", "orterun")
    )


def _grace_variables(job: "Json") -> "dict[str, str]":
    """Variables that make mpirun wait for the job's grace period before it kills ranks."""
    grace = str(int(job.get("grace_seconds", 10.0)) + 1)
    names = ("OMPI_MCA_odls_base_sigkill_timeout", "PRTE_MCA_odls_base_sigkill_timeout")
    return dict.fromkeys(names, grace)


def _shim_path() -> str:
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "shim.py")


def _attempt_folder(order: "LaunchOrder") -> str:
    return results.attempt_folder(order.folder, order.attempt)


def _plan_path(order: "LaunchOrder") -> str:
    return os.path.join(_attempt_folder(order), PLAN)


def _write_plan(world: "World", hidden_variables: "dict[str, str]") -> None:
    """Write what each rank executes; mpirun must not see the variables ``hidden_variables``."""
    ranks = []
    views = [world.for_node(node) for node in range(world.nodes)]
    for rank in range(world.size):
        view = views[rank // world.ranks_per_node]
        task = view.task(rank)
        mpi_variables = {
            "OMPI_COMM_WORLD_RANK": rank,
            "OMPI_COMM_WORLD_SIZE": world.size,
            "OMPI_COMM_WORLD_LOCAL_RANK": task.local_rank,
            "OMPI_COMM_WORLD_LOCAL_SIZE": world.ranks_per_node,
        }
        rank_variables = dict(
            task.variables, **{name: str(number) for name, number in mpi_variables.items()}
        )
        task.argv = variables.command_line(world.job, view.order, rank_variables)
        work = world.agreement["nodes"][task.node]["work"]
        log = os.path.join(world.order.folder, *task.log.split("/"))
        environ = dict(hidden_variables, **_data_variables(world, view, rank_variables))
        environ.update(rank_variables)
        record = {
            "argv": task.argv,
            "variables": environ,
            "work": work,
            "log": log,
            "node": task.node,
        }
        ranks.append(dict(record, moved=_path_changes(world.order, view.order)))
    os.makedirs(os.path.join(world.order.folder, "user_logs"), exist_ok=True)
    plan: "Json" = {"ranks": ranks, "grace": world.job.get("grace_seconds", 10.0)}
    scheduler = world.order.load_scheduler()
    if scheduler is not None:
        plan.update(numbered_by=scheduler.RANK, step_of=scheduler.STEP)
    files.write_atomic(_plan_path(world.order), files.to_json(plan), durable=False)


def _path_changes(local: "LaunchOrder", remote: "LaunchOrder") -> "list[list[str]]":
    """(old, new) path prefixes that differ between node 0 and a rank's node."""
    pairs = [(local.prefix, remote.prefix), (local.scratch, remote.scratch)]
    return [[before, after] for before, after in pairs if before and after and before != after]


def _data_variables(
    world: "World", view: "World", rank_variables: "dict[str, str]"
) -> "dict[str, str]":
    """The data variables of a rank whose node has the data at other paths than node 0."""
    if view.attempt.brought == world.attempt.brought:
        return {}
    job_variables = (world.job.get("variables") or {}).items()
    referring = {name: value for name, value in job_variables if "$" in value}
    expanded = {name: variables.expand(value, rank_variables) for name, value in referring.items()}
    return dict(view.attempt.brought_plain, **expanded)


def supervise_ranks(supervisor: "Supervisor", order: "LaunchOrder", ranks_per_node: int) -> None:
    """Let ``supervisor`` supervise the ranks below mpirun, ``ranks_per_node`` of them per node."""
    folder = _attempt_folder(order)
    supervisor.find_failure = lambda launcher_ended: first_failure(
        folder, ranks_per_node, launcher_ended
    )
    supervisor.ranks_alive = lambda: bool(_alive_keepers(folder, order))
    if order.mpi:
        supervisor.terminate = lambda pids: _terminate_step(pids, order)
    else:
        supervisor.terminate = lambda launcher_pids: _terminate(
            launcher_pids, _alive_keepers(folder, order)
        )


def first_failure(
    folder: str, ranks_per_node: int, launcher_ended: bool = False
) -> "tuple[Task, int] | None":
    """(task, wait status) of the rank that failed first; None while none has.

    ``launcher_ended``: mpirun or srun has ended. A rank that was stopped from outside does not
    count unless it called MPI_Abort.
    """
    ends = _read_records(folder, ".end.json")
    failures = [value for value in ends if value["status"] and not value.get("stopped")]
    if not failures and (launcher_ended or any(value.get("stopped") for value in ends)):
        failures = _aborted_ranks(folder) or [value for value in ends if value["status"]]
    if not failures:
        return None
    first = min(failures, key=lambda value: value["t"])
    node, local_rank = divmod(first["rank"], ranks_per_node)
    task = variables.Task(first["rank"], local_rank, node, [], {}, log_name(first["rank"]))
    task.starved = first.get("starved", False)
    return task, first["status"]


def _aborted_ranks(folder: str) -> "list[Json]":
    """The ranks that called MPI_Abort, according to MPICH's message in the rank's log.

    They ask mpirun to end all ranks and are killed with them, so their own status says nothing.
    """
    aborted = []
    for rank, task in enumerate((files.read_json(os.path.join(folder, PLAN)) or {})["ranks"]):
        tail = "\n".join(log_tail.read_tail(task["log"]))
        match = re.search(r"application called MPI_Abort\(.*, (\d+)\)", tail)
        if match:
            aborted.append({"rank": rank, "status": (int(match.group(1)) & 0xFF) << 8, "t": rank})
    return aborted


def _terminate(launcher_pids: "list[int]", rank_pids: "list[int]") -> None:
    """Send SIGTERM to the ranks so that they can save; mpirun (``launcher_pids``) ends with them.

    mpirun itself would give them a second or less. If it is gone, their keepers stop them.
    """
    if not launcher_pids:
        return
    # what a record says is not enough
    rank_pids = [pid for pid in rank_pids if processes.is_below(pid)]
    for pid in rank_pids:
        processes.send(pid, signal.SIGTERM)
    if not rank_pids:
        for pid in launcher_pids:
            processes.end_group(pid, signal.SIGTERM)


def _terminate_step(launcher_pids: "list[int]", order: "LaunchOrder") -> None:
    """Send SIGTERM to the ranks that the scheduler's command (``launcher_pids``) has started.

    One that gets it kills them at once.
    """
    scheduler = order.load_scheduler()
    told = _read_records(_attempt_folder(order), ".start.json")
    steps = {value["step"] for value in told if value.get("step")}
    for step in steps if launcher_pids else ():
        if scheduler is not None and scheduler.stop_step(step):
            return
    for pid in launcher_pids:
        processes.end_group(pid, signal.SIGTERM)


def local_rank_pids(order: "LaunchOrder", ranks_per_node: int) -> "list[int]":
    """The pids of this node's ranks, ``ranks_per_node`` of them, wherever they were started."""
    first = order.node * ranks_per_node
    keepers = _alive_keepers(_attempt_folder(order), order, range(first, first + ranks_per_node))
    return [pid for keeper in keepers for pid in processes.children(keeper)]


def _alive_keepers(folder: str, order: "LaunchOrder", ranks: "range | None" = None) -> "list[int]":
    """The pids of the living keepers on this host, of ``ranks`` (default: of all)."""
    ended = {value["rank"] for value in _read_records(folder, ".end.json")}
    starts = [start for start in _read_records(folder, ".start.json") if start["rank"] not in ended]
    starts = [entry for entry in starts if ranks is None or entry["rank"] in ranks]
    if order.container:
        return [pid for pid in (docker.local_pid(record["process"]) for record in starts) if pid]
    identities = [item["process"] for item in starts]
    return [
        process["pid"]
        for process in identities
        if identity.is_local(process) and identity.is_alive(process)
    ]


def _read_records(folder: str, suffix: str) -> "list[Json]":
    """The records that the shims wrote about their ranks, by file suffix."""
    names = [name for name in os.listdir(folder) if name.startswith("rank-")]
    records = [
        files.read_json(os.path.join(folder, name)) for name in names if name.endswith(suffix)
    ]
    return [value for value in records if value]

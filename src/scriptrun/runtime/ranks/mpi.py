"""MPI: one task, ``mpirun`` on node 0, which starts ``shim.py`` once per rank.

The shim adds our variables to those of the MPI library, opens the rank's log and runs the script.
"""

import os
import re
import shutil
import signal
import sys

from .. import files, identity, processes, results
from ..containers import docker
from ..launcher import variables
from ..multinode import gather
from .common import World, log_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.supervise import Watch
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.order import Attempt, LaunchOrder


LOG, PLAN = "system_logs/mpi.txt", "ranks.json"
_OPEN_MPI = ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none"]
#: prefixes of variables left by an outer MPI job or scheduler step
_OUTER = (
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


def tasks(job: "Json", attempt: "Attempt", meeting: "Json") -> "list[Task]":
    """The task that runs mpirun, on node 0; other nodes have none.

    Raises FileNotFoundError if mpirun is missing.
    """
    order, aside = attempt.order, {}
    if order.node:
        return []
    environ = order.inherited.items()
    kept = {name: value for name, value in environ if not name.startswith(_OUTER)}
    order = order.replace(environ=kept)
    if order.mpi_alone and find(order.bin, kept.get("PATH")):
        order = order.replace(mpi=None)
    attempt.order = order
    world = World(job, attempt, meeting, job["distribution"]["processes_per_node"])
    if not order.mpi:
        aside = _for_mpirun(world, kept)
    _write_plan(world, aside)
    known = dict(world.system, **_settings(job))
    if order.container:
        argv = _contained(world, order)
    else:
        argv = _starter(world, order, kept) + [sys.executable, "-I", "-S", _shim()]
    argv.append(_plan(order))
    task = variables.Task(0, 0, 0, argv, known, LOG)
    task.name = order.mpi[0] if order.mpi else "mpirun"
    return [task]


def find(bin_folder: "str | None", path: "str | None") -> "str | None":
    """The path of mpirun in ``bin_folder`` or on PATH, or None."""
    where = os.pathsep.join(each for each in (bin_folder, path or os.defpath) if each)
    return shutil.which("mpirun", path=where) or shutil.which("mpiexec", path=where)


def _for_mpirun(world: "World", environ: "dict[str, str]") -> "dict[str, str]":
    """Let mpirun see the scheduler's nodes as they are to be used; what it must not see, for later.

    It would start its ranks where the scheduler's variables say, or fail without those of a step.
    """
    order = world.order
    if order.rehearsal or order.nodes == 1:
        return {name: environ.pop(name) for name in list(environ) if name.startswith(_SCHEDULERS)}
    scheduler = order.load_scheduler()
    if scheduler is not None:
        scheduler.describe_nodes(environ, order.nodes, world.each)
    return {}


def _starter(world: "World", order: "LaunchOrder", environ: "dict[str, str]") -> "list[str]":
    program = find(order.bin, environ.get("PATH"))
    scheduler = order.load_scheduler()
    if order.mpi and scheduler is not None:
        name, *words = scheduler.rank_starter(order, program is None or is_open_mpi(program))
        return [shutil.which(name, path=environ.get("PATH")) or name, *words]
    if program is None:
        raise FileNotFoundError(2, "mpirun not found in the environment or on PATH", "mpirun")
    apart = order.nodes > 1 and not order.rehearsal
    if not is_open_mpi(program):
        words = ["-ppn", str(world.each)] if apart else []
        return [program, *words, "-n", str(world.size)]
    words = _OPEN_MPI if os.geteuid() == 0 else _OPEN_MPI[1:]
    if apart:
        words = [*words, "--map-by", "ppr:{}:node".format(world.each)]
    return [program, *words, "-n", str(world.size)]


def _contained(world: "World", order: "LaunchOrder") -> "list[str]":
    """Run all ranks in one container, with the image's mpirun and Python."""
    told = docker.told_of(order)
    if not told.get("mpi") or not told.get("python"):
        lacking = "mpirun" if not told.get("mpi") else "Python"
        message = "{} not found in image {}".format(lacking, told["named"])
        raise FileNotFoundError(2, message, "mpirun")
    shim = os.path.join(order.runtime, "scriptrun", "runtime", "ranks", "shim.py")
    words = _OPEN_MPI if told["mpi"] == "open" else []
    return ["mpirun", *words, "-n", str(world.size), told["python"], "-I", "-S", shim]


def is_open_mpi(program: str) -> bool:
    """Whether ``program`` is Open MPI's; MPICH and Intel MPI share their options."""
    real = os.path.realpath(program)
    name = os.path.basename(real)
    if any(word in name for word in ("hydra", "mpich", "impi")):
        return False
    if any(word in name for word in ("openmpi", "orterun", "prte")):
        return True
    folder = os.path.dirname(program)
    return any(os.path.exists(os.path.join(folder, each)) for each in ("prterun", "orterun"))


def _settings(job: "Json") -> "dict[str, str]":
    """Variables that make mpirun wait for the job's grace period before it kills ranks."""
    grace = str(int(job.get("grace_seconds", 10.0)) + 1)
    names = ("OMPI_MCA_odls_base_sigkill_timeout", "PRTE_MCA_odls_base_sigkill_timeout")
    return dict.fromkeys(names, grace)


def _shim() -> str:
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "shim.py")


def _place(order: "LaunchOrder") -> str:
    return results.attempt_folder(order.folder, order.attempt)


def _plan(order: "LaunchOrder") -> str:
    return os.path.join(_place(order), PLAN)


def _write_plan(world: "World", aside: "dict[str, str]") -> None:
    """Write what each rank executes; mpirun must not see the variables ``aside``."""
    listed = []
    seen_by = [world.on(node) for node in range(world.nodes)]
    for rank in range(world.size):
        there = seen_by[rank // world.each]
        task = there.task(rank)
        local = {
            "OMPI_COMM_WORLD_RANK": rank,
            "OMPI_COMM_WORLD_SIZE": world.size,
            "OMPI_COMM_WORLD_LOCAL_RANK": task.local_rank,
            "OMPI_COMM_WORLD_LOCAL_SIZE": world.each,
        }
        known = dict(task.variables, **{name: str(each) for name, each in local.items()})
        task.argv = variables.command_line(world.job, there.order, known)
        work = world.meeting["nodes"][task.node]["work"]
        log = os.path.join(world.order.folder, *task.log.split("/"))
        seen = dict(aside, **_of_its_data(world, there, known))
        seen.update(known)
        made = {"argv": task.argv, "variables": seen, "work": work, "log": log, "node": task.node}
        listed.append(dict(made, moved=_moved(world.order, there.order)))
    os.makedirs(os.path.join(world.order.folder, "user_logs"), exist_ok=True)
    plan: "Json" = {"ranks": listed, "grace": world.job.get("grace_seconds", 10.0)}
    scheduler = world.order.load_scheduler()
    if scheduler is not None:
        plan.update(numbered_by=scheduler.RANK, step_of=scheduler.STEP)
    files.write_atomic(_plan(world.order), files.to_json(plan))


def _moved(here: "LaunchOrder", there: "LaunchOrder") -> "list[list[str]]":
    """(old, new) path prefixes that differ between node 0 and a rank's node."""
    pairs = [(here.prefix, there.prefix), (here.scratch, there.scratch)]
    return [[was, now] for was, now in pairs if was and now and was != now]


def _of_its_data(world: "World", there: "World", known: "dict[str, str]") -> "dict[str, str]":
    """The data variables of a rank whose node has the data at other paths than node 0."""
    if there.attempt.brought == world.attempt.brought:
        return {}
    own = (world.job.get("variables") or {}).items()
    referring = {name: value for name, value in own if "$" in value}
    expanded = {name: variables.expand(value, known) for name, value in referring.items()}
    return dict(there.attempt.brought_plain, **expanded)


def look_inside(watch: "Watch", order: "LaunchOrder", each: int) -> None:
    """Let ``watch`` supervise the ranks below mpirun, ``each`` of them per node."""
    place = _place(order)
    watch.inside = lambda over: first_failure(place, each, over)
    watch.below = lambda: bool(_alive(place, order))
    if order.mpi:
        watch.terminate = lambda living: _terminate_step(living, order)
    else:
        watch.terminate = lambda living: _terminate(living, _alive(place, order))


def first_failure(place: str, each: int, over: bool = False) -> "tuple[Task, int] | None":
    """(task, wait status) of the rank that failed first; None while none has.

    ``over``: mpirun or srun has ended. A rank that was stopped from outside does not
    count unless it called MPI_Abort.
    """
    told = _told(place, ".end.json")
    own = [value for value in told if value["status"] and not value.get("stopped")]
    if not own and (over or any(value.get("stopped") for value in told)):
        own = _aborted(place) or [value for value in told if value["status"]]
    if not own:
        return None
    first = min(own, key=lambda value: value["t"])
    node, local = divmod(first["rank"], each)
    task = variables.Task(first["rank"], local, node, [], {}, log_of(first["rank"]))
    task.starved = first.get("starved", False)
    return task, first["status"]


def _aborted(place: str) -> "list[Json]":
    """The ranks that called MPI_Abort, according to MPICH's message in the rank's log.

    They ask mpirun to end all ranks and are killed with them, so their own status says nothing.
    """
    found = []
    for rank, task in enumerate((files.read_json(os.path.join(place, PLAN)) or {})["ranks"]):
        tail = "\n".join(gather.tail_of(task["log"]))
        match = re.search(r"application called MPI_Abort\(.*, (\d+)\)", tail)
        if match:
            found.append({"rank": rank, "status": (int(match.group(1)) & 0xFF) << 8, "t": rank})
    return found


def _terminate(living: "list[int]", ranks: "list[int]") -> None:
    """Send SIGTERM to the ranks so that they can save; mpirun (``living``) ends with them.

    mpirun itself would give them a second or less. If it is gone, their keepers stop them.
    """
    if not living:
        return
    for pid in ranks:
        processes.send(pid, signal.SIGTERM)
    if not ranks:
        for pid in living:
            processes.end_group(pid, signal.SIGTERM)


def _terminate_step(living: "list[int]", order: "LaunchOrder") -> None:
    """SIGTERM to the ranks that the scheduler's command (``living``) has started, past itself.

    One that gets it kills them at once.
    """
    scheduler = order.load_scheduler()
    told = _told(_place(order), ".start.json")
    steps = {value["step"] for value in told if value.get("step")}
    for step in steps if living else ():
        if scheduler is not None and scheduler.stop_step(step):
            return
    for pid in living:
        processes.end_group(pid, signal.SIGTERM)


def living_on(order: "LaunchOrder", each: int) -> "list[int]":
    """The pids of this node's ranks, ``each`` of them: a scheduler's are below no launcher."""
    first = order.node * each
    keepers = _alive(_place(order), order, range(first, first + each))
    return [pid for keeper in keepers for pid in processes.children(keeper)]


def _alive(place: str, order: "LaunchOrder", ranks: "range | None" = None) -> "list[int]":
    """The pids of the living keepers on this host, of ``ranks`` (default: of all)."""
    ended = {value["rank"] for value in _told(place, ".end.json")}
    told = [each for each in _told(place, ".start.json") if each["rank"] not in ended]
    told = [each for each in told if ranks is None or each["rank"] in ranks]
    if order.container:
        return [pid for pid in (docker.as_here(each["process"]) for each in told) if pid]
    found = [each["process"] for each in told]
    return [each["pid"] for each in found if identity.is_here(each) and identity.is_alive(each)]


def _told(place: str, ending: str) -> "list[Json]":
    """The records that the shims wrote about their ranks, by file suffix."""
    names = [name for name in os.listdir(place) if name.startswith("rank-")]
    found = [files.read_json(os.path.join(place, name)) for name in names if name.endswith(ending)]
    return [value for value in found if value]

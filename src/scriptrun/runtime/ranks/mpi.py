"""MPI: one task, ``mpirun`` on node 0, which starts ``shim.py`` once a rank.

The shim adds our variables to the library's, opens the rank's log, and runs the script.
"""

import os
import shutil
import signal
import sys

from .. import containers, files, identity, processes, results, variables
from .common import World, log_of

LOG = "system_logs/mpi.txt"
_OPEN_MPI = ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none"]
#: what an outer MPI job or scheduler's step left in the environment
_OUTER = (
    "OMPI_COMM_WORLD_",
    "PMIX_",
    "PMI_",
    "PALS_",
    "HYDRA_",
    "MPI_LOCALRANKID",
    "MPI_LOCALNRANKS",
)


def tasks(job, order, meeting):
    """mpirun on node 0; the others' ranks run below it.

    Raises FileNotFoundError where there is no mpirun.
    """
    if order["node"]:
        return []
    world = World(job, order, meeting, job["distribution"]["processes_per_node"])
    _write_plan(world)
    environ = os.environ if order["environ"] is None else order["environ"]
    kept = {name: value for name, value in environ.items() if not name.startswith(_OUTER)}
    order["environ"] = kept
    known = dict(world.system, **_settings(job))
    if order.get("container"):
        argv = _contained(world, order)
    else:
        argv = _starter(world, order, kept) + [sys.executable, "-I", "-S", _shim()]
    argv.append(_plan(order))
    task = variables.Task(0, 0, 0, argv, known, LOG)
    task.name = "mpirun"
    return [task]


def find(bin_folder, path):
    """The path of the mpirun of the environment with ``bin_folder``, or of PATH; None."""
    where = os.pathsep.join(each for each in (bin_folder, path or os.defpath) if each)
    return shutil.which("mpirun", path=where) or shutil.which("mpiexec", path=where)


def _starter(world, order, environ):
    if order.get("mpi"):
        name, *words = order["mpi"]
        return [shutil.which(name, path=environ.get("PATH")) or name, *words]
    program = find(order.get("bin"), environ.get("PATH"))
    if program is None:
        raise FileNotFoundError(2, "there is no mpirun in the environment or on PATH", "mpirun")
    if not is_open_mpi(program):
        return [program, "-n", str(world.size)]
    words = _OPEN_MPI if os.geteuid() == 0 else _OPEN_MPI[1:]
    return [program, *words, "-n", str(world.size)]


def _contained(world, order):
    """All ranks in one container, by the image's own mpirun and Python."""
    told = order["container"]
    if not told.get("mpi") or not told.get("python"):
        lacking = "mpirun" if not told.get("mpi") else "Python"
        message = "there is no {} in the image {}".format(lacking, told["named"])
        raise FileNotFoundError(2, message, "mpirun")
    shim = os.path.join(order["runtime"], "scriptrun", "runtime", "ranks", "shim.py")
    words = _OPEN_MPI if told["mpi"] == "open" else []
    return ["mpirun", *words, "-n", str(world.size), told["python"], "-I", "-S", shim]


def is_open_mpi(program):
    """Whether ``program`` is Open MPI's (else MPICH's or Intel's, whose words are the same)."""
    real = os.path.realpath(program)
    name = os.path.basename(real)
    if any(word in name for word in ("hydra", "mpich", "impi")):
        return False
    if any(word in name for word in ("openmpi", "orterun", "prte")):
        return True
    folder = os.path.dirname(program)
    return any(os.path.exists(os.path.join(folder, each)) for each in ("prterun", "orterun"))


def _settings(job):
    """Let what is stopped save, as long as the job's grace period."""
    grace = str(int(job.get("grace_seconds", 10.0)) + 1)
    names = ("OMPI_MCA_odls_base_sigkill_timeout", "PRTE_MCA_odls_base_sigkill_timeout")
    return dict.fromkeys(names, grace)


def _shim():
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "shim.py")


def _place(order):
    return results.attempt_folder(order["folder"], order["attempt"])


def _plan(order):
    return os.path.join(_place(order), "ranks.json")


def _write_plan(world):
    """What each rank executes: read by the shims."""
    listed = []
    for rank in range(world.size):
        task = world.task(rank)
        local = {
            "OMPI_COMM_WORLD_RANK": rank,
            "OMPI_COMM_WORLD_SIZE": world.size,
            "OMPI_COMM_WORLD_LOCAL_RANK": task.local_rank,
            "OMPI_COMM_WORLD_LOCAL_SIZE": world.each,
        }
        known = dict(task.variables, **{name: str(each) for name, each in local.items()})
        task.argv = variables.command_line(world.job, world.order, known)
        work = world.meeting["nodes"][task.node]["work"]
        log = os.path.join(world.order["folder"], *task.log.split("/"))
        made = {"argv": task.argv, "variables": known, "work": work, "log": log}
        listed.append(dict(made, node=task.node))
    os.makedirs(os.path.join(world.order["folder"], "user_logs"), exist_ok=True)
    files.write_atomic(_plan(world.order), files.to_json({"ranks": listed}))


def look_inside(watch, order, each):
    """Let ``watch`` see the ranks that run below mpirun, ``each`` of them on a node."""
    place = _place(order)
    watch.inside = lambda: first_failure(place, each)
    if not order.get("mpi"):
        watch.terminate = lambda living: _terminate(place, living, order.get("container"))


def first_failure(place, each):
    """(task, wait status) of the rank that failed first; None while none has."""
    ended = [value for value in _told(place, ".end.json") if value["status"]]
    if not ended:
        return None
    first = min(ended, key=lambda value: value["t"])
    node, local = divmod(first["rank"], each)
    task = variables.Task(first["rank"], local, node, (), {}, log_of(first["rank"]))
    return task, first["status"]


def _terminate(place, living, contained=None):
    """SIGTERM to the ranks, so that they can save; mpirun ends when they have.

    mpirun itself would give them one second, or none.
    """
    ranks = [value["process"] for value in _told(place, ".start.json")]
    if contained:
        alive = [pid for pid in map(containers.as_here, ranks) if pid]
    else:
        here = [each for each in ranks if identity.is_here(each) and identity.is_alive(each)]
        alive = [each["pid"] for each in here]
    for pid in alive:
        processes.send(pid, signal.SIGTERM)
    if not alive:
        for pid in living:
            processes.end_group(pid, signal.SIGTERM)


def _told(place, ending):
    """What the shims have told of their ranks."""
    names = [name for name in os.listdir(place) if name.startswith("rank-")]
    found = [files.read_json(os.path.join(place, name)) for name in names if name.endswith(ending)]
    return [value for value in found if value]

"""What all launchers share: the place of a rank in the world, and the variables that tell it."""

import os

from ..launcher import variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.order import Attempt, LaunchOrder


class World:
    """The nodes and ranks of a job: ``each`` ranks on each of ``nodes`` nodes."""

    def __init__(self, job: "Json", attempt: "Attempt", meeting: "Json", each: int) -> None:
        self.job, self.attempt, self.meeting = job, attempt, meeting
        self.nodes, self.each = attempt.order.nodes, each
        self.size = self.nodes * each
        self.system = variables.system_variables(job, attempt)

    @property
    def order(self) -> "LaunchOrder":
        """What this node's launcher was told."""
        return self.attempt.order

    def on(self, node: int) -> "World":
        """The same world as ``node`` sees it, with its own data and environment."""
        own = self.meeting["nodes"][node].get("own") or {}
        return World(self.job, self.attempt.on(node, own), self.meeting, self.each)

    def variables(self, rank: int) -> "dict[str, str]":
        """The system's variables for ``rank``; ranks are numbered node by node."""
        node, local = divmod(rank, self.each)
        return dict(self.system, **self.place(rank, node, local))

    def place(self, rank: int, node: int, local: int) -> "dict[str, str]":
        """The variables that tell ``rank`` where it is, by the names that scripts know."""
        address, port = self.meeting["address"], str(self.meeting["port"])
        hosts = [each["address"] for each in self.meeting["nodes"]]
        found = {
            "SCRIPTRUN_RANK": rank,
            "SCRIPTRUN_NODE": node,
            "SCRIPTRUN_LOCAL_RANK": local,
            "SCRIPTRUN_WORLD_SIZE": self.size,
            "MASTER_ADDR": address,
            "MASTER_PORT": port,
            "NODE_RANK": node,
            "RANK": rank,
            "LOCAL_RANK": local,
            "WORLD_SIZE": self.size,
            "LOCAL_WORLD_SIZE": self.each,
            "AZ_BATCHAI_TASK_INDEX": rank,
            "AZ_BATCHAI_PYTORCH_INIT_METHOD": "tcp://{}:{}".format(address, port),
            "AZ_BATCHAI_MPI_MASTER_NODE": address,
            "AZ_BATCH_MASTER_NODE": "{}:{}".format(address, port),
            "AZ_BATCH_NODE_LIST": ";".join(hosts),
            "AZ_BATCH_HOST_LIST": ",".join(hosts),
            "AZUREML_CR_NODE_RANK": node,
        }
        found = {name: str(value) for name, value in found.items()}
        threads = self.threads()
        if threads:
            found["OMP_NUM_THREADS"] = str(threads)
        devices = self.devices(node, local)
        if devices is not None:
            found["CUDA_VISIBLE_DEVICES"] = devices
        return found

    def threads(self) -> "int | None":
        """What OMP_NUM_THREADS is to be: a rank's share of the CPUs; None where it is not ours.

        Where a node has one rank, or the user set it, it stays as it is.
        """
        given = self.job.get("variables") or {}
        inherited = self.order.environ or {}
        if self.each < 2 or "OMP_NUM_THREADS" in given or "OMP_NUM_THREADS" in inherited:
            return None
        there: int = self.meeting["nodes"][self.order.node]["cpus"]
        wanted: "int | None" = (self.job.get("resources") or {}).get("cpus")
        if self.order.rehearsal:
            there //= self.nodes  # the nodes share this machine
        return max(1, min(there, wanted or there) // self.each)

    def devices(self, node: int, local: int) -> "str | None":
        """The GPUs that a rank sees: all of its node's, or its own share where that was asked."""
        held = [each for each in (self.order.devices or "").split(",") if each]
        if not held:
            return None
        if self.order.rehearsal and len(held) >= self.nodes:
            share = len(held) // self.nodes
            held = held[node * share : (node + 1) * share]
        resources = self.job.get("resources") or {}
        if resources.get("gpu_binding") == "process":
            share = max(1, len(held) // self.each)
            first = local * share % len(held)
            held = held[first : first + share]
        return ",".join(held)

    def task(self, rank: int) -> "Task":
        """The task of ``rank``: the job's own script or command."""
        node, local = divmod(rank, self.each)
        known = self.variables(rank)
        argv = variables.command_line(self.job, self.order, known)
        return variables.Task(rank, local, node, argv, known, log_of(rank))


def log_of(rank: int) -> str:
    """The log of ``rank``, as an artifact's name."""
    return "user_logs/std_log_process_{}.txt".format(rank)


def log_path(folder: str, task: "Task") -> str:
    """Where the log of ``task`` lies."""
    return os.path.join(folder, *task.log.split("/"))

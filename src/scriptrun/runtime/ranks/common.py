"""What all distributions share: ranks, their nodes, and the variables that describe them."""

import os

from ..launcher import variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.order import Attempt, LaunchOrder


class World:
    """The nodes and ranks of a job: ``ranks_per_node`` ranks on each of ``nodes`` nodes."""

    def __init__(self, job: "Json", attempt: "Attempt", meeting: "Json", each: int) -> None:
        self.job, self.attempt, self.meeting = job, attempt, meeting
        self.nodes, self.each = attempt.order.nodes, each
        self.size = self.nodes * each
        self.system = variables.system_variables(job, attempt)

    @property
    def order(self) -> "LaunchOrder":
        """The order of this node's launcher."""
        return self.attempt.order

    def on(self, node: int) -> "World":
        """The world as ``node`` sees it, with that node's data and environment."""
        own = self.meeting["nodes"][node].get("own") or {}
        return World(self.job, self.attempt.on(node, own), self.meeting, self.each)

    def variables(self, rank: int) -> "dict[str, str]":
        """All variables that scriptrun sets for ``rank``; ranks are numbered node by node."""
        node, local = divmod(rank, self.each)
        return dict(self.system, **self.place(rank, node, local))

    def place(self, rank: int, node: int, local: int) -> "dict[str, str]":
        """The variables that give ``rank`` its position in the job."""
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
        """The value of OMP_NUM_THREADS, a rank's share of the CPUs; None to leave it alone.

        It is left alone if a node has one rank or the user set it.
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
        """The GPUs that a rank sees: all of its node's, or its share with ``gpu_binding``."""
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
        """The task that runs the job's script or command as ``rank``."""
        node, local = divmod(rank, self.each)
        known = self.variables(rank)
        argv = variables.command_line(self.job, self.order, known)
        return variables.Task(rank, local, node, argv, known, log_of(rank))


def log_of(rank: int) -> str:
    """The artifact name of the log of ``rank``."""
    return "user_logs/std_log_process_{}.txt".format(rank)


def log_path(folder: str, task: "Task") -> str:
    """The path of the log of ``task``."""
    return os.path.join(folder, *task.log.split("/"))

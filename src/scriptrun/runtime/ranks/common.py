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

    def __init__(
        self, job: "Json", attempt: "Attempt", agreement: "Json", ranks_per_node: int
    ) -> None:
        self.job, self.attempt, self.agreement = job, attempt, agreement
        self.nodes, self.ranks_per_node = attempt.order.nodes, ranks_per_node
        self.size = self.nodes * ranks_per_node
        self.system = variables.system_variables(job, attempt)

    @property
    def order(self) -> "LaunchOrder":
        """The order of this node's launcher."""
        return self.attempt.order

    def for_node(self, node: int) -> "World":
        """The world as ``node`` sees it, with that node's data and environment."""
        node_values = self.agreement["nodes"][node].get("own") or {}
        return World(
            self.job, self.attempt.for_node(node, node_values), self.agreement, self.ranks_per_node
        )

    def variables(self, rank: int) -> "dict[str, str]":
        """All variables that scriptrun sets for ``rank``; ranks are numbered node by node."""
        node, local_rank = divmod(rank, self.ranks_per_node)
        return dict(self.system, **self.position_variables(rank, node, local_rank))

    def position_variables(self, rank: int, node: int, local_rank: int) -> "dict[str, str]":
        """The variables that give ``rank`` its position in the job."""
        address, port = self.agreement["address"], str(self.agreement["port"])
        hosts = [node_entry["address"] for node_entry in self.agreement["nodes"]]
        values = {
            "SCRIPTRUN_RANK": rank,
            "SCRIPTRUN_NODE": node,
            "SCRIPTRUN_LOCAL_RANK": local_rank,
            "SCRIPTRUN_WORLD_SIZE": self.size,
            "MASTER_ADDR": address,
            "MASTER_PORT": port,
            "NODE_RANK": node,
            "RANK": rank,
            "LOCAL_RANK": local_rank,
            "WORLD_SIZE": self.size,
            "LOCAL_WORLD_SIZE": self.ranks_per_node,
            "AZ_BATCHAI_TASK_INDEX": rank,
            "AZ_BATCHAI_PYTORCH_INIT_METHOD": "tcp://{}:{}".format(address, port),
            "AZ_BATCHAI_MPI_MASTER_NODE": address,
            "AZ_BATCH_MASTER_NODE": "{}:{}".format(address, port),
            "AZ_BATCH_NODE_LIST": ";".join(hosts),
            "AZ_BATCH_HOST_LIST": ",".join(hosts),
            "AZUREML_CR_NODE_RANK": node,
        }
        values = {name: str(value) for name, value in values.items()}
        threads = self.threads()
        if threads:
            values["OMP_NUM_THREADS"] = str(threads)
        devices = self.devices(node, local_rank)
        if devices is not None:
            values["CUDA_VISIBLE_DEVICES"] = devices
        return values

    def threads(self) -> "int | None":
        """The value of OMP_NUM_THREADS, a rank's share of the CPUs; None to leave it alone.

        It is left alone if a node has one rank or the user set it.
        """
        job_variables = self.job.get("variables") or {}
        inherited = self.order.environ or {}
        if (
            self.ranks_per_node < 2
            or "OMP_NUM_THREADS" in job_variables
            or "OMP_NUM_THREADS" in inherited
        ):
            return None
        cpus: int = self.agreement["nodes"][self.order.node]["cpus"]
        requested: "int | None" = (self.job.get("resources") or {}).get("cpus")
        if self.order.rehearsal:
            cpus //= self.nodes  # the nodes share this machine
        return max(1, min(cpus, requested or cpus) // self.ranks_per_node)

    def devices(self, node: int, local_rank: int) -> "str | None":
        """The GPUs that a rank sees: all of its node's, or its share with ``gpu_binding``."""
        gpus = [gpu for gpu in (self.order.devices or "").split(",") if gpu]
        if not gpus:
            return None
        if self.order.rehearsal and len(gpus) >= self.nodes:
            share = len(gpus) // self.nodes
            gpus = gpus[node * share : (node + 1) * share]
        resources = self.job.get("resources") or {}
        if resources.get("gpu_binding") == "process":
            share = max(1, len(gpus) // self.ranks_per_node)
            first = local_rank * share % len(gpus)
            gpus = gpus[first : first + share]
        return ",".join(gpus)

    def task(self, rank: int) -> "Task":
        """The task that runs the job's script or command as ``rank``."""
        node, local_rank = divmod(rank, self.ranks_per_node)
        environ = self.variables(rank)
        argv = variables.command_line(self.job, self.order, environ)
        return variables.Task(rank, local_rank, node, argv, environ, log_name(rank))


def log_name(rank: int) -> str:
    """The artifact name of the log of ``rank``."""
    return "user_logs/std_log_process_{}.txt".format(rank)


def log_path(folder: str, task: "Task") -> str:
    """The path of the log of ``task``."""
    return os.path.join(folder, *task.log.split("/"))

"""How a job is distributed: MPI, PyTorch or TensorFlow (names and defaults as in the SDK v1)."""

from __future__ import annotations

from scriptrun.config.section_base import Section
from scriptrun.spec.errors import RunConfigurationException

BACKENDS = ("nccl", "gloo")


class MpiConfiguration(Section):
    """An MPI job: ``process_count_per_node`` processes on each of ``node_count`` nodes."""

    process_count_per_node: int = 1
    node_count: int = 1

    def __init__(self, process_count_per_node: int = 1, node_count: int = 1) -> None:
        super().__init__(process_count_per_node=process_count_per_node, node_count=node_count)


class PyTorchConfiguration(Section):
    """A PyTorch job: ``process_count`` processes (None: one per node) on ``node_count`` nodes.

    ``communication_backend`` is "Nccl" or "Gloo"; RunConfigurationException for others.
    """

    communication_backend: str = "nccl"
    process_count: int | None = None
    node_count: int = 1

    def __init__(
        self,
        communication_backend: str = "Nccl",
        process_count: int | None = None,
        node_count: int = 1,
    ) -> None:
        backend = str(communication_backend).lower()
        if backend not in BACKENDS:
            raise RunConfigurationException(
                f"Unknown communication_backend {communication_backend!r} of PyTorchConfiguration.",
                "Use Nccl (for GPUs) or Gloo.",
            )
        super().__init__(
            communication_backend=backend, process_count=process_count, node_count=node_count
        )


class TensorflowConfiguration(Section):
    """A TensorFlow job: ``worker_count`` nodes, and parameter servers (0 for multi-worker jobs)."""

    worker_count: int = 1
    parameter_server_count: int = 1

    def __init__(self, worker_count: int = 1, parameter_server_count: int = 1) -> None:
        super().__init__(worker_count=worker_count, parameter_server_count=parameter_server_count)

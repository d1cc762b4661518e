"""The nodes and processes of a RunConfiguration: its Distribution, and checks of it."""

from __future__ import annotations

from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.spec.job import Distribution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeGuard

_MPI = frozenset({"mpi", "intelmpi", "openmpi"})
_PYTORCH = frozenset({"nccl", "gloo"})
_TENSORFLOW = frozenset({"parameterserver"})


def distribution(config: RunConfiguration) -> Distribution:
    """How many processes run on how many nodes; ``config.node_count`` overrides the sections.

    For "pytorch", ``processes`` is None if the user did not set it: one process per node.
    """
    communicator, nodes = str(config.communicator).lower(), config.node_count
    if communicator in _MPI:
        per_node = config.mpi.process_count_per_node
        return Distribution("mpi", nodes, per_node, nodes * per_node)
    if communicator in _PYTORCH:
        total = config.pytorch.process_count
        per_node = -(-total // nodes) if total else 1
        return Distribution("pytorch", nodes, per_node, total, {"backend": communicator})
    if communicator in _TENSORFLOW:
        servers = config.tensorflow.parameter_server_count
        settings = {"workers": nodes, "parameter_servers": servers}
        return Distribution("tensorflow", nodes, 1, None, settings)
    return Distribution("nodes" if nodes > 1 else "", nodes)


def problems(config: RunConfiguration) -> list[str]:
    """The problems with nodes and processes, as sentences."""
    messages = [_integer_problem("node_count", config.node_count)]
    communicator = str(config.communicator).lower()
    if communicator in _MPI:
        count = config.mpi.process_count_per_node
        messages.append(_integer_problem("mpi.process_count_per_node", count))
    elif communicator in _PYTORCH:
        messages += _pytorch_problems(config)
    elif communicator in _TENSORFLOW:
        servers = config.tensorflow.parameter_server_count
        messages.append(_integer_problem("tensorflow.parameter_server_count", servers, minimum=0))
    elif communicator not in ("none", ""):
        messages.append(
            f"invalid communicator {config.communicator!r}; use None, IntelMpi, OpenMpi, Nccl, "
            "Gloo or ParameterServer"
        )
    return [message for message in messages if message]


def notes(config: RunConfiguration) -> list[str]:
    """Notes for the user: node counts in sections that run_config.node_count overrides."""
    communicator = str(config.communicator).lower()
    section_counts = {
        "mpi.node_count": config.mpi.node_count if communicator in _MPI else None,
        "pytorch.node_count": config.pytorch.node_count if communicator in _PYTORCH else None,
    }
    return [
        f"run_config.node_count={config.node_count} overrides {name}={count}"
        for name, count in section_counts.items()
        if count is not None and count != config.node_count
    ]


def _pytorch_problems(config: RunConfiguration) -> list[str]:
    count, nodes = config.pytorch.process_count, config.node_count
    if count is None:
        return []
    problem = _integer_problem("pytorch.process_count", count)
    if problem:
        return [problem]
    if _is_integer(nodes) and nodes > 0 and count % nodes:
        return [
            f"process_count={count} of PyTorchConfiguration must be a multiple of "
            f"node_count={nodes}; it is the total across all nodes"
        ]
    return []


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _integer_problem(name: str, value: object, minimum: int = 1) -> str:
    if _is_integer(value) and value >= minimum:
        return ""
    return f"{name} must be an integer of at least {minimum}, not {value!r}"

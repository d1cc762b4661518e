"""The CPUs, GPUs and memory that each node or rank of a job requests."""

from __future__ import annotations

import re

from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.spec.job import Distribution, Resources
from scriptrun.spec.values import Value

_SIZE = r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)I?B?"
_POWERS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
#: the most bytes that a system counts
_LARGEST = 1 << 63
#: the resources; NAME is per node, NAME_per_process per rank
NAMES = ("cpus", "gpus", "memory")
#: which GPUs of its node a rank sees: all of them, or its own share
BINDINGS = ("node", "process")


class RequestedResources(Value):
    """The resources as the user wrote them: per node and per process, by name."""

    per_node: dict[str, object]
    per_process: dict[str, object]
    gpu_binding: str


def requested(config: ScriptRunConfig) -> RequestedResources:
    """The resources that ``config`` requests."""
    return RequestedResources(
        {name: getattr(config, name) for name in NAMES},
        {name: getattr(config, f"{name}_per_process") for name in NAMES},
        config.gpu_binding,
    )


def node_resources(request: RequestedResources, distribution: Distribution) -> Resources:
    """The requested amounts per node, for the ranks of ``distribution``."""
    ranks = ranks_per_node(distribution)
    amounts: dict[str, int | None] = {}
    for name in NAMES:
        amounts[name] = parse_size(request.per_node[name])
        if request.per_process[name] is not None:
            amounts[name] = (parse_size(request.per_process[name]) or 0) * ranks[name]
    return Resources(
        **amounts, gpu_binding=request.gpu_binding if request.gpu_binding != "node" else None
    )


def ranks_per_node(distribution: Distribution) -> dict[str, int]:
    """The maximum number of ranks per node that use each resource; servers use no GPU."""
    servers = -(-int(distribution.settings.get("parameter_servers", 0)) // distribution.nodes)
    processes = distribution.processes_per_node
    return {"cpus": processes + servers, "gpus": processes, "memory": processes + servers}


def parse_size(value: object) -> int | None:
    """Bytes from a number or a string such as ``16G`` (powers of 1024); None if invalid."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value <= _LARGEST else None
    match = re.fullmatch(_SIZE, value.strip(), re.IGNORECASE) if isinstance(value, str) else None
    size = float(match[1]) * (1 << _POWERS[match[2].upper()]) if match else -1.0
    return int(size) if 0 <= size <= _LARGEST else None


def problems(request: RequestedResources) -> list[str]:
    """The problems with the requested resources, as sentences."""
    messages = []
    for name in NAMES:
        per_node, per_process = request.per_node[name], request.per_process[name]
        messages += _amount_problems(name, name, per_node, "node")
        messages += _amount_problems(name, f"{name}_per_process", per_process, "process")
        if per_node is not None and per_process is not None:
            messages.append(
                f"{name}={per_node!r} and {name}_per_process={per_process!r} cannot be used "
                "together"
            )
    if request.gpu_binding not in BINDINGS:
        messages.append(
            f"invalid gpu_binding {request.gpu_binding!r}; use 'node' (each rank sees all GPUs of "
            "its node) or 'process' (each rank sees its own share)"
        )
    return messages


def _amount_problems(kind: str, name: str, value: object, unit: str) -> list[str]:
    minimum = 0 if kind == "gpus" else 1
    is_count = type(value) is int and value >= minimum
    if value is None or (parse_size(value) if kind == "memory" else is_count):
        return []
    expected = "a size, e.g. 16G" if kind == "memory" else f"an integer of at least {minimum}"
    return [f"{name} (per {unit}) must be {expected}, not {value!r}"]

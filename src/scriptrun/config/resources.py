"""The CPUs, GPUs and memory that each node or rank of a job requests."""

from __future__ import annotations

import re

from scriptrun.config import distribution_spec
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.spec.job import Distribution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)I?B?", re.IGNORECASE)
_POWERS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
#: the resources; NAME is per node, NAME_per_process per rank
NAMES = ("cpus", "gpus", "memory")
#: which GPUs of its node a rank sees: all of them, or its own share
BINDINGS = ("node", "process")


def of(config: ScriptRunConfig) -> dict[str, Any]:
    """``JobSpec.resources``: the requested amounts per node, memory in bytes."""
    ranks = _ranks(distribution_spec.distribution(config.run_config))
    found: dict[str, Any] = {}
    for name in NAMES:
        a_node, a_rank = getattr(config, name), getattr(config, f"{name}_per_process")
        found[name] = _count(name, a_node)
        if a_rank is not None:
            found[name] = (_count(name, a_rank) or 0) * ranks[name]
    found["gpu_binding"] = config.gpu_binding if config.gpu_binding != "node" else None
    return {name: value for name, value in found.items() if value is not None}


def _count(name: str, value: Any) -> int | None:
    return size_of(value) if name == "memory" else value


def _ranks(spread: Distribution) -> dict[str, int]:
    """The maximum number of ranks per node that use each resource; servers use no GPU."""
    servers = -(-int(spread.settings.get("parameter_servers", 0)) // spread.nodes)
    each = spread.processes_per_node
    return {"cpus": each + servers, "gpus": each, "memory": each + servers}


def size_of(value: object) -> int | None:
    """Bytes from a number or a string such as ``16G`` (powers of 1024); None if invalid."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(float(match[1]) * (1 << _POWERS[match[2].upper()])) if match else None


def problems(config: ScriptRunConfig) -> list[str]:
    """The problems with the requested resources, as sentences."""
    found = []
    for name in NAMES:
        a_node, a_rank = getattr(config, name), getattr(config, f"{name}_per_process")
        found += _bad(name, name, a_node, "node")
        found += _bad(name, f"{name}_per_process", a_rank, "process")
        if a_node is not None and a_rank is not None:
            found.append(
                f"{name}={a_node!r} and {name}_per_process={a_rank!r} cannot be used "
                "together"
            )
    if config.gpu_binding not in BINDINGS:
        found.append(
            f"invalid gpu_binding {config.gpu_binding!r}; use 'node' (each rank sees all GPUs of "
            "its node) or 'process' (each rank sees its own share)"
        )
    return found


def _bad(kind: str, name: str, value: Any, whose: str) -> list[str]:
    least = 0 if kind == "gpus" else 1
    if value is None or (size_of(value) if kind == "memory" else _is_count(value, least)):
        return []
    wanted = "a size, e.g. 16G" if kind == "memory" else f"an integer of at least {least}"
    return [f"{name} (per {whose}) must be {wanted}, not {value!r}"]


def _is_count(value: Any, least: int) -> bool:
    return type(value) is int and value >= least

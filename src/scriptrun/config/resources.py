"""What each node of a job must give: CPUs, GPUs, memory."""

from __future__ import annotations

import re

from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.spec.hints import Any

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)I?B?", re.IGNORECASE)
_POWERS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
#: which GPUs of its node a rank sees: all of them, or its own share
BINDINGS = ("node", "process")


def of(config: ScriptRunConfig) -> dict[str, Any]:
    """``JobSpec.resources``: what was asked for, and nothing else; memory in bytes."""
    found: dict[str, Any] = {
        "cpus": config.cpus,
        "gpus": config.gpus,
        "memory": size_of(config.memory),
        "gpu_binding": config.gpu_binding if config.gpu_binding != "node" else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def size_of(value: object) -> int | None:
    """A number of bytes, or a text such as ``16G`` (powers of 1024), in bytes; None for neither."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(float(match[1]) * (1 << _POWERS[match[2].upper()])) if match else None


def problems(config: ScriptRunConfig) -> list[str]:
    """What is wrong with them, as sentences."""
    found = [
        f"{name} is {value!r}; a whole number from {least} up is wanted, for each node."
        for name, value, least in (("cpus", config.cpus, 1), ("gpus", config.gpus, 0))
        if value is not None and not (type(value) is int and value >= least)
    ]
    if config.memory is not None and not size_of(config.memory):
        found.append(f"memory is {config.memory!r}; a size such as 16G is wanted, for each node.")
    if config.gpu_binding not in BINDINGS:
        found.append(
            f"gpu_binding is {config.gpu_binding!r}; it is 'node' (each rank sees all GPUs of its "
            "node) or 'process' (each rank sees its own share)."
        )
    return found

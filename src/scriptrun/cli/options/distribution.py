"""--nodes, --processes, --mpi, --pytorch, --tensorflow and the resources of a job."""

from __future__ import annotations

import argparse

from scriptrun.config import resources
from scriptrun.config.distributed import (
    MpiConfiguration,
    PyTorchConfiguration,
    TensorflowConfiguration,
)
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import ScriptRunConfig, set_distribution
from scriptrun.spec.errors import UserErrorException


def apply(args: argparse.Namespace, configuration: RunConfiguration) -> None:
    """Apply the options to ``configuration``. Raises UserErrorException if they conflict."""
    nodes, processes = args.nodes, args.processes
    if args.distributed == "mpi":
        if processes is not None and nodes > 0 and processes % nodes:
            raise UserErrorException(
                f"--processes {processes} is not a multiple of --nodes {nodes}.",
                "--processes is the total across all nodes.",
            )
        set_distribution(
            configuration, MpiConfiguration(max(1, (processes or nodes) // max(1, nodes)), nodes)
        )
    elif args.distributed == "pytorch":
        backend = "Nccl" if args.gpus else "Gloo"
        set_distribution(configuration, PyTorchConfiguration(backend, processes, nodes))
    elif processes is not None:
        raise UserErrorException("--processes requires --mpi or --pytorch.", "Add one of them.")
    elif args.distributed == "tensorflow":
        set_distribution(configuration, TensorflowConfiguration(nodes, 0))
    elif nodes != 1:
        configuration.node_count = nodes


def request_resources(args: argparse.Namespace, config: ScriptRunConfig) -> None:
    """Set the resources of --cpus, --gpus, --memory and --gpu-binding in ``config``."""
    fields = [field for kind in resources.NAMES for field in (kind, f"{kind}_per_process")]
    for name in (*fields, "gpu_binding"):
        if getattr(args, name) is not None:
            setattr(config, name, getattr(args, name))

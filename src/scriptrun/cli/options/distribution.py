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


def apply(args: argparse.Namespace, made: RunConfiguration) -> None:
    """Apply the options to ``made``. Raises UserErrorException if they conflict."""
    nodes, processes = args.nodes, args.processes
    if args.distributed == "mpi":
        if processes is not None and nodes > 0 and processes % nodes:
            raise UserErrorException(
                f"--processes {processes} is not a multiple of --nodes {nodes}.",
                "--processes is the total across all nodes.",
            )
        set_distribution(made, MpiConfiguration(max(1, (processes or nodes) // max(1, nodes)), nodes))
    elif args.distributed == "pytorch":
        backend = "Nccl" if args.gpus else "Gloo"
        set_distribution(made, PyTorchConfiguration(backend, processes, nodes))
    elif processes is not None:
        raise UserErrorException("--processes requires --mpi or --pytorch.", "Add one of them.")
    elif args.distributed == "tensorflow":
        set_distribution(made, TensorflowConfiguration(nodes, 0))
    elif nodes != 1:
        made.node_count = nodes


def ask(args: argparse.Namespace, config: ScriptRunConfig) -> None:
    """Set the resources of --cpus, --gpus, --memory and --gpu-binding in ``config``."""
    asked = [each for kind in resources.NAMES for each in (kind, f"{kind}_per_process")]
    for name in (*asked, "gpu_binding"):
        if getattr(args, name) is not None:
            setattr(config, name, getattr(args, name))

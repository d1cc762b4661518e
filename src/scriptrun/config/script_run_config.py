"""ScriptRunConfig: one training job, as the user describes it."""

from __future__ import annotations

import os
import warnings

from scriptrun.config.distributed import (
    MpiConfiguration,
    PyTorchConfiguration,
    TensorflowConfiguration,
)
from scriptrun.config.environments.environment import Environment
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.sections import DockerConfiguration
from scriptrun.spec.library_values import plain_value
from scriptrun.spec.suggestion import did_you_mean
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

Distributed = MpiConfiguration | PyTorchConfiguration | TensorflowConfiguration


class OverruledArgument(Value):
    """An argument that run_config overrules, with both values."""

    argument: str
    requested: Any
    effective: Any

    def __str__(self) -> str:
        effective = _short_text(self.effective)
        return f"{self.argument}={_short_text(self.requested)} (run_config has {effective})"


class ScriptRunConfig:
    """A script or command in a source directory, with all its settings.

    ``source_directory`` is copied when you submit the job; ``script`` is relative to it.
    ``arguments`` is a flat list of strings, numbers, paths, None and data (a string is split as a
    shell would). ``command`` (a shell line, or a list joined by spaces) replaces script and
    arguments. ``compute_target`` is a name or a compute target (default: this machine).
    ``max_run_duration_seconds`` None means no limit. ``resume_from`` is a Run or a DataPath whose
    files the script gets as ``--resume-from PATH``.

    You can change ``run_config`` until you submit the job. If you pass one together with
    compute_target, environment, distributed_job_config, docker_runtime_config or
    max_run_duration_seconds, it wins; a warning names the overruled arguments, and ``overruled``
    lists them. Nothing is looked up here: submitting an invalid job fails with all problems.

    As in v1, you can set unknown attributes, without effect; a warning suggests the closest name.
    A subclass may add its own attributes.
    """

    #: the module that checks and submits this configuration
    submitter = "scriptrun.submission.submit"

    source_directory: str | os.PathLike[str]
    script: str | os.PathLike[str] | None
    arguments: Any
    command: Any
    resume_from: Any
    distributed_job_config: Distributed | None
    docker_runtime_config: DockerConfiguration | None
    overruled: tuple[OverruledArgument, ...]
    run_config: RunConfiguration
    #: the identity that an Azure cluster runs the job with; accepted, without effect
    identity: Any = None
    #: how often a failed run is retried (not in the SDK v1)
    retries: int = 0
    #: the causes to retry: ``preempted``, ``node-lost``, ``time-limit``, ``exit:75``,
    #: ``signal:SIGBUS``
    retry_on: tuple[str, ...] = ("preempted", "node-lost")
    #: send SIGTERM this many seconds before the time limit, so that the job can save; it is then
    #: retried while retries are left
    warn_before_seconds: float | None = None
    #: resources per node: whole CPUs, GPUs, and memory in bytes or as ``16G``; None: no request
    cpus: int | None = None
    gpus: int | None = None
    memory: int | str | None = None
    #: resources per rank instead; a node must provide the sum of its ranks
    cpus_per_process: int | None = None
    gpus_per_process: int | None = None
    memory_per_process: int | str | None = None
    #: which GPUs of its node a rank sees: all ("node"), or its own share ("process")
    gpu_binding: str = "node"
    #: options of the compute target for this run alone; on Slurm ``time``, ``partition``,
    #: ``account``, ``qos``, ``gres``, ``constraint`` and ``extra``, a list of sbatch options
    target_options: Mapping[str, object] | None = None
    #: the SDK v1's default duration; scriptrun has no default limit
    MAX_DURATION_SECONDS_DEFAULT = 2592000

    def __init__(
        self,
        source_directory: str | os.PathLike[str] | None = None,
        script: str | os.PathLike[str] | None = None,
        arguments: object = None,
        run_config: RunConfiguration | None = None,
        compute_target: object = None,
        environment: Environment | None = None,
        distributed_job_config: Distributed | None = None,
        resume_from: object = None,
        max_run_duration_seconds: float | None = None,
        command: object = None,
        docker_runtime_config: DockerConfiguration | None = None,
    ) -> None:
        # set directly: __setattr__ would check each name
        self.__dict__.update(
            source_directory="." if source_directory is None else source_directory,
            script=script,
            arguments=[] if arguments is None else plain_value(arguments),
            command=plain_value(command),
            resume_from=resume_from,
            distributed_job_config=distributed_job_config,
            docker_runtime_config=docker_runtime_config,
            overruled=(),
            run_config=RunConfiguration() if run_config is None else run_config,
        )
        overrides = {
            "compute_target": compute_target,
            "environment": environment,
            "distributed_job_config": distributed_job_config,
            "docker_runtime_config": docker_runtime_config,
            "max_run_duration_seconds": max_run_duration_seconds,
        }
        if run_config is None:
            _apply(self.run_config, overrides)
        else:
            self._record_overruled(overrides)

    def __setattr__(self, name: str, value: object) -> None:
        if not _is_known(self, name):
            warnings.warn(_no_effect_message(name), stacklevel=2)
        object.__setattr__(self, name, plain_value(value))

    @property
    def overruled_warnings(self) -> list[str]:
        """The warning about overruled arguments, or an empty list."""
        if not self.overruled:
            return []
        listed = ", ".join(map(str, self.overruled))
        return [
            f"run_config overrides these arguments of ScriptRunConfig: {listed}. "
            "Set them on run_config, or remove run_config."
        ]

    def _record_overruled(self, overrides: dict[str, object]) -> None:
        current = _current_settings(self.run_config)
        self.overruled = tuple(
            OverruledArgument(name, value, current.get(name))
            for name, value in overrides.items()
            if value is not None and not _is_equivalent(value, current.get(name))
        )
        for message in self.overruled_warnings:
            warnings.warn(message, stacklevel=3)

    def __repr__(self) -> str:
        subject = f"command={self.command!r}" if self.command else f"script={self.script!r}"
        return f"ScriptRunConfig(source_directory={self.source_directory!r}, {subject})"


#: the arguments that only the constructor reads, and what to set instead later
_CONSTRUCTOR_ONLY = {
    "distributed_job_config": "framework, communicator, node_count and mpi, pytorch or tensorflow "
    "of run_config",
    "docker_runtime_config": "run_config.docker",
    "compute_target": "run_config.target",
}


def _is_known(config: ScriptRunConfig, name: str) -> bool:
    if type(config) is not ScriptRunConfig:
        return True  # a subclass may have any attributes
    exists = name in config.__dict__ or name[:1] == "_" or hasattr(ScriptRunConfig, name)
    return exists and name not in _CONSTRUCTOR_ONLY


def _no_effect_message(name: str) -> str:
    """The warning for setting a name that has no effect."""
    instead = (
        f"run_config.{name}" if name in RunConfiguration.fields else _CONSTRUCTOR_ONLY.get(name, "")
    )
    if instead:
        return f"Setting {name!r} on a ScriptRunConfig has no effect; set {instead}."
    message = f"ScriptRunConfig has no attribute {name!r}, so setting it has no effect"
    attributes = [
        attribute
        for attribute in ScriptRunConfig.__annotations__
        if attribute not in ("overruled", *_CONSTRUCTOR_ONLY)
    ]
    config_names = [field for field in RunConfiguration.fields if field not in attributes]
    suggestion = did_you_mean(name, [*attributes, *config_names])
    if "did you mean" not in suggestion:
        return f"{message}."
    for config_name in config_names:
        suggestion = suggestion.replace(repr(config_name), f"'run_config.{config_name}'")
    return message + suggestion


def _apply(config: RunConfiguration, overrides: dict[str, Any]) -> None:
    if overrides["compute_target"] is not None:
        config.target = overrides["compute_target"]
    if overrides["environment"] is not None:
        config.environment = overrides["environment"]
    if overrides["docker_runtime_config"] is not None:
        config.docker = overrides["docker_runtime_config"]
    config.max_run_duration_seconds = overrides["max_run_duration_seconds"]
    set_distribution(config, overrides["distributed_job_config"])


def set_distribution(config: RunConfiguration, distributed: object) -> None:
    """Set framework, communicator and node count as the SDK v1 did.

    An object of another type is ignored here; the checks before submission report it.
    """
    if isinstance(distributed, MpiConfiguration):
        config.mpi = distributed
        config.framework, config.communicator = "Python", "IntelMpi"
        config.node_count = distributed.node_count
    elif isinstance(distributed, PyTorchConfiguration):
        config.pytorch = distributed
        config.framework, config.communicator = "PyTorch", distributed.communication_backend
        config.node_count = distributed.node_count
    elif isinstance(distributed, TensorflowConfiguration):
        config.tensorflow = distributed
        config.framework, config.communicator = "TensorFlow", "ParameterServer"
        config.node_count = distributed.worker_count


def _current_settings(config: object) -> dict[str, Any]:
    if not isinstance(config, RunConfiguration):
        return {}
    return {
        "compute_target": config.target,
        "environment": config.environment,
        "distributed_job_config": distributed_section(config),
        "docker_runtime_config": config.docker,
        "max_run_duration_seconds": config.max_run_duration_seconds,
    }


def distributed_section(config: RunConfiguration) -> Distributed | None:
    """The section of ``config`` for the job's distribution, selected by its communicator."""
    by_communicator: dict[str, Distributed] = {
        "intelmpi": config.mpi,
        "openmpi": config.mpi,
        "mpi": config.mpi,
        "nccl": config.pytorch,
        "gloo": config.pytorch,
        "parameterserver": config.tensorflow,
    }
    return by_communicator.get(str(config.communicator).lower())


def _is_equivalent(value: object, other: object) -> bool:
    """Whether two values mean the same; a compute target equals its name."""
    if isinstance(value, str) or isinstance(other, str):
        return bool(getattr(value, "name", value) == getattr(other, "name", other))
    return bool(value == other)


def _short_text(value: object) -> str:
    if isinstance(value, Environment):
        return repr(value.name)
    name = getattr(value, "name", None)
    return repr(name if isinstance(name, str) else value)

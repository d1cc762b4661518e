"""RunConfiguration: all settings of a job, in sections as in a ``.runconfig`` file."""

from __future__ import annotations

import os

from scriptrun.config import runconfig_file
from scriptrun.config.data_sections import Data, DataReferenceConfiguration, OutputData
from scriptrun.config.distributed import (
    MpiConfiguration,
    PyTorchConfiguration,
    TensorflowConfiguration,
)
from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.config.environments.environment import Environment
from scriptrun.config.section_base import Section
from scriptrun.config.sections import (
    AmlComputeConfiguration,
    DockerConfiguration,
    HdiConfiguration,
    HistoryConfiguration,
    KubernetesComputeConfiguration,
    ParallelTaskConfiguration,
    SparkConfiguration,
)
from scriptrun.spec.values import fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT_ENVIRONMENT = "default-environment"


def default_environment() -> Environment:
    """The environment of a job that does not set one."""
    return Environment(DEFAULT_ENVIRONMENT)


class DefaultTarget(str):
    """The name of the target of a job that names none: a default may take its place."""

    __slots__ = ()


class RunConfiguration(Section):
    """The settings of a job; you can change every field until you submit it.

    ``target`` is a name or a compute target; ``communicator`` is "None", "ParameterServer",
    "IntelMpi", "OpenMpi", "Nccl" or "Gloo"; ``max_run_duration_seconds`` None means no limit.
    """

    wire_names = {"services": "applicationEndpoints"}
    texts = frozenset({"arguments", "target"})
    ignored_keys = frozenset({"autoPrepareEnvironment", "prepareEnvironment", "containerInstance"})

    script: str | None = None
    arguments: list[Any] = fresh(list)
    target: Any = DefaultTarget("local")
    framework: str = "Python"
    communicator: str = "None"
    max_run_duration_seconds: int | None = None
    node_count: int = 1
    priority: int | None = None
    environment: Environment = fresh(default_environment)
    history: HistoryConfiguration = fresh(HistoryConfiguration)
    spark: SparkConfiguration = fresh(SparkConfiguration)
    docker: DockerConfiguration = fresh(DockerConfiguration)
    hdi: HdiConfiguration = fresh(HdiConfiguration)
    tensorflow: TensorflowConfiguration = fresh(TensorflowConfiguration)
    mpi: MpiConfiguration = fresh(MpiConfiguration)
    pytorch: PyTorchConfiguration = fresh(PyTorchConfiguration)
    paralleltask: ParallelTaskConfiguration = fresh(ParallelTaskConfiguration)
    data_references: dict[str, DataReferenceConfiguration] = fresh(dict)
    data: dict[str, Data] = fresh(dict)
    datacaches: list[Any] = fresh(list)
    output_data: dict[str, OutputData] = fresh(dict)
    source_directory_data_store: str | None = None
    amlcompute: AmlComputeConfiguration = fresh(AmlComputeConfiguration)
    auto_cluster_compute_specification: Any = None
    kubernetescompute: KubernetesComputeConfiguration = fresh(KubernetesComputeConfiguration)
    credential_passthrough: bool = False
    command: str | list[str] | None = ""
    environment_variables: dict[str, str | None] = fresh(dict)
    services: dict[str, Any] = fresh(dict)

    def __init__(
        self,
        script: str | os.PathLike[str] | None = None,
        arguments: object = None,
        framework: str | None = None,
        communicator: str | None = None,
        conda_dependencies: CondaDependencies | None = None,
        command: object = None,
    ) -> None:
        super().__init__(
            script=script,
            arguments=[] if arguments is None else arguments,
            framework=framework or "Python",
            communicator=communicator or "None",
            command=command or "",
        )
        if conda_dependencies is not None:
            self.environment.python.conda_dependencies = conda_dependencies

    @property
    def auto_prepare_environment(self) -> bool:
        """For old code: environments are always prepared."""
        return True

    @auto_prepare_environment.setter
    def auto_prepare_environment(self, value: bool) -> None:
        pass

    prepare_environment = auto_prepare_environment

    @staticmethod
    def load(path: str | os.PathLike[str] | None, name: str | None = None) -> RunConfiguration:
        """The run configuration ``name`` of the project directory ``path``, or the file ``path``.

        A name is searched in ``.azureml``, ``aml_config`` and the directory itself, with and
        without ``.runconfig``. Raises RunConfigurationException for a file that is missing or
        malformed, naming the file and the keys.
        """
        return runconfig_file.load(RunConfiguration(), path, name)

    def save(
        self,
        path: str | os.PathLike[str] | None = None,
        name: str | None = None,
        separate_environment_yaml: bool = False,
    ) -> None:
        """Write ``.azureml/<name>.runconfig`` and its conda file below ``path`` (default: ``.``).

        A ``path`` that ends in ``.runconfig`` is the file itself. With
        ``separate_environment_yaml`` the environment is written next to it, to
        ``environment.yml``.
        """
        runconfig_file.save(self, path, name, separate_environment_yaml)

    @staticmethod
    def delete(path: str | os.PathLike[str], name: str) -> None:
        """Delete the run configuration ``name``; RunConfigurationException if it is missing."""
        os.unlink(runconfig_file.find(path, name))

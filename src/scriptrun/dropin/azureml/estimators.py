"""Estimators of the SDK v1, translated into ScriptRunConfigs as the migration guide describes.

https://learn.microsoft.com/azure/machine-learning/v1/how-to-migrate-from-estimators-to-scriptrunconfig
"""

from __future__ import annotations

import warnings

from scriptrun.config import frameworks
from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.config.environments.environment import Environment
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.dropin import as_code
from scriptrun.dropin.azureml import estimator_to_config
from scriptrun.spec.errors import RunConfigurationException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scriptrun.data.datasets.consumption import DatasetConsumptionConfig
    from scriptrun.data.datastores.classes import AbstractDatastore
    from scriptrun.data.datastores.references import DataReference


class Estimator:
    """A training job in the old API; submitting it submits ``to_script_run_config()``.

    Raises RunConfigurationException for settings that contradict each other, and warns
    (DeprecationWarning) with the code to write instead.
    """

    FRAMEWORK_NAME = ""
    DEFAULT_VERSION = ""
    _VERSIONS: tuple[str, ...] = ()

    def __init__(
        self,
        source_directory: str,
        *,
        compute_target: object = None,
        vm_size: str | None = None,
        vm_priority: str | None = None,
        entry_script: str | None = None,
        script_params: Mapping[str, object] | None = None,
        node_count: int = 1,
        process_count_per_node: int = 1,
        distributed_backend: str | None = None,
        distributed_training: object = None,
        use_gpu: bool = False,
        use_docker: bool = True,
        custom_docker_base_image: str | None = None,
        custom_docker_image: str | None = None,
        image_registry_details: object = None,
        user_managed: bool = False,
        conda_packages: list[str] | None = None,
        pip_packages: list[str] | None = None,
        conda_dependencies_file_path: str | None = None,
        pip_requirements_file_path: str | None = None,
        conda_dependencies_file: str | None = None,
        pip_requirements_file: str | None = None,
        environment_variables: dict[str, str] | None = None,
        environment_definition: Environment | None = None,
        inputs: Sequence[DataReference | DatasetConsumptionConfig] | None = None,
        source_directory_data_store: AbstractDatastore | str | None = None,
        shm_size: str | None = None,
        resume_from: object = None,
        max_run_duration_seconds: float | None = None,
        worker_count: int = 1,
        parameter_server_count: int = 1,
        framework_version: str | None = None,
    ) -> None:
        settings = {name: value for name, value in locals().items() if name != "self"}
        self._framework_version = self._check_version(framework_version)
        estimator_to_config.check(settings)
        family = (self.FRAMEWORK_NAME, self._framework_version)
        self._config = estimator_to_config.translate(settings, family)
        code = as_code.as_code(self._config, type(self).__name__)
        warnings.warn(code, DeprecationWarning, stacklevel=2)

    def _check_version(self, version: str | None) -> str:
        if version is not None and version not in self._VERSIONS:
            raise RunConfigurationException(
                f"{type(self).__name__} has no framework_version {version!r}.",
                f"Valid versions: {', '.join(self._VERSIONS)}." if self._VERSIONS else "Remove it.",
            )
        return version or self.DEFAULT_VERSION

    def to_script_run_config(self) -> ScriptRunConfig:
        """Return the ScriptRunConfig that is submitted."""
        return self._config

    @property
    def run_config(self) -> RunConfiguration:
        """The job's run configuration; it can be changed until submission."""
        return self._config.run_config

    _estimator_config = run_config

    @property
    def source_directory(self) -> str:
        """The source directory."""
        return str(self._config.source_directory)

    @property
    def conda_dependencies(self) -> CondaDependencies:
        """The packages of the job's environment."""
        dependencies: CondaDependencies = self.run_config.environment.python.conda_dependencies
        return dependencies

    @classmethod
    def get_supported_versions(cls) -> list[str]:
        """Return the supported framework versions."""
        return list(cls._VERSIONS)

    @property
    def framework_version(self) -> str:
        """The version of the framework."""
        return self._framework_version


class PyTorch(Estimator):
    """An Estimator with a curated environment for PyTorch."""

    FRAMEWORK_NAME = "PyTorch"
    DEFAULT_VERSION, _VERSIONS = frameworks.VERSIONS["PyTorch"]


class TensorFlow(Estimator):
    """An Estimator with a curated environment for TensorFlow."""

    FRAMEWORK_NAME = "TensorFlow"
    DEFAULT_VERSION, _VERSIONS = frameworks.VERSIONS["TensorFlow"]


class Chainer(Estimator):
    """An Estimator with a curated environment for Chainer."""

    FRAMEWORK_NAME = "Chainer"
    DEFAULT_VERSION, _VERSIONS = frameworks.VERSIONS["Chainer"]


class SKLearn(Estimator):
    """An Estimator with a curated environment for scikit-learn."""

    FRAMEWORK_NAME = "SKLearn"
    DEFAULT_VERSION, _VERSIONS = frameworks.VERSIONS["SKLearn"]


class Mpi:
    """``distributed_training`` by MPI."""

    def __init__(self, process_count_per_node: int = 1) -> None:
        self.process_count_per_node = process_count_per_node

    def validate(self, estimator_name: str = "") -> None:
        """Checked when the Estimator is made."""


class ParameterServer:
    """``distributed_training`` by TensorFlow's parameter servers."""

    def __init__(self, worker_count: int = 1, parameter_server_count: int = 1) -> None:
        self.worker_count = worker_count
        self.parameter_server_count = parameter_server_count

    def validate(self, estimator_name: str = "") -> None:
        """Checked when the Estimator is made."""


class Nccl:
    """``distributed_training`` of PyTorch on GPUs."""

    def validate(self, estimator_name: str = "") -> None:
        """Checked when the Estimator is made."""


class Gloo:
    """``distributed_training`` of PyTorch on CPUs."""

    def validate(self, estimator_name: str = "") -> None:
        """Checked when the Estimator is made."""

"""InferenceConfig: the entry script of a service, its source directory and its environment."""

from __future__ import annotations

import os

from scriptrun.config.environments.environment import Environment
from scriptrun.spec.absent import absent
from scriptrun.spec.errors import WebserviceException
from scriptrun.spec.library_values import plain_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import StrPath

_RUNTIMES = ("python", "python-slim", "spark-py")
#: what only an image has: for Model.package, and without effect for a service on this machine
IMAGE_SETTINGS = (
    "extra_docker_file_steps",
    "base_image",
    "base_image_registry",
    "cuda_version",
    "enable_gpu",
)


@absent(
    "build_create_payload build_profile_payload validation_script_content",
    "Deploy the configuration with Model.deploy.",
)
class InferenceConfig:
    """How to serve models: an entry script with ``init()`` and ``run(data)``, and its environment.

    ``entry_script`` is relative to ``source_directory``, which is copied whole. Without a source
    directory, the script is copied with the Python files next to it. The environment is
    ``environment``, else the packages of the conda file ``conda_file`` (the SDK v1's older form,
    with ``runtime="python"``), else one that fits the models. ``enable_gpu``, ``cuda_version``,
    ``base_image``, ``base_image_registry`` and ``extra_docker_file_steps`` are used by
    Model.package only. Nothing is looked up here: deploying an invalid configuration fails with
    all problems.
    """

    def __init__(
        self,
        entry_script: StrPath | None = None,
        runtime: str | None = None,
        conda_file: StrPath | None = None,
        extra_docker_file_steps: StrPath | None = None,
        source_directory: StrPath | None = None,
        enable_gpu: bool | None = None,
        description: str | None = None,
        base_image: str | None = None,
        base_image_registry: object = None,
        cuda_version: str | None = None,
        environment: Environment | None = None,
    ) -> None:
        self.entry_script = plain_value(entry_script)
        self.runtime = runtime
        self.conda_file = conda_file
        self.extra_docker_file_steps = extra_docker_file_steps
        self.source_directory = source_directory
        self.enable_gpu = enable_gpu
        self.description = description
        self.base_image = base_image
        self.base_image_registry = base_image_registry
        self.cuda_version = cuda_version
        self.environment = environment

    def validate_configuration(self) -> None:
        """Raise WebserviceException if the configuration is invalid."""
        problems = self.problems()
        if problems:
            raise WebserviceException(f"The inference configuration is invalid: {problems[0]}.")

    def problems(self) -> list[str]:
        """What is wrong with this configuration."""
        found = []
        if self.runtime is not None and str(self.runtime).lower() not in _RUNTIMES:
            found.append(f"runtime is {self.runtime!r}; use 'python', or give an environment")
        if self.environment is not None and not isinstance(self.environment, Environment):
            found.append(f"environment is {self.environment!r}; give an Environment")
        for name in ("conda_file", "extra_docker_file_steps"):
            path = getattr(self, name)
            if path is not None and not os.path.isfile(self._path(path)):
                found.append(f"{name} {os.fspath(path)!r} does not exist")
        return found

    def chosen_environment(self) -> Environment | None:
        """``environment``, else one with the packages of ``conda_file``, else None."""
        if self.environment is not None or self.conda_file is None:
            return self.environment
        path = self._path(self.conda_file)
        return Environment.from_conda_specification("inference", path)

    def _path(self, path: StrPath) -> str:
        """A path of the configuration: below the source directory if it is there, else as it is."""
        below = os.path.join(self.source_directory or ".", path)
        return below if os.path.exists(below) else os.fspath(path)

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={value!r}" for name, value in vars(self).items() if value is not None
        )
        return f"InferenceConfig({shown})"

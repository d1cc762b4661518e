"""The sections of an Environment, with the names and defaults of the SDK v1."""

from __future__ import annotations

import os

from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.config.environments.images import DEFAULT_CPU_IMAGE
from scriptrun.config.section_base import Section
from scriptrun.spec.values import fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class ContainerRegistry(Section):
    """The registry to pull an image from, with credentials. The password is never recorded."""

    address: str | None = None
    username: str | None = None
    password: str | None = None
    registry_identity: Any = None


AzureContainerRegistry = ContainerRegistry


class DockerImagePlatform(Section):
    """The platform of an image."""

    os: str = "Linux"
    architecture: str = "amd64"


class DockerBuildContext(Section):
    """A directory with a Dockerfile to build an image from, local or in a git repository.

    ``location_type`` is "local" (``location`` is a path) or "git" (``location`` is a URL that the
    container tool accepts: ``https://HOST/REPOSITORY.git#BRANCH:FOLDER``).
    """

    location_type: str | None = None
    location: str | None = None
    dockerfile_path: str = "Dockerfile"

    def __init__(
        self,
        location_type: str | None = None,
        location: str | None = None,
        dockerfile_path: str = "Dockerfile",
    ) -> None:
        super().__init__(
            location_type=location_type, location=location, dockerfile_path=dockerfile_path
        )

    @staticmethod
    def from_local_directory(
        workspace: object, path: str | os.PathLike[str], dockerfile_path: str = "Dockerfile"
    ) -> DockerBuildContext:
        """The build context in the directory ``path``; ``dockerfile_path`` is relative to it."""
        return DockerBuildContext("local", os.path.abspath(path), dockerfile_path)

    @property
    def is_remote(self) -> bool:
        """Whether the context is in a git repository."""
        location = str(self.location or "")
        return self.location_type == "git" or "://" in location or location.startswith("git@")


class DockerSection(Section):
    """The container of an environment: an image, or a Dockerfile (text or path), or a context."""

    ignored_keys = frozenset({"gpuSupport"})

    enabled: bool = False
    base_image: str | None = DEFAULT_CPU_IMAGE
    base_dockerfile: str | None = None
    build_context: DockerBuildContext | None = None
    shared_volumes: bool = True
    shm_size: str | None = "2g"
    arguments: list[str] = fresh(list)
    base_image_registry: ContainerRegistry = fresh(ContainerRegistry)
    platform: DockerImagePlatform = fresh(DockerImagePlatform)

    @property
    def gpu_support(self) -> bool:
        """For old code: a container can always use the GPUs of its machine."""
        return True

    @gpu_support.setter
    def gpu_support(self, value: bool) -> None:
        pass


class PythonSection(Section):
    """The Python of an environment: packages to install, or an existing interpreter.

    Setting ``conda_dependencies_file`` reads that file (relative to the current directory).
    """

    unwritten = frozenset({"conda_dependencies"})

    user_managed_dependencies: bool = False
    interpreter_path: str = "python"
    conda_dependencies_file: str | None = None
    base_conda_environment: str | None = None
    conda_dependencies: CondaDependencies = fresh(CondaDependencies)

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "conda_dependencies_file" and value:
            self.read_conda_file(".")

    def read_conda_file(self, root: str | os.PathLike[str]) -> None:
        """Read ``conda_dependencies_file``, relative to ``root``; checks report a missing file."""
        name = str(self.conda_dependencies_file)
        path = os.path.join(root, name)
        if not os.path.isfile(path) and "\\" in name:  # as Windows writes it
            path = os.path.join(root, name.replace("\\", "/"))
        if os.path.isfile(path):
            self.conda_dependencies = CondaDependencies(path)
            self.missing_file = None
        else:
            self.missing_file = path

    @property
    def missing_file(self) -> str | None:
        """The conda file that does not exist, or None."""
        return self.__dict__.get("~missing_file")

    @missing_file.setter
    def missing_file(self, value: str | None) -> None:
        self.__dict__["~missing_file"] = value


class SparkSection(Section):
    """Spark's packages. For old files only: scriptrun does not run Spark."""

    repositories: list[str] = fresh(list)
    packages: list[Any] = fresh(list)
    precache_packages: bool = True


class DatabricksSection(Section):
    """Databricks' libraries. For old files only."""

    maven_libraries: list[Any] = fresh(list)
    pypi_libraries: list[Any] = fresh(list)
    rcran_libraries: list[Any] = fresh(list)
    jar_libraries: list[Any] = fresh(list)
    egg_libraries: list[Any] = fresh(list)


DockerEnvironment = DockerSection
PythonEnvironment = PythonSection

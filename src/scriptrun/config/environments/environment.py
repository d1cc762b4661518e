"""Environment: what a job runs in. Content only; workspaces register it, builders build it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from scriptrun.config.environments import files as environment_files
from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.config.environments.images import DEFAULT_CPU_IMAGE, DEFAULT_GPU_IMAGE
from scriptrun.config.environments.requirement_files import read_requirements
from scriptrun.config.environments.sections import (
    ContainerRegistry,
    DatabricksSection,
    DockerBuildContext,
    DockerSection,
    PythonSection,
    SparkSection,
)
from scriptrun.config.section_base import Section
from scriptrun.spec.errors import EnvironmentException, UserErrorException
from scriptrun.spec.later import later
from scriptrun.spec.values import fresh
from scriptrun.store import document_limits
from scriptrun.store.document_limits import LimitExceeded

TYPE_CHECKING = False
if TYPE_CHECKING:
    import copy
    from typing import Any

    from scriptrun.config.environments import conda_export, pixi_project, script_header, uv_project
    from scriptrun.core.workspace import Workspace
    from scriptrun.preparation.build import DockerImageDetails, ImageBuildDetails
    from scriptrun.runtime.hints import Json
else:
    conda_export = later("scriptrun.config.environments.conda_export")
    copy = later("copy")
    pixi_project = later("scriptrun.config.environments.pixi_project")
    script_header = later("scriptrun.config.environments.script_header")
    uv_project = later("scriptrun.config.environments.uv_project")

__all__ = [
    "DEFAULT_CPU_IMAGE",
    "DEFAULT_GPU_IMAGE",
    "CondaDependencies",
    "ContainerRegistry",
    "DockerBuildContext",
    "DockerSection",
    "Environment",
    "EnvironmentDefinition",
    "PythonSection",
]

Path = str | os.PathLike[str]
RESERVED = ("azureml", "scriptrun-")


def _example_variables() -> Json:
    return {"EXAMPLE_ENV_VAR": "EXAMPLE_VALUE"}


class Environment(Section):
    """An environment by name: Python and packages, a container, environment variables.

    By default it is system-managed: its packages are installed from ``python.conda_dependencies``.
    Equal by content: two that differ only in name and version are equal.
    """

    name: str | None = None
    version: str | None = None
    environment_variables: dict[str, str | None] = fresh(_example_variables)
    python: PythonSection = fresh(PythonSection)
    docker: DockerSection = fresh(DockerSection)
    spark: SparkSection = fresh(SparkSection)
    databricks: DatabricksSection = fresh(DatabricksSection)
    r: Any = None
    inferencing_stack_version: str | None = None
    asset_id: str | None = None

    def __init__(self, name: str | None = None, **values: object) -> None:
        values.pop("workspace", None)  # old code passes one; it has no effect
        super().__init__(name=name, **values)

    # creating

    @staticmethod
    def from_pip_requirements(
        name: str, file_path: Path, pip_version: str | None = None
    ) -> Environment:
        """The packages of a requirements file, with any Python that they support.

        Nested ``-r`` files are included. Raises UserErrorException if a file is missing.
        """
        conda = CondaDependencies()
        conda.set_pip_requirements(read_requirements(file_path))
        if pip_version:
            conda.add_conda_package(f"pip={pip_version}")
        return _with_conda(name, conda)

    @staticmethod
    def from_conda_specification(name: str, file_path: Path) -> Environment:
        """The packages of a conda environment file; UserErrorException if it is malformed."""
        return _with_conda(name, CondaDependencies(file_path))

    @staticmethod
    def from_uv_project(
        name: str,
        path: Path = ".",
        groups: Sequence[str] | None = None,
        extras: Sequence[str] = (),
        install_project: bool = True,
    ) -> Environment:
        """What ``uv sync --frozen`` would install for the project in the directory ``path``.

        Versions and digests come from its ``uv.lock``, the Python from ``.python-version`` or
        ``requires-python``. ``groups``: only these dependency groups (default: the project's
        defaults). ``install_project``: install the project too, if it is a package. Raises
        EnvironmentException if there is no lockfile, or with uv's error.
        """
        conda = uv_project.read_project(path, groups, extras, install_project)
        return _with_conda(name, conda)

    @staticmethod
    def from_pixi_project(name: str, path: Path = ".", environment: str = "default") -> Environment:
        """What ``pixi install --frozen`` would install for the project in the directory ``path``.

        ``environment`` is one of its environments; the packages are those of ``pixi.lock``, for
        this platform and linux-64. Raises EnvironmentException if they are not locked.
        """
        return _with_conda(name, pixi_project.read_project(path, environment))

    @staticmethod
    def from_script(name: str, path: Path) -> Environment:
        """The requirements in the inline metadata of the script at ``path`` (PEP 723).

        A lockfile from ``uv lock --script`` next to it takes precedence. Raises
        EnvironmentException for a script without inline metadata.
        """
        if not os.path.isfile(path):
            raise EnvironmentException(
                f"Script {os.fspath(path)!r} does not exist.", "Give the path of a Python script."
            )
        conda = script_header.find(path)
        if conda is None:
            raise EnvironmentException(
                f"{os.fspath(path)!r} has no inline script metadata (PEP 723).",
                "Add it with: uv add --script FILE PACKAGE",
            )
        return _with_conda(name, conda)

    @staticmethod
    def from_docker_image(
        name: str,
        image: str,
        container_registry: ContainerRegistry | None = None,
        conda_specification: Path | None = None,
        pip_requirements: Path | None = None,
    ) -> Environment:
        """The image ``image``, optionally with packages from one of the two files."""
        environment = _with_packages(name, conda_specification, pip_requirements)
        environment.docker.base_image = image
        if container_registry is not None:
            environment.docker.base_image_registry = container_registry
        return environment

    @staticmethod
    def from_dockerfile(
        name: str,
        dockerfile: Path,
        conda_specification: Path | None = None,
        pip_requirements: Path | None = None,
    ) -> Environment:
        """The image that ``dockerfile`` (its text, or the path of a file) builds."""
        environment = _with_packages(name, conda_specification, pip_requirements)
        environment.docker.base_image = None
        environment.docker.base_dockerfile = dockerfile_text(dockerfile)
        return environment

    @staticmethod
    def from_docker_build_context(
        name: str, docker_build_context: DockerBuildContext
    ) -> Environment:
        """The image that a directory with a Dockerfile builds."""
        environment = _with_packages(name, None, None)
        environment.docker.base_image = None
        environment.docker.build_context = docker_build_context
        return environment

    @staticmethod
    def from_existing_conda_environment(
        name: str, conda_environment_name: str
    ) -> Environment | None:
        """The packages of a conda environment on this machine; None if it does not exist.

        Finds environments of conda, mamba, micromamba and pixi by name or path, without running
        conda. All packages are pinned to their versions, those from pip too.
        """
        conda = conda_export.read_environment(conda_environment_name)
        return None if conda is None else _with_conda(name, conda)

    def clone(self, new_name: str) -> Environment:
        """An independent copy under another name, without a version."""
        environment = copy.deepcopy(self)
        environment.name, environment.version, environment.asset_id = new_name, None, None
        return environment

    # on disk

    def save_to_directory(self, path: Path, overwrite: bool = False) -> None:
        """Write ``azureml_environment.json`` and ``conda_dependencies.yml`` into ``path``.

        Raises UserErrorException if the directory exists and ``overwrite`` is False.
        """
        environment_files.save(self, path, overwrite)

    @staticmethod
    def load_from_directory(path: Path) -> Environment:
        """The environment that ``save_to_directory`` wrote; UserErrorException if there is none."""
        return environment_files.load(Environment(), path)

    def to_dict(self) -> Json:
        """A JSON value like azureml_environment.json, including the conda dependencies."""
        return environment_files.to_dict(self)

    @staticmethod
    def from_dict(data: Json, where: str = "The environment") -> Environment:
        """The environment that ``to_dict`` wrote; RunConfigurationException names the problems."""
        return environment_files.from_dict(Environment(), data, where)

    # in a workspace

    def register(self, workspace: Workspace) -> Environment:
        """Register this environment in ``workspace`` and return it with its version.

        An unchanged definition keeps its version. Raises UserErrorException for a name that is
        missing or reserved for curated environments.
        """
        check_name(self.name)
        registered: Environment = workspace.register_environment(self)
        return registered

    @staticmethod
    def get(
        workspace: Workspace, name: str, version: str | None = None, label: str | None = None
    ) -> Environment:
        """The environment ``name`` of ``workspace``, or a curated one; the newest by default."""
        if label is not None and (version is not None or label.lower() != "latest"):
            raise UserErrorException(
                f"Unsupported label {label!r} for environment {name!r}.",
                "Give a version, or the label 'Latest'.",
            )
        environment: Environment = workspace.get_environment(name, version)
        return environment

    @staticmethod
    def list(workspace: Workspace) -> dict[str, Environment]:
        """All environments of ``workspace``, curated ones too: name to the newest version."""
        environments: dict[str, Environment] = workspace.list_environments()
        return environments

    @staticmethod
    def label(workspace: object, name: str, version: str, labels: object) -> None:
        """Not supported: raises NotImplementedError. Use versions instead."""
        raise NotImplementedError(
            "Environment.label is not supported; give the version where you use the environment."
        )

    def build(
        self, workspace: Workspace, image_build_compute: str | None = None
    ) -> ImageBuildDetails:
        """Build this environment in ``workspace`` now, before any run needs it.

        The returned build is complete; it has ``wait_for_completion``, ``status`` and ``get_log``.
        """
        return workspace.build_environment(self)

    def build_local(
        self, workspace: Workspace, platform: str | None = None, **kwargs: object
    ) -> ImageBuildDetails:
        """Build this environment on this machine now and print the progress."""
        return workspace.build_environment(self).wait_for_completion(show_output=True)

    def get_image_details(self, workspace: Workspace) -> DockerImageDetails:
        """The build result of this environment, its image and Python, as a dict with properties."""
        return workspace.get_image_details(self)

    @staticmethod
    def add_private_pip_wheel(workspace: Workspace, file_path: Path, exist_ok: bool = False) -> str:
        """Store the wheel at ``file_path`` in ``workspace``; return its URL for add_pip_package.

        Containers and clusters get it too. Raises UserErrorException if the file is not a wheel,
        or a wheel of that name exists and ``exist_ok`` is False.
        """
        address: str = workspace.keep_wheel(file_path, exist_ok)
        return address

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Environment):
            return NotImplemented
        return _content(self) == _content(other)

    __hash__ = Section.__hash__


EnvironmentDefinition = Environment


def is_reserved(name: str) -> bool:
    """Whether ``name`` is reserved for curated environments."""
    return name.lower().startswith(RESERVED)


def check_name(name: object) -> None:
    """Raise UserErrorException unless an environment may be registered as ``name``."""
    if not isinstance(name, str) or not name.strip():
        raise UserErrorException(
            f"Cannot register an environment as {name!r}.", "Give it a valid name."
        )
    if is_reserved(name):
        raise UserErrorException(
            f"Cannot register an environment as {name!r}: names that start with AzureML or "
            "scriptrun- are reserved for curated environments.",
            "Use another name: env.clone('my-environment').register(ws).",
        )


def is_dockerfile_text(dockerfile: str) -> bool:
    """Whether ``dockerfile`` is a Dockerfile's text and not its path."""
    is_instruction = dockerfile.strip().upper().startswith(("FROM ", "ARG ", "#"))
    return "\n" in dockerfile or is_instruction


def dockerfile_text(dockerfile: Path) -> str:
    """The text of a Dockerfile, given as text or as a path.

    Raises EnvironmentException if the file cannot be read.
    """
    text = os.fspath(dockerfile)
    if is_dockerfile_text(text):
        return text
    try:
        return document_limits.read_text(text)
    except (OSError, UnicodeDecodeError, LimitExceeded) as error:
        raise EnvironmentException(
            f"Cannot read Dockerfile {str(text)!r}: {document_limits.reason_of(error)}.",
            "Give the path of a Dockerfile, or its content.",
        ) from None


def _with_conda(name: str, conda: CondaDependencies) -> Environment:
    environment = Environment(name)
    environment.python.conda_dependencies = conda
    return environment


def _with_packages(name: str, conda: Path | None, pip: Path | None) -> Environment:
    if conda is not None and pip is not None:
        raise UserErrorException(
            f"Environment {name!r} has both conda_specification and pip_requirements.",
            "Use one of them; a conda file can contain pip packages.",
        )
    if conda is not None:
        return Environment.from_conda_specification(name, conda)
    if pip is not None:
        return Environment.from_pip_requirements(name, pip)
    environment = Environment(name)
    environment.python.user_managed_dependencies = True
    return environment


def _content(environment: Environment) -> Json:
    content = environment.values()
    for key in ("name", "version", "asset_id"):
        del content[key]
    return content

"""Build an environment before any run needs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scriptrun.config import describe
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.environments import builder, ensure, locks
from scriptrun.environments.cache import listing as cache_listing
from scriptrun.environments.lookup import find
from scriptrun.preparation import resolve as resolve_environment
from scriptrun.registry import image_registries
from scriptrun.spec.environment import EXACT, EnvironmentSpec
from scriptrun.spec.errors import refuse
from scriptrun.store import scratch
from scriptrun.store.secrets import vault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.config.environments.environment import Environment
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.runtime.hints import Json


def spec_of(
    environment: Environment, interpreter: str | None = None, pins: str = EXACT
) -> EnvironmentSpec:
    """The request of a job in ``environment`` here. Raises RunConfigurationException."""
    config = ScriptRunConfig(".", command="true", environment=environment)
    return resolve_environment.resolve(describe.describe(config), interpreter, pins)[0]


def build(
    workspace: WorkspaceFiles,
    environment: Environment,
    log: Callable[[str], None],
    upgrade: bool = False,
    interpreter: str | None = None,
) -> builder.ReadyEnvironment:
    """Lock and build ``environment`` unless it is cached; ``log`` gets each line of output.

    ``upgrade`` resolves it again and replaces the workspace's lockfile. Raises
    EnvironmentException, which names the package and the reason.
    """
    with vault.for_workspace(workspace.id):
        spec = _checked_spec(environment, interpreter, workspace.pins)
        registry = image_registries.for_build(spec, workspace)
        return ensure.ensure(spec, workspace.locks_folder, log, upgrade=upgrade, registry=registry)


def build_first(
    workspace: WorkspaceFiles,
    create_workspace: Callable[[], WorkspaceFiles],
    environment: Environment,
    log: Callable[[str], None],
    interpreter: str | None = None,
) -> builder.ReadyEnvironment:
    """Build for a workspace that does not exist yet; ``create_workspace`` makes it afterwards.

    A failed build leaves no workspace behind.
    """
    spec = _checked_spec(environment, interpreter, workspace.pins)
    registry = image_registries.for_build(spec, workspace)
    with scratch.Scratch("lock") as folder:
        ready = ensure.ensure(spec, Path(folder), log, registry=registry)
    if builder.builder_class(spec.kind).builds:
        locks.store(create_workspace().locks_folder, spec, ready.lock)
    return ready


def plan(workspace: WorkspaceFiles, spec: EnvironmentSpec) -> cache_listing.BuildPlan:
    """The steps that a build of ``spec`` would take now; builds nothing."""
    with vault.for_workspace(workspace.id):
        registry = image_registries.for_build(spec, workspace)
        return cache_listing.plan(spec, workspace.locks_folder, registry)


def _checked_spec(environment: Environment, interpreter: str | None, pins: str) -> EnvironmentSpec:
    spec = spec_of(environment, interpreter, pins)
    refuse(cache_listing.problems(spec), "Cannot build this environment")
    return spec


class ImageBuildDetails:
    """A finished build of an environment, as returned by ``Environment.build``.

    ``ready`` is the built environment; ``log_url`` is always None.
    """

    status = "Succeeded"
    log_url = None

    def __init__(self, ready: builder.ReadyEnvironment, lines: list[str]) -> None:
        self.ready, self._lines = ready, lines

    def wait_for_completion(self, show_output: bool = True) -> ImageBuildDetails:
        """Return at once: the build is finished. ``show_output`` prints its log."""
        if show_output and self._lines:
            print(self.get_log())
        return self

    def get_log(self) -> str:
        """The log of the build; empty if the environment was cached."""
        return "\n".join(self._lines)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ready, name)


class DockerImageDetails(dict[str, "Any"]):
    """The image details of an environment: a dict with the properties of the SDK v1."""

    @property
    def image_exist(self) -> bool:
        """Whether its image is in the container tool's store on this machine."""
        return bool(self["imageExist"])

    @property
    def image(self) -> str | None:
        """The image's ID; None for an environment that is not an image."""
        value: str | None = self["image"]
        return value

    @property
    def repository(self) -> str | None:
        """The name of the base image."""
        value: str | None = self["repository"]
        return value

    @property
    def registry(self) -> Json:
        """The registry's address and user name; empty if none is set."""
        return dict(self["registry"])

    @property
    def interpreter_path(self) -> str | None:
        """The Python that jobs run in: in the image, or on this machine."""
        value: str | None = self["interpreterPath"]
        return value

    @property
    def environment_path(self) -> str | None:
        """The prefix of the packages: in the image, or on this machine."""
        value: str | None = self["environmentPath"]
        return value

    @property
    def dockerfile(self) -> str | None:
        """The environment's Dockerfile."""
        value: str | None = self["dockerfile"]
        return value


def image_details(workspace: WorkspaceFiles, environment: Environment) -> DockerImageDetails:
    """The image details of ``environment``, without building anything."""
    spec = spec_of(environment, pins=workspace.pins)
    ready = find(spec, workspace.locks_folder)
    container = (ready.container if ready is not None else None) or {}
    python = ready.python if ready is not None else None
    path = ready.place if ready is not None and not container else None
    if container and python:
        path = python.rpartition("/bin/")[0] or None
    return DockerImageDetails(
        imageExist=bool(container.get("image")),
        image=container.get("image"),
        repository=spec.image,
        registry=spec.docker.registry.as_dict() if spec.docker.registry else {},
        interpreterPath=python,
        environmentPath=path,
        dockerfile=spec.docker.dockerfile,
    )

"""Turn an Environment into the request that every builder reads."""

from __future__ import annotations

import os
from collections.abc import Iterable

from scriptrun.config import docker_checks
from scriptrun.config.environments import curated, sdk_packages
from scriptrun.config.environments.conda_dependencies import (
    PYTHON_DEFAULT_VERSION,
    SDK_PYTHON_VERSIONS,
    CondaDependencies,
    conda_name,
    conda_version,
)
from scriptrun.config.environments.environment import Environment, dockerfile_text
from scriptrun.config.environments.images import is_azure_image
from scriptrun.config.environments.requirements import requirement_name
from scriptrun.config.environments.sections import DockerBuildContext, DockerSection, PythonSection
from scriptrun.config.run_configuration import DEFAULT_ENVIRONMENT
from scriptrun.config.sections import DockerConfiguration, split_options
from scriptrun.spec import url_logins
from scriptrun.spec.environment import (
    INTERPRETER,
    PACKAGES,
    BuildContext,
    DockerOptions,
    EnvironmentSpec,
    ImagePlatform,
    ImageRegistry,
)
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.config.environments import conda_export, index_logins
    from scriptrun.environments.conda import prefixes as conda_prefixes
    from scriptrun.runtime.hints import Json
else:
    conda_export = later("scriptrun.config.environments.conda_export")
    conda_prefixes = later("scriptrun.environments.conda.prefixes")
    index_logins = later("scriptrun.config.environments.index_logins")

#: what every environment of the SDK names
SDK_DEFAULTS = "azureml-defaults"
_DEFAULT_INTERPRETERS = frozenset({"", "python", "python3"})


def environment_spec(
    environment: Environment, docker: DockerConfiguration | None = None
) -> EnvironmentSpec:
    """The request of ``environment``; ``docker`` is the job's DockerConfiguration, if it has one.

    The SDK's own packages (azureml-...) are skipped, but not their dependencies; notes mention it.
    A Python version that is an SDK default becomes None. Azure's base images are recorded only if
    a container is requested; a custom image, Dockerfile or build context always requests one.
    """
    is_reserved = curated.is_reserved(environment.name or "")
    notes = curated.notes(environment) if is_reserved else []
    in_container = uses_container(environment, docker)
    common: Json = {
        "name": environment.name or "",
        "version": environment.version,
        "container": in_container,
        "image": environment.docker.base_image if in_container else None,
        "docker": _docker_settings(environment.docker, docker, notes)
        if in_container
        else DockerOptions(),
    }
    python = environment.python
    if python.user_managed_dependencies:
        return EnvironmentSpec(
            INTERPRETER, interpreter=_interpreter_path(python), notes=tuple(notes), **common
        )
    if not is_user_chosen(environment):
        return EnvironmentSpec(INTERPRETER, notes=tuple(notes), **common)
    packages = _packages(_with_base(python, notes), notes)
    return EnvironmentSpec(PACKAGES, notes=tuple(notes), **packages, **common)


def is_user_chosen(environment: Environment) -> bool:
    """Whether the user chose this environment: not the default one with its default packages."""
    if environment.name not in (DEFAULT_ENVIRONMENT, None):
        return True
    python = environment.python
    conda: CondaDependencies = python.conda_dependencies
    return bool(
        python.user_managed_dependencies
        or has_custom_image(environment.docker)
        or [line for line in conda.pip_packages if not sdk_packages.is_sdk(line)]
        or conda.pip_options
        or [package for package in conda.conda_packages if conda_name(package) != "python"]
        or _python_version(conda, []) is not None
        or python.base_conda_environment
    )


def has_custom_image(docker: DockerSection) -> bool:
    """Whether the user set an image, a Dockerfile or a build context."""
    build_source = docker.base_dockerfile or docker.build_context
    return bool(build_source) or not is_azure_image(docker.base_image)


def uses_container(environment: Environment, docker: DockerConfiguration | None = None) -> bool:
    """Whether a container is requested, by either docker section or by a custom image."""
    requested = environment.docker.enabled or (docker is not None and docker.use_docker)
    return bool(requested or has_custom_image(environment.docker))


def problems(environment: Environment, job: DockerConfiguration | None = None) -> list[str]:
    """The problems with ``environment`` that show without building it, as sentences.

    ``job`` is the DockerConfiguration of the job.
    """
    messages: list[str] = []
    python, docker = environment.python, environment.docker
    if curated.is_reserved(environment.name or ""):
        messages += filter(None, [curated.unavailable_problem(environment)])
    if python.missing_file and not python.user_managed_dependencies:
        owner = f" of environment {environment.name!r}" if environment.name else ""
        messages.append(
            f"conda file {str(python.missing_file)!r}{owner} does not exist; create it, or set "
            "environment.python.conda_dependencies"
        )
    if python.base_conda_environment:
        messages += filter(None, [conda_export.missing_base_problem(python.base_conda_environment)])
    if not isinstance(python.conda_dependencies, CondaDependencies):
        messages.append("environment.python.conda_dependencies must be a CondaDependencies object")
    if docker.base_image and docker.base_dockerfile:
        messages.append(
            f"environment {environment.name!r} has both docker.base_image and "
            "docker.base_dockerfile; set base_image to None to build the Dockerfile"
        )
    if docker.base_dockerfile:
        messages += _dockerfile_problems(docker.base_dockerfile)
    if uses_container(environment, job):
        messages += docker_checks.problems(docker, job)
    return messages


def _dockerfile_problems(dockerfile: Any) -> list[str]:
    try:
        dockerfile_text(dockerfile)
    except UserErrorException as error:
        return [f"{error.message} {error.hint}"]
    return []


def _interpreter_path(python: PythonSection) -> str | None:
    path = os.fspath(python.interpreter_path or "")
    if path not in _DEFAULT_INTERPRETERS:
        return path
    base = python.base_conda_environment
    prefix = conda_prefixes.find(base) if base else None
    return os.path.join(prefix, "bin", "python") if prefix else None


def _with_base(python: PythonSection, notes: list[str]) -> CondaDependencies:
    """The dependencies, merged onto those of the base environment if there is one."""
    conda: CondaDependencies = python.conda_dependencies
    name = python.base_conda_environment
    base = conda_export.read_environment(name) if name else None
    if base is None:
        return conda
    notes.append(f"rebuilding the packages of conda environment {name!r}, plus these")
    return conda_export.merge_onto(base, conda, _python_version(conda, []) is not None)


def _packages(conda: CondaDependencies, notes: list[str]) -> Json:
    brought = _brought(conda, notes)
    own_lines = [line for line in conda.pip_packages if not sdk_packages.is_sdk(line)]
    pip = _without_logins(own_lines, notes)
    version = _python_version(conda, notes)
    others = [package for package in conda.conda_packages if conda_name(package) != "python"]
    return {
        "python": version,
        "pip": tuple(pip),
        "brought": tuple(brought),
        "pip_options": tuple(_without_logins(conda.pip_options, notes)),
        "as_of": sdk_packages.release(conda.pip_packages),
        "conda": tuple(others),
        "channels": tuple(conda.conda_channels) if others or version else (),
        "uv": conda.uv_settings,
        "locked": conda.locked,
    }


def _without_logins(lines: list[str], notes: list[str]) -> list[str]:
    """``lines`` with secrets instead of passwords; this process can use the secrets at once."""
    if not any("@" in line and "://" in line for line in lines):
        return lines
    safe_lines, values = index_logins.replace_passwords(lines)
    notes += index_logins.notes(values)
    return safe_lines


def _python_version(conda: CondaDependencies, notes: list[str]) -> str | None:
    for package in conda.conda_packages:
        if conda_name(package) == "python":
            version = conda_version(package).lstrip("=").strip()
            if version not in SDK_PYTHON_VERSIONS:
                return version.removesuffix(".*") or None
            if version != PYTHON_DEFAULT_VERSION:
                notes.append(
                    f"python={version} is the SDK's default, so scriptrun uses any Python that the "
                    f"packages allow; to require it, use python={version}.*"
                )
    return None


def _brought(conda: CondaDependencies, notes: list[str]) -> list[str]:
    """What the SDK's packages brought; only old code gets what an unversioned default did."""
    skipped = [line for line in conda.pip_packages if sdk_packages.is_sdk(line)]
    names = requested_names(conda.pip_packages, conda.conda_packages)
    added = sdk_packages.all_dependencies([line for line in skipped if line != SDK_DEFAULTS], names)
    if skipped and skipped != [SDK_DEFAULTS]:
        note = f"{', '.join(skipped)}: skipped, replaced by scriptrun"
        kept = ", ".join(dict.fromkeys(map(requirement_name, added)))
        notes.append(note + (f"; keeping their dependencies: {kept}." if added else "."))
    return added


def has_sdk_defaults(environment: Environment) -> bool:
    """Whether ``environment`` names azureml-defaults without a version, as it does by default."""
    conda = environment.python.conda_dependencies
    return isinstance(conda, CondaDependencies) and SDK_DEFAULTS in conda.pip_packages


def requested_names(pip: Iterable[str], conda: Iterable[str]) -> set[str]:
    """The names of the packages in requirement lines and conda specifications."""
    return {*map(requirement_name, pip), *map(conda_name, conda)}


def _docker_settings(
    section: DockerSection, job: DockerConfiguration | None, notes: list[str]
) -> DockerOptions:
    source = job if job is not None and job.use_docker else section
    context, registry = section.build_context, section.base_image_registry
    if registry.password:
        notes.append(
            f"The password for {registry.address or 'the registry'} is not recorded; it is stored "
            f"as your secret 'registry-{registry.address or ''}' (see scriptrun secret)."
        )
    return DockerOptions(
        own=has_custom_image(section),
        shm_size=source.shm_size,
        shared_volumes=source.shared_volumes,
        arguments=tuple(split_options(source.arguments)),
        platform=ImagePlatform(section.platform.os, section.platform.architecture),
        dockerfile=dockerfile_text(section.base_dockerfile) if section.base_dockerfile else None,
        build_context=_build_context(context) if context else None,
        registry=ImageRegistry(registry.address, registry.username) if registry.address else None,
    )


def _build_context(section: DockerBuildContext) -> BuildContext:
    kind = "git" if section.is_remote else "local"
    location = str(section.location or "")
    if any(login.is_secret for login in url_logins.find(location)):
        raise UserErrorException(
            f"The build context {url_logins.mask(location)!r} contains a password or token, which "
            "would be recorded.",
            "Remove it from the URL: git finds it in its credential helper, ~/.netrc or ssh.",
        )
    return BuildContext(kind, location, section.dockerfile_path)

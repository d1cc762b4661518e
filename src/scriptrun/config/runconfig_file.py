"""Find, read and write ``.runconfig`` files."""

from __future__ import annotations

import os

from scriptrun.config import yaml_text
from scriptrun.config.camel_case import from_wire, to_wire
from scriptrun.config.environments.conda_dependencies import CONDA_FILE_NAME, CondaDependencies
from scriptrun.config.environments.environment import dockerfile_text, is_dockerfile_text
from scriptrun.config.environments.files import to_dict
from scriptrun.config.section_base import Section
from scriptrun.spec.errors import RunConfigurationException, refuse
from scriptrun.spec.suggestion import did_you_mean
from scriptrun.store import document_limits
from scriptrun.store.document_limits import LimitExceeded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    C = TypeVar("C", bound=Section)

FOLDERS = (".azureml", "aml_config", "")
SUFFIX = ".runconfig"
ENVIRONMENT_FILE_NAME = "environment.yml"


def find(path: str | os.PathLike[str], name: str | None = None) -> str:
    """The path of a run configuration file. Raises RunConfigurationException, with suggestions."""
    root, name = os.fspath(path), name or None
    if name is None and (os.path.isfile(root) or document_limits.is_stream(root)):
        return root
    if name is None and not os.path.isdir(root):
        name, root = os.path.basename(root), os.path.dirname(root)
    return _named(root, name) or _single_file(root, name)


def has(folder: str | os.PathLike[str], name: str) -> bool:
    """Whether there is a run configuration of that name in the project ``folder``."""
    return _named(os.fspath(folder), name) is not None


def _named(root: str, name: str | None) -> str | None:
    for folder in FOLDERS:
        for ending in (SUFFIX, "", ".yml", ".yaml", ".json"):
            candidate = os.path.join(root, folder, f"{name}{ending}")
            if name and os.path.isfile(candidate):
                return candidate
    return None


def _single_file(root: str, name: str | None) -> str:
    paths = sorted(_files_in(root), key=os.path.basename)
    if name is None and len(paths) == 1:
        return paths[0]
    names = {os.path.basename(path).removesuffix(SUFFIX) for path in paths}
    problem = f"Run configuration {name!r} not found" if name else "No single run configuration"
    raise RunConfigurationException(
        f"{problem} in {os.path.abspath(root)!r}{did_you_mean(name or '', names)}",
        "scriptrun searches .azureml/, aml_config/ and the directory itself.",
    )


def _files_in(root: str) -> list[str]:
    paths = []
    for folder in FOLDERS:
        subfolder = os.path.join(root, folder)
        if os.path.isdir(subfolder):
            paths += [
                os.path.join(subfolder, file_name)
                for file_name in os.listdir(subfolder)
                if file_name.endswith(SUFFIX)
            ]
    return paths


def load(config: C, path: str | os.PathLike[str] | None, name: str | None) -> C:
    """Fill ``config`` from the run configuration file that ``find`` returns."""
    path = path or "."
    file_path = find(path, name)
    file_name = os.path.basename(file_path)
    data = _read_yaml(file_path)
    problems: list[str] = []
    from_wire(config, _with_environment(data, file_path, path), "", problems)
    refuse(
        [f"{file_name}: {problem.lstrip(': ')}" for problem in problems], f"Cannot use {file_path}"
    )
    roots = project_folders(file_path, path)
    if not _names_conda_inline(data):
        _read_conda_file(config, roots)
    _read_dockerfile(config.environment.docker, roots)
    return config


def _read_yaml(path: str) -> object:
    try:
        text = document_limits.read_text(path)
        return yaml_text.load(text, os.path.basename(path), keep_nulls=True)
    except (OSError, UnicodeDecodeError, LimitExceeded) as error:
        reason = document_limits.reason_of(error)
        raise RunConfigurationException(f"Cannot read {str(path)!r}: {reason}.") from None


def _with_environment(data: object, file_path: str, path: str | os.PathLike[str]) -> object:
    """``data`` with the environment from the separate file, if it refers to one.

    The file is next to the run configuration, where ``save`` writes it, or in the project.
    """
    name = data.get("environment") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(name, str) or yaml_text.is_null(name):
        return data
    folders = [os.path.dirname(file_path), *project_folders(file_path, path)]
    candidates = [os.path.join(folder, name) for folder in folders]
    found = next(filter(os.path.isfile, candidates), candidates[0])
    return {**data, "environment": _read_yaml(found)}


def _names_conda_inline(data: object) -> bool:
    environment = data.get("environment") if isinstance(data, dict) else None
    python = environment.get("python") if isinstance(environment, dict) else None
    conda = python.get("condaDependencies") if isinstance(python, dict) else None
    return bool(conda) and not yaml_text.is_null(conda)


def _read_conda_file(config: Section, roots: list[str]) -> None:
    python = config.environment.python
    if not python.conda_dependencies_file:
        return
    for root in (*roots, roots[0]):  # at last again the first, which an error is to name
        python.read_conda_file(root)
        if python.missing_file is None:
            return


def _read_dockerfile(docker: Section, roots: list[str]) -> None:
    """Replace the path of a Dockerfile by its text; the check reports a missing one."""
    path = docker.base_dockerfile
    if not path or is_dockerfile_text(path):
        return
    paths = (os.path.join(root, path) for root in roots)
    found = next(filter(os.path.isfile, paths), None)
    if found is not None:
        docker.base_dockerfile = dockerfile_text(found)


def project_folders(file_path: str, path: str | os.PathLike[str]) -> list[str]:
    """The folders that paths in the file may be relative to.

    The project folder that was given (as in v1), or the one above .azureml/; else the file's own,
    or the current one, which it is for a pipe.
    """
    if document_limits.is_stream(file_path):
        return [os.getcwd()]
    folder = os.path.dirname(os.path.abspath(file_path))
    own = [os.path.dirname(folder), folder] if os.path.basename(folder) in FOLDERS else [folder]
    project = os.path.abspath(path)
    roots = [project, *own] if os.path.isdir(project) else [*own, os.getcwd()]
    roots.append(os.path.dirname(folder))
    return list(dict.fromkeys(roots))


def save(
    config: Section,
    path: str | os.PathLike[str] | None,
    name: str | None,
    separate_environment_yaml: bool,
) -> None:
    """Write ``config`` and its conda file."""
    file_path, root = _file_and_root(os.fspath(path or "."), name)
    content = to_wire(config)
    if separate_environment_yaml:
        environment = to_dict(config.environment)
        folder = os.path.dirname(file_path)
        yaml_text.write(os.path.join(folder, ENVIRONMENT_FILE_NAME), yaml_text.dump(environment))
        content["environment"] = ENVIRONMENT_FILE_NAME
    else:
        content["environment"]["python"]["condaDependenciesFile"] = _save_conda(
            config, file_path, root
        )
    yaml_text.write(file_path, yaml_text.dump(content))


def _file_and_root(path: str, name: str | None) -> tuple[str, str]:
    if name is None and path.endswith(SUFFIX):
        folder = os.path.dirname(path) or "."
        in_config_folder = os.path.basename(os.path.abspath(folder)) in FOLDERS
        return path, os.path.join(folder, "..") if in_config_folder else folder
    if not name:
        raise RunConfigurationException(
            "RunConfiguration.save requires a name.", "For example: name='train'."
        )
    return os.path.join(path, ".azureml", name.removesuffix(SUFFIX) + SUFFIX), path


def _save_conda(config: Section, file_path: str, root: str) -> str | None:
    python = config.environment.python
    if python.user_managed_dependencies:
        configured: str | None = python.conda_dependencies_file
        return configured
    folder = os.path.dirname(file_path)
    default_name = os.path.relpath(os.path.join(folder, CONDA_FILE_NAME), root).replace(os.sep, "/")
    name: str = python.conda_dependencies_file or default_name
    if os.path.basename(name) != CONDA_FILE_NAME:
        if _has_content(os.path.join(root, name), python.conda_dependencies):
            return name
        name = default_name  # do not overwrite the user's own file
    python.conda_dependencies.save_to_file(root, name)
    return name


def _has_content(path: str, conda: CondaDependencies) -> bool:
    return os.path.isfile(path) and CondaDependencies(path) == conda

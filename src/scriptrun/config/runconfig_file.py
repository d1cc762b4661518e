"""Find, read and write ``.runconfig`` files."""

from __future__ import annotations

import os

from scriptrun.config import yaml_text
from scriptrun.config.camel_case import from_wire, to_wire
from scriptrun.config.environments.conda_dependencies import CONDA_FILE_NAME, CondaDependencies
from scriptrun.config.environments.files import to_dict
from scriptrun.config.section_base import Section
from scriptrun.spec.errors import RunConfigurationException, refuse
from scriptrun.spec.suggestion import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    C = TypeVar("C", bound=Section)

FOLDERS = (".azureml", "aml_config", "")
SUFFIX = ".runconfig"
ENVIRONMENT_FILE_NAME = "environment.yml"


def find(path: str | os.PathLike[str], name: str | None = None) -> str:
    """The path of a run configuration file. Raises RunConfigurationException, with suggestions."""
    place = os.fspath(path)
    if name is None and os.path.isfile(place):
        return place
    if name is None and not os.path.isdir(place):
        name, place = os.path.basename(place), os.path.dirname(place)
    for folder in FOLDERS:
        for ending in (SUFFIX, "", ".yml", ".yaml"):
            candidate = os.path.join(place, folder, f"{name}{ending}")
            if name and os.path.isfile(candidate):
                return candidate
    return _only_one(place, name)


def _only_one(place: str, name: str | None) -> str:
    there = sorted(_all_in(place), key=os.path.basename)
    if name is None and len(there) == 1:
        return there[0]
    names = {os.path.basename(each).removesuffix(SUFFIX) for each in there}
    asked = f"Run configuration {name!r} not found" if name else "No single run configuration"
    raise RunConfigurationException(
        f"{asked} in {os.path.abspath(place)!r}{did_you_mean(name or '', names)}",
        "scriptrun searches .azureml/, aml_config/ and the directory itself.",
    )


def _all_in(place: str) -> list[str]:
    found = []
    for folder in FOLDERS:
        inside = os.path.join(place, folder)
        if os.path.isdir(inside):
            found += [os.path.join(inside, e) for e in os.listdir(inside) if e.endswith(SUFFIX)]
    return found


def load(made: C, path: str | os.PathLike[str], name: str | None) -> C:
    """Fill ``made`` from the run configuration file that ``find`` returns."""
    place = find(path, name)
    shown = os.path.basename(place)
    data = _read(place)
    problems: list[str] = []
    from_wire(made, _with_environment(data, place), "", problems)
    refuse([f"{shown}: {each.lstrip(': ')}" for each in problems], f"Cannot use {place}")
    _read_conda_file(made, place, _names_conda_inline(data))
    return made


def _read(place: str) -> Any:
    try:
        with open(place, encoding="utf-8-sig") as handle:
            return yaml_text.load(handle.read(), os.path.basename(place))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise RunConfigurationException(f"Cannot read {str(place)!r}: {reason}.") from None


def _with_environment(data: Any, place: str) -> Any:
    """``data`` with the environment from the separate file, if it refers to one."""
    if not isinstance(data, dict) or not isinstance(data.get("environment"), str):
        return data
    return {**data, "environment": _read(os.path.join(os.path.dirname(place), data["environment"]))}


def _names_conda_inline(data: Any) -> bool:
    environment = data.get("environment") if isinstance(data, dict) else None
    python = environment.get("python") if isinstance(environment, dict) else None
    return isinstance(python, dict) and bool(python.get("condaDependencies"))


def _read_conda_file(config: Section, place: str, inline: bool) -> None:
    python = config.environment.python
    if inline or not python.conda_dependencies_file:
        return
    for root in _roots(place):
        python.read_conda_file(root)
        if python.missing_file is None:
            return


def _roots(place: str) -> list[str]:
    """The folders that a relative conda file may be in."""
    folder = os.path.dirname(os.path.abspath(place))
    if os.path.basename(folder) in FOLDERS:
        return [folder, os.path.dirname(folder)]
    return [folder]


def save(
    config: Section,
    path: str | os.PathLike[str] | None,
    name: str | None,
    separate_environment_yaml: bool,
) -> None:
    """Write ``config`` and its conda file."""
    place, root = _place(os.fspath(path or "."), name)
    content = to_wire(config)
    if separate_environment_yaml:
        environment = to_dict(config.environment)
        folder = os.path.dirname(place)
        yaml_text.write(os.path.join(folder, ENVIRONMENT_FILE_NAME), yaml_text.dump(environment))
        content["environment"] = ENVIRONMENT_FILE_NAME
    else:
        content["environment"]["python"]["condaDependenciesFile"] = _save_conda(config, place, root)
    yaml_text.write(place, yaml_text.dump(content))


def _place(path: str, name: str | None) -> tuple[str, str]:
    if name is None and path.endswith(SUFFIX):
        folder = os.path.dirname(path) or "."
        inside = os.path.basename(os.path.abspath(folder)) in FOLDERS
        return path, os.path.join(folder, "..") if inside else folder
    if not name:
        raise RunConfigurationException(
            "RunConfiguration.save requires a name.", "For example: name='train'."
        )
    return os.path.join(path, ".azureml", name.removesuffix(SUFFIX) + SUFFIX), path


def _save_conda(config: Section, place: str, root: str) -> str | None:
    python = config.environment.python
    if python.user_managed_dependencies:
        kept: str | None = python.conda_dependencies_file
        return kept
    folder = os.path.dirname(place)
    inside = os.path.relpath(os.path.join(folder, CONDA_FILE_NAME), root).replace(os.sep, "/")
    name: str = python.conda_dependencies_file or inside
    if os.path.basename(name) != CONDA_FILE_NAME:
        if _holds(os.path.join(root, name), python.conda_dependencies):
            return name
        name = inside  # do not overwrite the user's own file
    python.conda_dependencies.save_to_file(root, name)
    return name


def _holds(path: str, conda: CondaDependencies) -> bool:
    return os.path.isfile(path) and CondaDependencies(path) == conda

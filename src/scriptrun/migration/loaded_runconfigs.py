"""Convert run configurations that the code loads from a file into equivalent code.

The file is read and rendered as code in the same way as by ``scriptrun import``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import libcst as cst

from scriptrun.config import runconfig_file
from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.migration.code import constants
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators.call import CannotRewrite
from scriptrun.migration.findings import LEFT_ALONE
from scriptrun.migration.formats import as_python, read_job
from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.values import Value, fresh

_ENVIRONMENT_PREFIX = "config.run_config.environment."


class LoadedSettings(Value, frozen=False):
    """The settings of a loaded run configuration, as code.

    ``arguments`` are arguments for the ScriptRunConfig, and ``script`` those that apply only if it
    has no script. ``environment`` has the lines that create ``environment``, ``later_lines``
    those that set more on ``config``, and ``names`` the names to import. ``file`` is the source.
    """

    arguments: dict[str, str] = fresh(default_factory=dict)
    script: dict[str, str] = fresh(default_factory=dict)
    environment: list[str] = fresh(default_factory=list)
    later_lines: list[str] = fresh(default_factory=list)
    names: set[str] = fresh(default_factory=set)
    file: str = ""

    def environment_lines(self, name: str) -> list[str]:
        """The lines that create the environment, under the name ``name``."""
        return [re.sub(r"^environment\b", name, line) for line in self.environment]


def is_load(program: Program, call: cst.Call) -> bool:
    """Whether ``call`` loads a run configuration from a file."""
    name = program.qualified_name(call.func)
    return name.startswith("azureml.core") and name.endswith(".RunConfiguration.load")


def load_settings(
    program: Program, call: cst.Call, folder: str, for_scriptrun: bool, has_environment: bool
) -> LoadedSettings:
    """The settings in the file that ``call`` loads when the code runs in ``folder``.

    ``has_environment`` means that the code replaces the file's environment. Raises CannotRewrite if
    the file or its meaning is uncertain.
    """
    file = _find_file(program, call, folder)
    shown_path = os.path.relpath(file, folder).replace(os.sep, "/")
    try:
        config = read_job.read(file).config
        _freeze_packages(config.run_config, Path(file), has_environment)
        parts = as_python.parts(config)
    except ScriptrunError as problem:
        raise _cannot_load(str(problem).splitlines()[0]) from None
    settings = _sort_settings(parts, shown_path)
    if parts.lost:
        raise _cannot_load(
            f"{shown_path} has settings that a ScriptRunConfig cannot express: {parts.lost[0]}"
        )
    if not for_scriptrun and any("from_dict(" in line for line in settings.environment):
        raise _cannot_load(f"{shown_path} has packages that azureml cannot express in code")
    return _with_relative_path(
        settings, config.run_config.environment.python.conda_dependencies_file, folder
    )


def _cannot_load(reason: str) -> CannotRewrite:
    return CannotRewrite(reason, "To show it as code, run: scriptrun import FILE", LEFT_ALONE)


def _find_file(program: Program, call: cst.Call, folder: str) -> str:
    arguments: dict[str, object] = {}
    for parameter, arg in zip(("path", "name"), call.args, strict=False):
        keyword = arg.keyword.value if arg.keyword else parameter
        arguments[keyword] = (
            constants.UNKNOWN if arg.star else constants.constant(program, arg.value)
        )
    path, name = arguments.get("path"), arguments.get("name")
    if not isinstance(path, str) or not isinstance(name, str | None):
        raise _cannot_load("the file that it reads is uncertain")
    try:
        file = os.path.realpath(runconfig_file.find(os.path.join(folder, path), name))
    except ScriptrunError:
        raise _cannot_load("the file that it reads is missing next to the code") from None
    if not file.startswith(os.path.join(os.path.realpath(folder), "")):
        raise _cannot_load("the file that it reads is not next to the code")
    if not file.endswith(runconfig_file.SUFFIX):
        raise _cannot_load("the file that it reads is not a .runconfig file")
    return file


def _freeze_packages(run: RunConfiguration, file: Path, has_environment: bool) -> None:
    """Keep only the packages that apply: listed, or as the full path of a conda file."""
    default, python = RunConfiguration(), run.environment.python
    if has_environment:
        run.environment = default.environment
    elif python.user_managed_dependencies:
        python.conda_dependencies = default.environment.python.conda_dependencies
        python.conda_dependencies_file = python.missing_file = None
    elif python.missing_file is not None:
        raise _cannot_load(f"the conda file {python.conda_dependencies_file} is missing")
    elif python.conda_dependencies_file:
        packages = python.conda_dependencies
        for folder in (file.parent, file.parent.parent):
            candidate = folder / python.conda_dependencies_file
            if candidate.is_file() and CondaDependencies(str(candidate)) == packages:
                python.conda_dependencies_file = str(candidate)
                return
        python.conda_dependencies_file = None
        python.conda_dependencies = packages


def _sort_settings(parts: as_python.Parts, file: str) -> LoadedSettings:
    arguments = dict(parts.arguments)
    script: dict[str, str] = {}
    arguments.pop("source_directory", None)
    for name in ("script", "command", "arguments"):
        if name in arguments:
            script[name] = arguments.pop(name)
    arguments.pop("environment", None)
    environment_lines = [line for line in parts.later_lines if line.startswith(_ENVIRONMENT_PREFIX)]
    lines = [
        *parts.environment,
        *[line.removeprefix("config.run_config.") for line in environment_lines],
    ]
    after = [line for line in parts.later_lines if line not in environment_lines]
    return LoadedSettings(
        arguments, script, lines, after, set(parts.names) - {"ScriptRunConfig"}, file
    )


def _with_relative_path(settings: LoadedSettings, conda: object, folder: str) -> LoadedSettings:
    """Make the path of the conda file relative to ``folder``, as the code needs it."""
    if isinstance(conda, str):
        relative = os.path.relpath(conda, os.path.realpath(folder)).replace(os.sep, "/")
        settings.environment = [
            line.replace(repr(conda), repr(relative)) for line in settings.environment
        ]
    return settings

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
from scriptrun.migration.estimators.call import Refused
from scriptrun.migration.findings import LEFT
from scriptrun.migration.formats import as_python, read_job
from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.values import Value, fresh

_OF_ENVIRONMENT = "config.run_config.environment."


class Said(Value, frozen=False):
    """The settings of a loaded run configuration, as code.

    ``arguments`` are arguments for the ScriptRunConfig, and ``script`` those that apply only if it
    has none of its own. ``environment`` has the lines that create ``environment``, ``later_lines``
    those that set more on ``config``, and ``names`` the names to import. ``file`` is the source.
    """

    words: dict[str, str] = fresh(default_factory=dict)
    script: dict[str, str] = fresh(default_factory=dict)
    environment: list[str] = fresh(default_factory=list)
    after: list[str] = fresh(default_factory=list)
    names: set[str] = fresh(default_factory=set)
    file: str = ""

    def environment_as(self, name: str) -> list[str]:
        """The lines that create the environment, under the name ``name``."""
        return [re.sub(r"^environment\b", name, line) for line in self.environment]


def is_load(program: Program, call: cst.Call) -> bool:
    """Whether ``call`` loads a run configuration from a file."""
    name = program.qualified(call.func)
    return name.startswith("azureml.core") and name.endswith(".RunConfiguration.load")


def said(program: Program, call: cst.Call, folder: str, ours: bool, chosen: bool) -> Said:
    """The settings in the file that ``call`` loads when the code runs in ``folder``.

    ``chosen`` means that the code replaces the file's environment. Raises CannotRewrite if the file
    or its meaning is uncertain.
    """
    file = _file(program, call, folder)
    shown = os.path.relpath(file, folder).replace(os.sep, "/")
    try:
        config = read_job.read(file).config
        _settle(config.run_config, Path(file), chosen)
        parts = as_python.parts(config)
    except ScriptrunError as problem:
        raise _left(str(problem).splitlines()[0]) from None
    made = _sorted(parts, shown)
    if parts.lost:
        raise _left(f"{shown} has settings that a ScriptRunConfig cannot express: {parts.lost[0]}")
    if not ours and any("from_dict(" in line for line in made.environment):
        raise _left(f"{shown} has packages that azureml cannot express in code")
    return _with_paths(made, config.run_config.environment.python.conda_dependencies_file, folder)


def _left(reason: str) -> Refused:
    return Refused(reason, "To show it as code, run: scriptrun import FILE", LEFT)


def _file(program: Program, call: cst.Call, folder: str) -> str:
    given: dict[str, object] = {}
    for place, arg in zip(("path", "name"), call.args, strict=False):
        keyword = arg.keyword.value if arg.keyword else place
        given[keyword] = constants.UNKNOWN if arg.star else constants.constant(program, arg.value)
    path, name = given.get("path"), given.get("name")
    if not isinstance(path, str) or not isinstance(name, str | None):
        raise _left("the file that it reads is uncertain")
    try:
        found = os.path.realpath(runconfig_file.find(os.path.join(folder, path), name))
    except ScriptrunError:
        raise _left("the file that it reads is missing next to the code") from None
    if not found.startswith(os.path.join(os.path.realpath(folder), "")):
        raise _left("the file that it reads is not next to the code")
    if not found.endswith(runconfig_file.SUFFIX):
        raise _left("the file that it reads is not a .runconfig file")
    return found


def _settle(run: RunConfiguration, file: Path, chosen: bool) -> None:
    """Keep only the packages that apply: listed, or as the full path of a conda file."""
    fresh, python = RunConfiguration(), run.environment.python
    if chosen:
        run.environment = fresh.environment
    elif python.user_managed_dependencies:
        python.conda_dependencies = fresh.environment.python.conda_dependencies
        python.conda_dependencies_file = python.missing_file = None
    elif python.missing_file is not None:
        raise _left(f"the conda file {python.conda_dependencies_file} is missing")
    elif python.conda_dependencies_file:
        held = python.conda_dependencies
        for folder in (file.parent, file.parent.parent):
            place = folder / python.conda_dependencies_file
            if place.is_file() and CondaDependencies(str(place)) == held:
                python.conda_dependencies_file = str(place)
                return
        python.conda_dependencies_file = None
        python.conda_dependencies = held


def _sorted(parts: as_python.Parts, file: str) -> Said:
    words = dict(parts.words)
    script: dict[str, str] = {}
    words.pop("source_directory", None)
    for name in ("script", "command", "arguments"):
        if name in words:
            script[name] = words.pop(name)
    words.pop("environment", None)
    inner = [line for line in parts.after if line.startswith(_OF_ENVIRONMENT)]
    lines = [*parts.environment, *[line.removeprefix("config.run_config.") for line in inner]]
    after = [line for line in parts.after if line not in inner]
    return Said(words, script, lines, after, set(parts.names) - {"ScriptRunConfig"}, file)


def _with_paths(made: Said, conda: object, folder: str) -> Said:
    """Make the path of the conda file relative to ``folder``, as the code needs it."""
    if isinstance(conda, str):
        inside = os.path.relpath(conda, os.path.realpath(folder)).replace(os.sep, "/")
        made.environment = [line.replace(repr(conda), repr(inside)) for line in made.environment]
    return made

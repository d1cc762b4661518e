"""Run configurations that are read from a file beside the code, as code that says the same.

The file is read, and written as code, by what ``scriptrun import`` has.
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
    """What a run configuration says from the beginning, as code.

    ``words`` are arguments of a ScriptRunConfig, ``script`` those that it only takes where its own
    do not stand against them; ``environment`` are the lines that make ``environment``, ``after``
    those that set more of ``config``; ``names`` is what all that needs. ``file`` is where it is
    from.
    """

    words: dict[str, str] = fresh(default_factory=dict)
    script: dict[str, str] = fresh(default_factory=dict)
    environment: list[str] = fresh(default_factory=list)
    after: list[str] = fresh(default_factory=list)
    names: set[str] = fresh(default_factory=set)
    file: str = ""

    def environment_as(self, name: str) -> list[str]:
        """The lines that make the environment, which they call ``name``."""
        return [re.sub(r"^environment\b", name, line) for line in self.environment]


def is_load(program: Program, call: cst.Call) -> bool:
    """Whether ``call`` reads a run configuration from a file."""
    name = program.qualified(call.func)
    return name.startswith("azureml.core") and name.endswith(".RunConfiguration.load")


def said(program: Program, call: cst.Call, folder: str, ours: bool, chosen: bool) -> Said:
    """What the file says that ``call`` reads, when the code runs in ``folder``.

    ``chosen`` says that another environment takes the place of the file's. Raises Refused where
    which file it is, or what it says, is not certain.
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
    """Leave in ``run`` what counts: its packages, in words or as the whole path of a file."""
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
    """The same with the conda file named as the code sees it."""
    if isinstance(conda, str):
        inside = os.path.relpath(conda, os.path.realpath(folder)).replace(os.sep, "/")
        made.environment = [line.replace(repr(conda), repr(inside)) for line in made.environment]
    return made

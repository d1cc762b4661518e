"""The settings in effect: those of variables, the workspace, the project and the user."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from scriptrun.registry import compute_targets, trust
from scriptrun.registry.settings import files, keys
from scriptrun.registry.settings.files import PROJECT, USER, SettingsFile
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec import suggestion
from scriptrun.spec.errors import refuse
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.settings.keys import Setting

VARIABLE, WORKSPACE = "variable", "workspace"
#: from the highest to the lowest
LEVELS = (VARIABLE, WORKSPACE, PROJECT, USER)


class Found(Value):
    """A setting that is set: its key, value, level, and where it is written."""

    key: str
    value: object
    level: str
    origin: str


class Settings(Value):
    """The settings in effect, by key; those of tables by ``KEY.NAME``. Warnings are sentences."""

    found: dict[str, Found] = fresh(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def get(self, key: str) -> Found | None:
        """The setting, if it is set."""
        return self.found.get(key)

    def table(self, key: str) -> dict[str, Found]:
        """The entries of a setting that is a table, by name."""
        prefix = f"{key}."
        return {
            name.removeprefix(prefix): entry
            for name, entry in self.found.items()
            if name.startswith(prefix)
        }

    def without(self, *names: str) -> Settings:
        """These settings but for some."""
        found = {key: entry for key, entry in self.found.items() if key not in names}
        return self.replace(found=found)

    @property
    def notify(self) -> list[str]:
        """The command to execute when a run ends; empty without one."""
        found = self.get("notify")
        return list(found.value) if found and isinstance(found.value, list) else []

    @property
    def environment(self) -> Found | None:
        """The setting that chooses the environment."""
        return next(filter(None, map(self.get, keys.ENVIRONMENT)), None)


def read(
    start: Path, workspace: WorkspaceFiles | None = None, wanted: tuple[str, ...] = LEVELS
) -> Settings:
    """The settings in effect for jobs whose source directory is ``start``; ``wanted``: of levels.

    Raises UserErrorException with all problems of the files and variables.
    """
    levels, warnings = [_of_variables(), _of_workspace(workspace)], list[str]()
    problems = _variable_problems() if VARIABLE in wanted else []
    for file in _files(start, workspace, wanted, warnings):
        problems += file_problems(file)
        levels.append([] if problems else _of_file(file, warnings))
    refuse(problems, "Invalid settings")
    found = [[each for each in level if each.level in wanted] for level in levels]
    return Settings(_merge(found), tuple(warnings))


def _files(
    start: Path, workspace: WorkspaceFiles | None, wanted: tuple[str, ...], warnings: list[str]
) -> list[SettingsFile]:
    """The settings files that exist, from the highest level to the lowest."""
    found: list[SettingsFile | None] = []
    if os.environ.get(files.NO_FILES_VARIABLE):
        return []
    if PROJECT in wanted:
        project, warning = files.read_project(start, workspace)
        warnings += [warning] if warning else []
        found.append(project)
    if USER in wanted:
        found.append(files.read_user())
    return [file for file in found if file is not None]


def _merge(levels: list[list[Found]]) -> dict[str, Found]:
    """The highest of each setting; of those that choose an environment, the highest alone.

    An empty value hides that of a lower level.
    """
    merged: dict[str, Found] = {}
    has_environment = False
    for level in levels:
        for found in level:
            if not (has_environment and found.key in keys.ENVIRONMENT):
                merged.setdefault(found.key, found)
        has_environment = has_environment or any(f.key in keys.ENVIRONMENT for f in level)
    return {key: found for key, found in merged.items() if found.value or "." in key}


def _of_variables() -> list[Found]:
    return [
        Found(setting.key, value, VARIABLE, setting.variable)
        for setting in keys.SETTINGS.values()
        if (value := _variable(setting)) and not setting.problem(value)
    ]


def _variable(setting: Setting) -> object:
    text = os.environ.get(setting.variable, "") if setting.variable else ""
    if text and setting.kind == keys.COMMAND:
        try:
            return shlex.split(text)
        except ValueError:
            return text
    return text


def _variable_problems() -> list[str]:
    settings = keys.SETTINGS.values()
    problems = {s.variable: s.problem(value) for s in settings if (value := _variable(s))}
    if os.environ.get("SCRIPTRUN_PINS") == "auto":
        problems.pop("SCRIPTRUN_PINS", None)  # it is for old code
    return [f"{variable}: {problem}" for variable, problem in problems.items() if problem]


def _of_workspace(workspace: WorkspaceFiles | None) -> list[Found]:
    name = compute_targets.chosen_default(workspace) if workspace and workspace.id else ""
    return [Found("compute", name, WORKSPACE, "scriptrun compute default")] if name else []


def file_problems(file: SettingsFile) -> list[str]:
    """Everything wrong with the settings in a file, each with its line."""
    if not isinstance(file.table, dict):
        return [f"{file.path}: tool.scriptrun must be a table, not {keys.shown(file.table)}"]
    problems = []
    for key, value in file.table.items():
        setting = keys.SETTINGS.get(key)
        if setting is None:
            near = suggestion.did_you_mean(key, keys.SETTINGS).rstrip(".")
            problems.append(f"{file.origin(key)}: unknown setting {key!r}{near}")
        elif problem := setting.problem(value) or _path_problem(file, setting, value):
            problems.append(f"{file.origin(key)}: {key}: {problem}")
    chosen = [key for key in keys.ENVIRONMENT if file.table.get(key)]
    if len(chosen) > 1:
        listed = " and ".join(chosen)
        problems.append(f"{file.origin(chosen[1])}: {listed} cannot be used together")
    return problems


def _path_problem(file: SettingsFile, setting: Setting, value: str) -> str:
    """A relative path in the user's file would mean another file in each project."""
    is_relative = setting.kind == keys.PATH and not value.startswith(("/", "~", "\\"))
    if file.level == PROJECT or not value or not is_relative or os.path.isabs(value):
        return ""
    return f"{value!r} is a relative path; use an absolute one, or begin it with ~/"


def _of_file(file: SettingsFile, warnings: list[str]) -> list[Found]:
    found = []
    folder = file.path.parent
    for key, value in file.table.items():
        setting = keys.SETTINGS[key]
        if setting.kind == keys.TABLE:
            found += [
                Found(f"{key}.{name}", _resolved(key, text, folder), file.level, origin)
                for name, text in value.items()
                for origin in [file.origin(key, name)]
            ]
        else:
            path = _path(key, value, folder) if setting.kind == keys.PATH and value else value
            found.append(Found(key, path, file.level, file.origin(key)))
    if file.level == USER:
        return found
    return [each for each in found if not _is_refused(each, folder, warnings)]


def _resolved(key: str, text: str, folder: Path) -> str:
    """An input's path, relative to the file's folder; other texts unchanged."""
    first, separator, _ = text.partition("/")
    is_path = text.startswith((".", "~")) or (separator and ":" not in first)
    return _absolute(text, folder) if key == "inputs" and is_path else text


def _path(key: str, text: str, folder: Path) -> str:
    """A setting's path, relative to the file's folder; that of pixi may name an environment."""
    path, separator, name = text.partition(":") if key == "pixi-project" else (text, "", "")
    return f"{_absolute(path, folder)}{separator}{name}"


def _absolute(path: str, folder: Path) -> str:
    return os.path.normpath(folder / os.path.expanduser(path))


def _is_refused(found: Found, folder: Path, warnings: list[str]) -> bool:
    """Whether a project sets what only a trusted one may; adds a warning if so."""
    key = found.key.partition(".")[0]
    why = ""
    if keys.SETTINGS[key].is_restricted and found.value:
        why = "it names a program to execute"
    elif key == "inputs" and not _is_inside(str(found.value), folder):
        why = "its data is outside of the project"
    if not why or trust.is_trusted(folder):
        return False
    word = shlex.quote(str(folder))
    warnings.append(
        f"ignoring {found.key} from {found.origin}: {why}; to allow it: scriptrun trust {word}"
    )
    return True


def _is_inside(data: str, folder: Path) -> bool:
    """Whether an input is a dataset's name, a datastore's path, or a path in the project."""
    if "://" in data:
        return False
    path = data if os.path.isabs(data) else os.path.join(folder, data)
    root = os.path.realpath(folder)
    return os.path.commonpath([root, os.path.realpath(path)]) == root

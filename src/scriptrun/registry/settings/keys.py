"""The settings that a file or a variable can have: the one table that reader and docs use."""

from __future__ import annotations

import re

from scriptrun.registry import experiments
from scriptrun.spec.values import Value

#: kinds of values: a string, a path, one of some words, a program with its arguments, and a table
#: of strings, whose keys the user chooses
TEXT, PATH, CHOICE, COMMAND, TABLE = "string", "path", "choice", "list of strings", "table"
#: what ``notify`` replaces in its arguments
PLACEHOLDERS = ("run", "name", "experiment", "state", "workspace")
_PLACEHOLDER = r"\{([a-z]+)\}"


class Setting(Value):
    """One setting: its key, kind and meaning.

    ``variable`` overrides it. ``is_restricted``: in a project's file it counts only if the user
    trusts the project. ``default`` is for the documentation.
    """

    key: str
    kind: str
    help: str
    default: str = ""
    variable: str = ""
    choices: tuple[str, ...] = ()
    example: str = ""
    is_restricted: bool = False

    def problem(self, value: object) -> str:
        """Why ``value`` is invalid, as the end of a sentence; "" if it is valid."""
        if self.kind == TABLE:
            return _table_problem(value)
        if self.kind == COMMAND:
            return _command_problem(value)
        if not isinstance(value, str):
            return f"expected a string, not {shown(value)}"
        if "\0" in value:
            return "must not contain a NUL character"
        if self.choices and value not in self.choices:
            return f"invalid value {value!r}; valid values: {', '.join(self.choices)}"
        return experiments.name_problem(value) if value and self.key == "experiment" else ""


def _table_problem(value: object) -> str:
    if not isinstance(value, dict):
        return f"expected a table of strings, not {shown(value)}"
    wrong = [name for name, entry in value.items() if not isinstance(entry, str)]
    if wrong:
        return f"expected a string for {wrong[0]!r}, not {shown(value[wrong[0]])}"
    if "" in value:
        return "must not have an empty name"
    wrong = [name for name in value if "=" in name or "\0" in f"{name}{value[name]}"]
    return f"invalid name or value: {wrong[0]!r}" if wrong else ""


def _command_problem(value: object) -> str:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        return f'expected a list of strings, e.g. ["notify-send", "{{state}}"], not {shown(value)}'
    if any("\0" in word for word in value):
        return "must not contain a NUL character"
    if value and not value[0].strip():
        return "its first string must name a program"
    names = [name for word in value for name in re.findall(_PLACEHOLDER, word)]
    unknown = [name for name in names if name not in PLACEHOLDERS]
    if not unknown:
        return ""
    known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    return f"unknown placeholder {{{unknown[0]}}}; valid placeholders: {known}"


def fill(words: list[str], values: dict[str, str]) -> list[str]:
    """The arguments of ``notify`` with their placeholders replaced."""

    def value(found: re.Match[str]) -> str:
        return values.get(found[1], found[0])

    return [re.sub(_PLACEHOLDER, value, word) for word in words]


def shown(value: object) -> str:
    """A TOML value for a message: its type, and the value if it is short."""
    names = {"bool": "a boolean", "int": "an integer", "float": "a float", "str": "a string"}
    names |= {"list": "an array", "dict": "a table"}
    name = names.get(type(value).__name__, "a date or time")
    if isinstance(value, dict | list):
        return name
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{name} ({text})" if len(text) <= 40 else name


SETTINGS = {
    setting.key: setting
    for setting in (
        Setting(
            "compute",
            TEXT,
            "compute target for runs that name none",
            "`local`",
            "SCRIPTRUN_COMPUTE",
            example="gpu-cluster",
        ),
        Setting(
            "experiment",
            TEXT,
            "experiment for `run` and `sweep`",
            "the source directory's name",
            "SCRIPTRUN_EXPERIMENT",
            example="digits",
        ),
        Setting(
            "environment",
            TEXT,
            "registered or curated environment, `NAME[:VERSION]`",
            "the active Python environment",
            "SCRIPTRUN_ENVIRONMENT",
            example="train:3",
        ),
        Setting(
            "requirements",
            PATH,
            "environment: a requirements file",
            example="requirements.txt",
        ),
        Setting("conda", PATH, "environment: a conda environment file", example="environment.yml"),
        Setting(
            "uv-project",
            PATH,
            "environment: the directory of a uv project with a `uv.lock`",
            example=".",
        ),
        Setting(
            "pixi-project",
            PATH,
            "environment: the directory of a pixi project, `DIR[:ENV]`",
            example=".:train",
        ),
        Setting(
            "python",
            PATH,
            "environment: a Python interpreter, or the directory of a virtual environment, as is",
            example="~/venvs/train",
            is_restricted=True,
        ),
        Setting(
            "pins",
            CHOICE,
            "what to do about unavailable pins: `exact` rejects, `relax` relaxes them",
            "`exact`",
            "SCRIPTRUN_PINS",
            ("exact", "relax"),
            "relax",
        ),
        Setting(
            "notify",
            COMMAND,
            "command to execute on this machine when a run ends",
            variable="SCRIPTRUN_NOTIFY",
            example='["notify-send", "{name}: {state}"]',
            is_restricted=True,
        ),
        Setting("tags", TABLE, "tags for each run", example='{ team = "vision" }'),
        Setting(
            "inputs",
            TABLE,
            "input data for `run` and `sweep`, as in `--input NAME=DATA`",
            example='{ digits = "mnist" }',
        ),
    )
}
#: the settings that choose an environment: only the one of the highest level counts
ENVIRONMENT = ("environment", "requirements", "conda", "uv-project", "pixi-project", "python")

"""Writes the generated tables of docs/reference/settings.md, or with --check compares them."""

from __future__ import annotations

import sys
from collections.abc import Callable

import generated_blocks

from scriptrun.registry.settings import keys, variables
from scriptrun.registry.settings.files import NO_FILES_VARIABLE
from scriptrun.registry.settings.variables import BY_USER, IN_JOBS, INTERNAL

PAGE = generated_blocks.ROOT / "docs" / "reference" / "settings.md"


def _settings() -> str:
    rows = []
    for setting in keys.SETTINGS.values():
        help_text = setting.help + (" (trusted projects only)" if setting.is_restricted else "")
        example = f"`{setting.key} = {_quoted(setting)}`"
        variable = f"`{setting.variable}`" if setting.variable else ""
        rows.append(
            [f"`{setting.key}`", setting.kind, help_text, setting.default, variable, example]
        )
    return generated_blocks.table(
        ["setting", "type", "meaning", "default", "variable", "example"], rows
    )


def _quoted(setting: keys.Setting) -> str:
    is_text = setting.kind not in (keys.COMMAND, keys.TABLE)
    return f'"{setting.example}"' if is_text else setting.example


def _variables(set_by: str) -> Callable[[], str]:
    def table() -> str:
        rows = [
            [f"`{v.name}`", v.help, v.default] for v in variables.VARIABLES if v.set_by == set_by
        ]
        if set_by == BY_USER:
            rows += [
                [f"`{s.variable}`", f"the setting `{s.key}`", ""]
                for s in keys.SETTINGS.values()
                if s.variable
            ]
            return generated_blocks.table(["variable", "meaning", "default"], sorted(rows))
        return generated_blocks.table(["variable", "meaning"], [row[:2] for row in rows])

    return table


def known_variables() -> set[str]:
    """The names of all variables in the tables; those of a family end with ``_``."""
    names = {variable.name.partition("<")[0] for variable in variables.VARIABLES}
    return (
        names
        | {setting.variable for setting in keys.SETTINGS.values() if setting.variable}
        | {NO_FILES_VARIABLE}
    )


TABLES = {
    "settings": _settings,
    "variables": _variables(BY_USER),
    "job-variables": _variables(IN_JOBS),
    "internal-variables": _variables(INTERNAL),
}

if __name__ == "__main__":
    sys.exit(generated_blocks.update(PAGE, TABLES, sys.argv[1:]))

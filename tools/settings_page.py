"""Writes the generated tables of docs/reference/settings.md, or with --check compares them.

Each stands between two comments: ``<!-- generated: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from scriptrun.registry.settings import keys, variables
from scriptrun.registry.settings.files import NO_FILES_VARIABLE
from scriptrun.registry.settings.variables import BY_USER, IN_JOBS, INTERNAL

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "settings.md"
_BLOCK = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main(words: list[str]) -> int:
    """Write the page; with --check write nothing, and return 1 if it would change."""
    old = PAGE.read_text("utf-8")
    new = filled(old)
    if "--check" not in words:
        PAGE.write_text(new, "utf-8")
    elif new != old:
        print(f"{PAGE} is out of date; run: python tools/settings_page.py", file=sys.stderr)
        return 1
    return 0


def filled(text: str) -> str:
    """The page with its tables as they should be."""
    return _BLOCK.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}{found[3]}", text)


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _settings() -> str:
    rows = []
    for setting in keys.SETTINGS.values():
        help_text = setting.help + (" (trusted projects only)" if setting.is_restricted else "")
        example = f"`{setting.key} = {_quoted(setting)}`"
        variable = f"`{setting.variable}`" if setting.variable else ""
        rows.append(
            [f"`{setting.key}`", setting.kind, help_text, setting.default, variable, example]
        )
    return _table(["setting", "type", "meaning", "default", "variable", "example"], rows)


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
            return _table(["variable", "meaning", "default"], sorted(rows))
        return _table(["variable", "meaning"], [row[:2] for row in rows])

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
    sys.exit(main(sys.argv[1:]))

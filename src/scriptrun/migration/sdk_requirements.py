"""Say what the SDK's packages stand for in a job's environment, and what its scripts need of it.

Such a package stays: it brings others, and the versions of its time, which no other line says.
"""

from __future__ import annotations

import os
import re

import libcst as cst

from scriptrun.config.environments import sdk_packages
from scriptrun.config.environments.request import SDK_DEFAULTS
from scriptrun.config.environments.requirements import requirement_name
from scriptrun.environments import import_check
from scriptrun.migration.code import constants
from scriptrun.migration.code.program import Program
from scriptrun.migration.findings import LEFT_ALONE
from scriptrun.migration.rewrite_program import ProgramFinding
from scriptrun.store import document_limits

_REQUIREMENT = re.compile(r"""["'](azureml-[\w.\[\],-]+?(?:[=<>~!]=?[\w.*,<>=! -]+)?)["']""")
_SCRIPTS = ("script", "entry_script", "script_name")
#: modules whose package has another name
_MODULES = {"scikit-learn": "sklearn", "mlflow-skinny": "mlflow"}


def may_matter(text: str) -> bool:
    """Whether the code names packages of the SDK."""
    return bool(_REQUIREMENT.search(text))


def find(program: Program, folder: str) -> list[ProgramFinding]:
    """A finding for each package of the SDK that the program, in ``folder``, asks for."""
    lines: dict[str, int] = {}
    for node in program.nodes(cst.SimpleString):
        match = _REQUIREMENT.fullmatch(program.source(node))
        if match is not None and isinstance(program.parent(node), cst.Element | cst.Arg):
            lines.setdefault(match[1], program.line(node))
    imported = _imports(program, folder) if lines else None
    return [_finding(requirement, line, imported) for requirement, line in lines.items()]


def _finding(requirement: str, line: int, imported: set[str] | None) -> ProgramFinding:
    names = _brought(requirement)
    release = sdk_packages.release([requirement]) or sdk_packages.last_release()
    meaning = [_listed(names)] if names else []
    day = release.split(" ", maxsplit=1)[0]
    meaning.append(f"packages as of {day}" if day else "")
    reason = f"stays: it stands for {', and '.join(filter(None, meaning))}"
    needed = [name for name in names if _MODULES.get(name, name) in (imported or ())]
    advice = ""
    if imported is not None:
        scripts_need = f"import {_listed(needed)} of these" if needed else "import none of these"
        advice = f"The jobs' scripts {scripts_need}. Without it, give each package a version."
    return ProgramFinding(line, LEFT_ALONE, requirement, reason, advice)


def _brought(requirement: str) -> list[str]:
    if requirement == SDK_DEFAULTS:
        return sdk_packages.defaults()
    return list(dict.fromkeys(map(requirement_name, sdk_packages.dependencies(requirement))))


def _listed(names: list[str]) -> str:
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def _imports(program: Program, folder: str) -> set[str] | None:
    """The modules that the jobs' scripts import; None if one of them cannot be read."""
    found: set[str] = set()
    paths = [_script(program, call) for call in program.calls if _names_script(call)]
    for path in paths:
        if path is None:
            return None
        try:
            content = document_limits.read_text(os.path.join(folder, path)).encode()
        except (OSError, ValueError):
            return None
        found |= import_check.script_imports(content)
    return found if paths else None


def _names_script(call: cst.Call) -> bool:
    return any(arg.keyword is not None and arg.keyword.value in _SCRIPTS for arg in call.args)


def _script(program: Program, call: cst.Call) -> str | None:
    """The path of the script that a call names, relative to the program's folder."""
    given = {
        arg.keyword.value: constants.constant(program, arg.value)
        for arg in call.args
        if arg.keyword is not None and arg.keyword.value in (*_SCRIPTS, "source_directory")
    }
    folder = given.pop("source_directory", ".")
    script = next(iter(given.values()))
    if not isinstance(folder, str) or not isinstance(script, str):
        return None
    return os.path.join(folder, script)

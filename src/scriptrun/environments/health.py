"""A record of each build, written after it, and a check whether the build still matches it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from scriptrun.environments import site_packages
from scriptrun.environments.interpreter import facts as interpreter_facts
from scriptrun.runtime.files import read_object, to_json, write_atomic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: the name of the record in the build's folder
RECORD_FILE = "built.json"


def record(folder: str, python: str, site_folders: tuple[str, ...]) -> None:
    """Record the interpreter ``python`` and the contents of ``site_folders`` in ``folder``."""
    facts = {
        "python": os.path.realpath(python),
        "stamp": interpreter_facts.stamp(python),
        "names": site_packages.names(site_folders),
    }
    write_atomic(os.path.join(folder, RECORD_FILE), to_json(facts), durable=False)


def record_failed_imports(folder: str, sentences: Sequence[str]) -> None:
    """Record sentences about the packages of the finished build that fail to import."""
    path = os.path.join(folder, RECORD_FILE)
    facts = read_object(path)
    if sentences and facts is not None:
        facts = {**facts, "failed_imports": list(sentences)}
        write_atomic(path, to_json(facts), durable=False)


def failed_imports(folder: str) -> tuple[str, ...]:
    """What ``record_failed_imports`` recorded for the build in ``folder``."""
    recorded = (read_object(os.path.join(folder, RECORD_FILE)) or {}).get("failed_imports")
    return tuple(map(str, recorded)) if isinstance(recorded, list) else ()


def why_unhealthy(folder: str, python: str, site_folders: tuple[str, ...]) -> str:
    """Why ``folder`` must be built again; "" if it matches its record."""
    facts = read_object(os.path.join(folder, RECORD_FILE))
    names = facts.get("names", []) if facts is not None else None
    if facts is None or not isinstance(names, list) or any(type(each) is not str for each in names):
        return "its build was interrupted"
    return _python_problem(python, facts) or _packages_problem(site_folders, facts)


def _python_problem(python: str, facts: Json) -> str:
    try:
        stamp = interpreter_facts.stamp(python)
    except OSError:
        return f"its interpreter {facts.get('python')} is missing"
    return (
        "" if stamp == facts.get("stamp") else f"its interpreter {facts.get('python')} has changed"
    )


def _packages_problem(site_folders: tuple[str, ...], facts: Json) -> str:
    """Packages that were removed or installed since the build."""
    if not site_folders:
        return "its site-packages is missing"
    current, recorded = set(site_packages.names(site_folders)), set(facts.get("names", ()))
    missing = sorted(recorded - current)
    if missing:
        return f"it is missing {_join_first(missing)}"
    added = sorted(name for name in current - recorded if site_packages.is_metadata(name))
    return f"it has unexpected packages: {_join_first(added)}" if added else ""


def _join_first(names: list[str]) -> str:
    shown = ", ".join(re.sub(r"\.(dist|egg)-info$", "", name) for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown

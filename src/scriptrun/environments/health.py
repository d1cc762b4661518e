"""A record of each build, written after it, and a check whether the build still matches it."""

from __future__ import annotations

import os
import re

from scriptrun.environments import site_packages
from scriptrun.environments.interpreter import facts as interpreter_facts
from scriptrun.runtime.files import read_json, to_json, write_atomic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: the name of the record in the build's folder
BUILT = "built.json"


def write_down(place: str, python: str, folders: tuple[str, ...]) -> None:
    """Record the interpreter ``python`` and the contents of ``folders`` in ``place``."""
    made = {
        "python": os.path.realpath(python),
        "stamp": interpreter_facts.stamp(python),
        "names": site_packages.names(folders),
    }
    write_atomic(os.path.join(place, BUILT), to_json(made))


def ill(place: str, python: str, folders: tuple[str, ...]) -> str:
    """Why ``place`` must be built again; "" if it matches its record."""
    made = read_json(os.path.join(place, BUILT))
    if not isinstance(made, dict):
        return "its build was interrupted"
    return _ill_python(python, made) or _ill_folders(folders, made)


def _ill_python(python: str, made: dict[str, Any]) -> str:
    try:
        now = interpreter_facts.stamp(python)
    except OSError:
        return f"its interpreter {made.get('python')} is missing"
    return "" if now == made.get("stamp") else f"its interpreter {made.get('python')} has changed"


def _ill_folders(folders: tuple[str, ...], made: dict[str, Any]) -> str:
    """Packages that were removed or installed since the build."""
    if not folders:
        return "its site-packages is missing"
    now, then = set(site_packages.names(folders)), set(made.get("names", ()))
    lost = sorted(then - now)
    if lost:
        return f"it is missing {_few(lost)}"
    added = sorted(name for name in now - then if site_packages.is_metadata(name))
    return f"it has unexpected packages: {_few(added)}" if added else ""


def _few(names: list[str]) -> str:
    shown = ", ".join(re.sub(r"\.(dist|egg)-info$", "", name) for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown

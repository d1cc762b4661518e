"""Check the display names that users give to runs: --name, and the NAME of rename."""

from __future__ import annotations

import importlib

from scriptrun.spec.control_characters import escape
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.workspace import Workspace

#: the longest display name
MAX_LENGTH = 200


def check(workspace: Workspace, name: str) -> None:
    """Raise UserErrorException for a name that nobody could read, or that finds another run."""
    problem, hint = _problem(name)
    if not problem and workspace.find_run(name) is not None:
        problem, hint = "it is the ID of another run", "Use another name."
    if problem:
        raise UserErrorException(f"Invalid display name {name[:MAX_LENGTH]!r}: {problem}.", hint)


def check_option(workspace: Workspace, name: str | None) -> None:
    """``check`` of --name; without a name, the run is called by its short name."""
    if name:
        check(workspace, name)


def _problem(name: str) -> tuple[str, str]:
    """What is wrong with a name, and what to do; "" if nothing is."""
    if not name.strip():
        return "it is empty", "Use letters, digits, spaces and punctuation."
    if name != name.strip():
        return "it begins or ends with a space", f"Use {name.strip()!r}."
    if escape(name) != name or "\n" in name or "\t" in name:
        return "it contains control characters", "Use letters, digits, spaces and punctuation."
    if len(name) > MAX_LENGTH:
        return f"it has {len(name):,} characters", f"Use at most {MAX_LENGTH}."
    if name.startswith("latest") or ":" in name:
        selectors = importlib.import_module("scriptrun.runs.selectors")  # loads the index
        if selectors.is_selector(name):
            return "it is a selector of runs, like latest and best:METRIC", "Use another name."
    return "", ""

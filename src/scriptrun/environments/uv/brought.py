"""Lock requirements that nobody wrote with the user's, and drop some if they conflict."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence

from scriptrun.environments import dependency_paths
from scriptrun.environments.interpreter.discovery import Python
from scriptrun.environments.uv import relax_pins as uv_relax_pins
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.environments.uv.relax_pins import Compile
from scriptrun.environments.uv.requirements import Request
from scriptrun.spec.environment import TOOLS
from scriptrun.spec.values import Value


class Completed(Value):
    """A request with the available brought requirements, its Python and its locked text."""

    request: Request
    python: Python
    text: str
    note: str = ""


def add(
    request: Request,
    python: Python,
    text: str,
    changes: Mapping[str, tuple[str, str]],
    compile: Compile,
    others: Callable[[], Sequence[Python]] = list,
) -> Completed:
    """Lock ``request``, which is locked as ``text`` alone, with what its packages brought.

    The user's requirements stay; ``changes`` are the pins that were relaxed. ``others`` are the
    Pythons that may be used instead of the chosen one.
    """
    lines = tuple(uv_relax_pins.with_changes(line, changes) for line in request.lines)
    alone = Completed(request.replace(lines=lines), python, text)

    def lock(brought: tuple[str, ...], python: Python = python) -> Completed | None:
        return _with(alone, lines, brought, python, compile)

    tools_first = sorted(dict.fromkeys(request.brought), key=lambda line: not _is_tool(line))
    ordered = tuple(tools_first)
    whole = lock(ordered)
    if whole is not None:
        return whole
    for other in _of_their_time(ordered, python, others):
        whole = lock(ordered, other)
        if whole is not None:
            return whole.replace(note=f"Using Python {other.version}, as the SDK's packages did.")
    kept, completed = _add_parts((), alone, ordered, lock)
    return completed.replace(note=_left_out(request.brought, kept))


def _of_their_time(
    brought: Sequence[str], python: Python, others: Callable[[], Sequence[Python]]
) -> list[Python]:
    """The older Pythons for which all bounds of ``brought`` hold, newest first."""
    limits = [
        (int(match[1]), int(match[2]))
        for line in brought
        if (match := re.search(r'python_version <= "(\d+)\.(\d+)"', line))
    ]
    if not limits or python.minor <= min(limits):
        return []
    return [other for other in others() if other.minor <= min(limits)]


def _add_to(
    kept: tuple[str, ...],
    completed: Completed,
    lines: tuple[str, ...],
    lock: Callable[[tuple[str, ...]], Completed | None],
) -> tuple[tuple[str, ...], Completed]:
    """Add what is available of ``lines`` to ``kept``, which are locked as ``completed``."""
    answer = lock((*kept, *lines)) if lines else None
    if answer is not None:
        return (*kept, *lines), answer
    return _add_parts(kept, completed, lines, lock)


def _add_parts(
    kept: tuple[str, ...],
    completed: Completed,
    lines: tuple[str, ...],
    lock: Callable[[tuple[str, ...]], Completed | None],
) -> tuple[tuple[str, ...], Completed]:
    """As ``_add_to``, for ``lines`` of which some are unavailable.

    A line that is unavailable loses its bounds, a tool's is left out: newer ones lack what old code
    imports (pkg_resources).
    """
    if not lines:
        return kept, completed
    if len(lines) > 1:
        middle = len(lines) // 2
        kept, completed = _add_to(kept, completed, lines[:middle], lock)
        return _add_to(kept, completed, lines[middle:], lock)
    name = dependency_paths.requirement_name(lines[0])
    is_free = name == lines[0] or _is_tool(name)
    answer = None if is_free else lock((*kept, name))
    return (kept, completed) if answer is None else ((*kept, name), answer)


def _is_tool(line: str) -> bool:
    return dependency_paths.requirement_name(line) in TOOLS


def _with(
    alone: Completed,
    lines: Sequence[str],
    brought: tuple[str, ...],
    python: Python,
    compile: Compile,
) -> Completed | None:
    """The user's ``lines`` with ``brought``; None if they have no solution."""
    if not brought:
        return alone
    request = alone.request.replace(lines=(*lines, *brought))
    text = _compiled(request, python, brought, compile)
    return None if text is None else Completed(request, python, text)


def _compiled(
    request: Request, python: Python, brought: Sequence[str], compile: Compile
) -> str | None:
    names = dict.fromkeys(map(dependency_paths.requirement_name, brought))
    try:
        return compile(request, python, tuple(f"--only-binary={name}" for name in names))
    except uv_tool.UvError as failure:
        is_reachable = len(request.lines) > len(brought)  # the user's own were found
        if (
            is_reachable
            and not failure.other_versions_may_help
            and not os.environ.get("UV_OFFLINE")
        ):
            raise
        return None


def _left_out(brought: Sequence[str], used: Sequence[str]) -> str:
    """The note about what of ``brought`` is missing or has lost its bounds; "" for nothing."""
    names = {line: dependency_paths.requirement_name(line) for line in brought}
    kept = set(map(dependency_paths.requirement_name, used))
    missing = dict.fromkeys(name for name in names.values() if name not in kept)
    loose = dict.fromkeys(name for line, name in names.items() if name in kept and line not in used)
    left_out = "left out, as no release of them fits the requirements"
    newer = "newer than in Azure, as the requirements need it"
    notes = ((left_out, missing), (newer, loose))
    return "; ".join(f"{text}: {', '.join(which)}" for text, which in notes if which) + (
        "." if missing or loose else ""
    )

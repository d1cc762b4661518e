"""Lock the requirements that nobody wrote beside the user's: less of them where they conflict."""

from __future__ import annotations

import os
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
    """A request with the available brought requirements, and its locked text."""

    request: Request
    text: str
    note: str = ""


def add(
    request: Request,
    python: Python,
    text: str,
    changes: Mapping[str, tuple[str, str]],
    compile: Compile,
) -> Completed:
    """Lock ``request``, which is locked as ``text`` alone, with what its packages brought.

    The user's requirements stay; ``changes`` are the pins that were relaxed.
    """
    lines = tuple(uv_relax_pins.with_changes(line, changes) for line in request.lines)
    alone = Completed(request.replace(lines=lines), text)

    def lock(brought: tuple[str, ...]) -> Completed | None:
        return _with(alone, lines, brought, python, compile)

    ordered = sorted(dict.fromkeys(request.brought), key=lambda line: not _is_tool(line))
    kept, completed = _add_to((), alone, tuple(ordered), lock)
    return completed.replace(note=_left_out(request.brought, kept))


def _add_to(
    kept: tuple[str, ...],
    completed: Completed,
    lines: tuple[str, ...],
    lock: Callable[[tuple[str, ...]], Completed | None],
) -> tuple[tuple[str, ...], Completed]:
    """Add what can be had of ``lines`` to ``kept``, which are locked as ``completed``.

    A line that cannot be had loses its bounds, a tool's is left out: newer ones lack what old code
    imports (pkg_resources).
    """
    if not lines:
        return kept, completed
    answer = lock((*kept, *lines))
    if answer is not None:
        return (*kept, *lines), answer
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
    return None if text is None else Completed(request, text)


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
    left_out = "left out, as they cannot be had beside the requirements"
    newer = "newer than in Azure, as the requirements need it"
    notes = ((left_out, missing), (newer, loose))
    return "; ".join(f"{text}: {', '.join(which)}" for text, which in notes if which) + (
        "." if missing or loose else ""
    )

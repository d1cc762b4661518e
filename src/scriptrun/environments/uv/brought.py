"""Lock the requirements that nobody wrote beside the user's: less of them where they conflict."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from scriptrun.environments import dependency_paths
from scriptrun.environments.interpreter.discovery import Python
from scriptrun.environments.uv import relax_pins as uv_relax_pins
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.environments.uv.relax_pins import Compile
from scriptrun.environments.uv.requirements import Request
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
    names = tuple(dict.fromkeys(map(dependency_paths.requirement_name, request.brought)))
    alone = Completed(request.replace(lines=lines), text, _left_out(request.brought, ()))
    for brought in dict.fromkeys((request.brought, names)):
        answer = _with(alone, lines, brought, python, compile)
        if answer is not None:
            return answer.replace(note=_left_out(request.brought, brought))
    best = alone
    kept: tuple[str, ...] = ()
    for name in names:
        answer = _with(alone, lines, (*kept, name), python, compile)
        if answer is not None:
            best, kept = answer, (*kept, name)
    return best.replace(note=_left_out(request.brought, kept))


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
    names = [dependency_paths.requirement_name(line) for line in brought]
    kept = {dependency_paths.requirement_name(line) for line in used}
    missing = [name for name in dict.fromkeys(names) if name not in kept]
    if missing:
        return f"left out, as they cannot be had beside the requirements: {', '.join(missing)}."
    loose = [name for line, name in zip(brought, names, strict=True) if re.search(r"[<=~]", line)]
    if [*used] == [*brought] or not loose:
        return ""
    return f"newer than in Azure, as the requirements need it: {', '.join(dict.fromkeys(loose))}."

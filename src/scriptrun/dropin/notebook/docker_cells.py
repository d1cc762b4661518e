"""Cells that run docker's own commands, which need its daemon."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Iterable

from scriptrun.dropin import one_time_notes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.dropin.notebook.cells import CodeCell

#: a line for the shell, or one of a cell that is a shell script
_LINE = re.compile(r"^[ \t]*(?:\w+\s*=\s*)?!+\s*(?:sudo\s+)?docker(?:-compose)?\s", re.MULTILINE)
_SCRIPT = re.compile(r"\A\s*%%(?:bash|sh|script)\b.*^[ \t]*(?:sudo\s+)?docker\s", re.M | re.S)
#: what docker's client answers by itself
_WITHOUT_DAEMON = ("--version", "-v", "--help", "help", "context", "config")
#: seconds to wait for docker's answer
_TIMEOUT = 30.0


def note(cells: Iterable[CodeCell]) -> None:
    """Say before the first cell that docker will not work in those that need it."""
    numbers = [cell.number for cell in cells if uses_docker(cell.source)]
    reason = problem() if numbers else ""
    if reason:
        word, verb = ("cells", "run") if len(numbers) > 1 else ("cell", "runs")
        one_time_notes.say(
            f"{word} {', '.join(map(str, numbers))} {verb} docker, but {reason}. "
            "These commands are skipped. Jobs on Azure's images run as processes without it."
        )


def uses_docker(source: str) -> bool:
    """Whether the cell runs a docker command."""
    return bool(_LINE.search(source) or _SCRIPT.search(source))


def why_skipped(words: list[str]) -> str | None:
    """Why the docker command ``words`` cannot be run here; None if it can."""
    if len(words) < 2 or words[1] in _WITHOUT_DAEMON:
        return None
    return problem() or None


@functools.cache
def problem() -> str:
    """Why docker cannot be used on this machine; "" if it can."""
    program = shutil.which("docker")
    if program is None:
        others = [name for name in ("podman", "nerdctl") if shutil.which(name)]
        hint = f"; {others[0]} is, with which you can run it yourself" if others else ""
        return f"docker is not installed on this machine{hint}"
    try:
        done = subprocess.run(
            [program, "version"], capture_output=True, text=True, timeout=_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired):
        return "docker does not respond"
    if not done.returncode:
        return ""
    lines = done.stderr.strip().splitlines() or ["it does not work"]
    first_sentence = re.split(r"[.?!](?:\s|$)", lines[-1])[0]
    return f"docker cannot be used here: {first_sentence[:1].lower()}{first_sentence[1:]}"

"""Cells that run docker's own commands, which need its daemon."""

from __future__ import annotations

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
#: seconds to wait for docker's answer
_TIMEOUT = 30.0


def note(cells: Iterable[CodeCell]) -> None:
    """Say before the first cell that docker will not work in those that need it."""
    numbers = [cell.number for cell in cells if uses_docker(cell.source)]
    reason = _problem() if numbers else ""
    if reason:
        word, verb = ("cells", "run") if len(numbers) > 1 else ("cell", "runs")
        one_time_notes.say(
            f"{word} {', '.join(map(str, numbers))} {verb} docker, but {reason}. "
            "Jobs on Azure's images run as processes without it."
        )


def uses_docker(source: str) -> bool:
    """Whether the cell runs a docker command."""
    return bool(_LINE.search(source) or _SCRIPT.search(source))


def _problem() -> str:
    program = shutil.which("docker")
    if program is None:
        return "it is not installed on this machine"
    try:
        done = subprocess.run(
            [program, "version"], capture_output=True, text=True, timeout=_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired):
        return "it does not respond"
    lines = done.stderr.strip().splitlines() or ["it does not work"]
    return lines[-1].rstrip(".?!") if done.returncode else ""

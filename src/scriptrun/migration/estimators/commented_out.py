"""Arguments of an Estimator that are commented out, and that a ScriptRunConfig does not have."""

from __future__ import annotations

import ast
import re

from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators.call import PARAMETERS

_ARGUMENT = re.compile(r"#+\s*(\w+)\s*=(?!=)(.*)$")
_KEPT = ("source_directory", "compute_target", "max_run_duration_seconds", "resume_from")


def name(comment: str) -> str:
    """The name of the argument that the comment has, or "" if it is none or still exists."""
    match = _ARGUMENT.match(comment.strip())
    if match is None or match[1] not in PARAMETERS or match[1] in _KEPT:
        return ""
    try:
        ast.parse(f"f({match[1]}={match[2]}\n)")
    except (SyntaxError, ValueError):
        return ""
    return match[1]


def removals(program: Program, start: int, end: int, edits: list[Edit]) -> list[tuple[str, Edit]]:
    """The names and the edits that remove such lines between two offsets, where no edit is."""
    starts = program.lines.starts
    found = []
    for number in range(program.lines.line(start) + 1, program.lines.line(end)):
        begin, stop = starts[number - 1], starts[number]
        argument = name(program.text[begin:stop])
        is_free = not any(edit.start < stop and edit.end > begin for edit in edits)
        if argument and is_free:
            found.append((argument, Edit(begin, stop, "")))
    return found

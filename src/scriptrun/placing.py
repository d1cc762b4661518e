"""What a job's environment comes to on this machine: which interpreter, container or processes."""

from __future__ import annotations

import os
import re
import sys

from scriptrun.spec.environment import INTERPRETER, EnvironmentSpec
from scriptrun.spec.hints import TYPE_CHECKING

#: a requirement's path, as ``/here/lib``, ``/here/lib[extra]; marker`` and ``lib @ file:///here/lib``
_PLACE = re.compile(r"(?:[\w.-]+(?:\[[^\]]*\])?\s*@\s*)?(?:file://)?(/[^\[;]*)")

if TYPE_CHECKING:
    from scriptrun.config.planning import Described


def placed(
    described: Described, interpreter: str | None
) -> tuple[EnvironmentSpec, tuple[str, ...]]:
    """The environment request with all that is left open decided, and what the run should say.

    ``interpreter`` runs a job that names none (default: the interpreter of this process). An image
    of Azure's own says no more than "a Linux with conda": where there are no containers it means
    processes with the same packages.
    """
    spec, notes = described.environment, []
    if spec.kind == INTERPRETER and spec.interpreter is None:
        spec = spec.replace(interpreter=interpreter or sys.executable)
        notes.append(f"the environment names no interpreter: the job runs in {spec.interpreter}")
    if spec.container and not spec.docker.get("own"):
        notes.append(f"{spec.image} is run as processes with the same packages, not as a container")
        spec = spec.replace(container=False)
    return spec, (*notes, *filter(None, map(_of_a_directory, spec.pip)))


def _of_a_directory(requirement: str) -> str:
    """What to say of a requirement that is a directory of this machine; "" for all others."""
    editable, _, rest = requirement.partition(" ")
    editable = editable if editable in ("-e", "--editable") else ""
    path = _PLACE.match(rest if editable else requirement)
    if path is None or not os.path.isdir(path[1].strip()):
        return ""
    if editable:
        return f"{requirement} is used where it lies: later changes of it reach this run"
    return (
        f"{path[1].strip()} is installed as it is when the environment is built: later changes of "
        "it reach no run until the requirements change"
    )

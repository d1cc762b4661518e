"""The PYTHONPATH of a job: the job runtime first, then the user's own."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


def of(job: "Json", runtime: str, rest: "str | None") -> str:
    """PYTHONPATH for ``job`` (as JSON): the folder ``runtime``, then ``rest``, if any.

    Jobs of old code also get the names that packages have removed
    (``fronts/sitecustomize_front.py``).
    """
    old = (job.get("environment") or {}).get("pins") == "auto"
    folders = [runtime, os.path.join(runtime, "old")] if old else [runtime]
    return os.pathsep.join(folders + ([rest] if rest else []))

"""The PYTHONPATH of a job: the job runtime first, then the user's own."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


#: ends the folder that the submitting process of old code gives to its own children
_SUBMITTERS = os.path.join("scriptrun", "dropin", "in_children")


def build_pythonpath(job: "Json", runtime: str, inherited: "str | None") -> str:
    """PYTHONPATH for ``job`` (as JSON): the folder ``runtime``, then ``inherited``, if any.

    Jobs whose pins may be relaxed also get the names that packages have removed
    (``fronts/sitecustomize_front.py``).
    """
    entries = [entry for entry in (inherited or "").split(os.pathsep) if entry]
    entries = [entry for entry in entries if not entry.endswith(_SUBMITTERS)]
    may_relax = (job.get("environment") or {}).get("pins") in ("relax", "auto")
    folders = [runtime, os.path.join(runtime, "old")] if may_relax else [runtime]
    return os.pathsep.join(folders + entries)

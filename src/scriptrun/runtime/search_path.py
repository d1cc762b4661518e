"""The PYTHONPATH of a job: the job runtime first, then the user's own."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


def build_pythonpath(job: "Json", runtime: str, inherited: "str | None") -> str:
    """PYTHONPATH for ``job`` (as JSON): the folder ``runtime``, then ``inherited``, if any.

    Jobs whose pins may be relaxed also get the names that packages have removed
    (``fronts/sitecustomize_front.py``).
    """
    may_relax = (job.get("environment") or {}).get("pins") in ("relax", "auto")
    folders = [runtime, os.path.join(runtime, "old")] if may_relax else [runtime]
    return os.pathsep.join(folders + ([inherited] if inherited else []))

"""The PYTHONPATH of a job: the job runtime first, then the user's own."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


def build_pythonpath(job: "Json", runtime: str, inherited: "str | None") -> str:
    """PYTHONPATH for ``job`` (as JSON): the folder ``runtime``, then ``inherited``, if any.

    Jobs of old code also get the names that packages have removed
    (``fronts/sitecustomize_front.py``).
    """
    is_old_code = (job.get("environment") or {}).get("pins") == "auto"
    folders = [runtime, os.path.join(runtime, "old")] if is_old_code else [runtime]
    return os.pathsep.join(folders + ([inherited] if inherited else []))

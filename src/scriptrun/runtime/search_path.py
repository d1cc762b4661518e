"""Where a job's Python looks first: what runs with the job, before the user's own PYTHONPATH."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


def of(job: "Json", runtime: str, rest: "str | None") -> str:
    """PYTHONPATH for ``job`` (as JSON): the folder ``runtime``, then ``rest`` (None for nothing).

    Old code's job also finds the names that have gone from packages
    (``fronts/sitecustomize_front.py``).
    """
    old = (job.get("environment") or {}).get("pins") == "auto"
    folders = [runtime, os.path.join(runtime, "old")] if old else [runtime]
    return os.pathsep.join(folders + ([rest] if rest else []))

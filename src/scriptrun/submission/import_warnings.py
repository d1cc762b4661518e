"""Warnings about a submitted job's imports; they never block it."""

from __future__ import annotations

from pathlib import Path

from scriptrun.environments import import_check
from scriptrun.spec.job import JobSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.environments.builder import Ready


def missing_imports(job: JobSpec, ready: Ready | None) -> list[str]:
    """A warning for every module that the script imports and the environment lacks."""
    if not job.script or not job.snapshot or job.environment.container:
        return []
    try:
        source = (Path(job.source_directory) / job.script).read_bytes()
    except OSError:
        return []
    beside = Path(job.source_directory)
    wanted = {
        name
        for name in import_check.script_imports(source)
        if not (beside / name).exists() and not (beside / f"{name}.py").exists()
    }
    missing = import_check.missing(wanted - {"scriptrun", "azureml"}, ready or job.environment)
    return [f"{job.script} imports {name!r}, which is not in the environment" for name in missing]

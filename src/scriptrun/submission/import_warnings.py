"""Warnings about a submitted job's imports; they never block it."""

from __future__ import annotations

from pathlib import Path

from scriptrun.environments import import_check
from scriptrun.spec.job import JobSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.environments.builder import ReadyEnvironment


def missing_imports(job: JobSpec, ready: ReadyEnvironment | None) -> list[str]:
    """A warning for every module that the script imports and the environment lacks."""
    if not job.script or not job.snapshot or job.environment.container:
        return []
    try:
        source = (Path(job.source_directory) / job.script).read_bytes()
    except OSError:
        return []
    source_folder = Path(job.source_directory)
    imports = {
        name
        for name in import_check.script_imports(source)
        if not (source_folder / name).exists() and not (source_folder / f"{name}.py").exists()
    }
    missing = import_check.missing(imports - {"scriptrun", "azureml"}, ready or job.environment)
    return [f"{job.script} imports {name!r}, which is not in the environment" for name in missing]

"""Warnings about a job that has been submitted: they never block it, nor delay it."""

from __future__ import annotations

from scriptrun.spec.job import JobSpec
from scriptrun.submission import ignored_paths, import_warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.environments.builder import ReadyEnvironment


def remarks(job: JobSpec, ready: ReadyEnvironment | None) -> list[str]:
    """What the job imports, reads or names, and will not find."""
    return [*import_warnings.missing_imports(job, ready), *ignored_paths.warnings(job)]

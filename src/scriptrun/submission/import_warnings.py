"""Warnings about a submitted job's imports; they never block it."""

from __future__ import annotations

import posixpath
from pathlib import Path

from scriptrun.environments import import_check
from scriptrun.spec.environment import INTERPRETER
from scriptrun.spec.job import JobSpec
from scriptrun.submission import entry_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriptrun.environments.builder import ReadyEnvironment

#: how many modules of the source are read
_MOST_MODULES = 200


def missing_imports(job: JobSpec, ready: ReadyEnvironment | None) -> list[str]:
    """A warning for every module that the script imports and that the job will not find.

    The environment lacks it, or it is a file of the source that the snapshot leaves out.
    """
    if not job.snapshot:
        return []
    source = Path(job.source_directory)
    messages: list[str] = []
    for script in entry_files.entry_files(source, job.script, job.command):
        messages += _ignored(source, script, job, ready)
        if script == job.script and not job.environment.container:
            messages += _missing(source, script, job, ready)
    return list(dict.fromkeys(messages))


def _missing(
    source: Path, script: str, job: JobSpec, ready: ReadyEnvironment | None
) -> Iterator[str]:
    imports = {
        name
        for name in import_check.script_imports(_content(source / script))
        if not any(
            (folder / name).exists() or (folder / f"{name}.py").exists()
            for folder in (source, (source / script).parent)
        )
    }
    missing = import_check.missing(imports - {"scriptrun", "azureml"}, ready or job.environment)
    return (f"{job.script} imports {name!r}, which is not in the environment" for name in missing)


def _ignored(
    source: Path, script: str, job: JobSpec, ready: ReadyEnvironment | None
) -> Iterator[str]:
    """A warning for each module of the source that is imported and not in the snapshot."""
    roots = list(dict.fromkeys((posixpath.dirname(script), "")))
    rest, seen = [(script, "")], {script}
    while rest and len(seen) < _MOST_MODULES:
        importer, package = rest.pop()
        imported = import_check.imported_names(_content(source / importer), package)
        every = [module for name in imported for module in _with_packages(name)]
        for name in dict.fromkeys(every):
            module = _find(source, roots, name)
            if module is None or module in seen:
                continue
            seen.add(module)
            reason = entry_files.why_ignored(source, module)
            if reason is None:
                is_package = posixpath.basename(module) == "__init__.py"
                rest.append((module, name if is_package else name.rpartition(".")[0]))
            elif not _has(job, ready, name):
                yield f"{importer} imports {name!r}, but {module} is not in the snapshot: {reason}"


def _with_packages(name: str) -> list[str]:
    """The packages that importing the module ``name`` imports, and the module itself."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _find(source: Path, roots: list[str], name: str) -> str | None:
    """The file of the module ``name`` in the source, if it is there."""
    stem = name.replace(".", "/")
    for root in roots:
        for file in (f"{stem}/__init__.py", f"{stem}.py"):
            path = posixpath.join(root, file)
            if (source / path).is_file():
                return path
    return None


def _has(job: JobSpec, ready: ReadyEnvironment | None, name: str) -> bool:
    """Whether the environment is known to have the module ``name``."""
    if ready is None and (job.environment.kind == INTERPRETER or job.environment.container):
        return False
    return not import_check.missing([name.partition(".")[0]], ready or job.environment)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""

"""Warnings about a submitted job's imports; they never block it."""

from __future__ import annotations

import glob
import os
import posixpath
from pathlib import Path

from scriptrun.environments import import_check
from scriptrun.runtime import files
from scriptrun.spec.environment import INTERPRETER
from scriptrun.spec.job import JobSpec
from scriptrun.submission import entry_files, script_paths

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
    code = content(source / script)
    folders = [source / root for root in _roots(script, code, job)]
    imports = {
        name
        for name in import_check.script_imports(code)
        if not any((folder / name).exists() or _file_in(folder, name) for folder in folders)
    }
    missing = import_check.missing(imports - {"scriptrun", "azureml"}, ready or job.environment)
    for name in missing:
        package = import_check.distributions_for(name)[0]
        advice = "" if package == name.lower() else f" (package {package})"
        yield f"{job.script} imports {name!r}, which is not in the environment{advice}"


def _roots(script: str, code: bytes, job: JobSpec) -> list[str]:
    """The folders of the source in which Python looks for the modules that ``script`` imports."""
    own = posixpath.dirname(script)
    added = script_paths.search_folders(code)
    added += job.variables.get("PYTHONPATH", "").split(os.pathsep)
    paths = [own, "", *(posixpath.join(base, path) for path in added for base in (own, ""))]
    paths = [posixpath.normpath(path) for path in paths]
    return [path for path in dict.fromkeys(paths) if not path.startswith(("/", ".."))]


def _ignored(
    source: Path, script: str, job: JobSpec, ready: ReadyEnvironment | None
) -> Iterator[str]:
    """A warning for each module of the source that is imported and not in the snapshot."""
    code = content(source / script)
    roots = _roots(script, code, job)
    rest, seen = [(script, posixpath.dirname(script).replace("/", "."))], {script}
    while rest and len(seen) < _MOST_MODULES:
        importer, package = rest.pop()
        imported = import_check.imported_names(content(source / importer), package)
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
    folder, _, last = name.replace(".", "/").rpartition("/")
    for root in roots:
        path = posixpath.normpath(posixpath.join(root, folder))
        found = _file_in(source / path, last)
        if found:
            return posixpath.normpath(posixpath.join(path, found))
    return None


def _file_in(folder: Path, name: str) -> str | None:
    """The file of the module ``name`` in ``folder``, which may be a compiled one."""
    for file in (f"{name}/__init__.py", f"{name}.py"):
        if (folder / file).is_file():
            return file
    compiled = glob.glob(f"{glob.escape(name)}.*so", root_dir=folder)
    return compiled[0] if compiled else None


def _has(job: JobSpec, ready: ReadyEnvironment | None, name: str) -> bool:
    """Whether the environment is known to have the module ``name``."""
    if ready is None and (job.environment.kind == INTERPRETER or job.environment.container):
        return False
    return not import_check.missing([name.partition(".")[0]], ready or job.environment)


def content(path: Path) -> bytes:
    """The content of a file of the source; empty if it cannot be read."""
    try:
        return files.read_bytes(path) or b""
    except OSError:
        return b""

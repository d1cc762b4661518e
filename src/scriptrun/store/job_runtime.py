"""Copies the code that runs with jobs into the workspace, under the digest of its content."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from scriptrun.runtime import files
from scriptrun.spec.digests import digest_of, sha256
from scriptrun.store import paths

_SOURCE = Path(__file__).resolve().parent.parent / "runtime"
#: files that become the modules that a job's script imports
_FRONTS = {
    "fronts/script_front.py": "scriptrun/__init__.py",
    "fronts/azureml_front.py": "azureml/__init__.py",
    "fronts/sitecustomize_front.py": "old/sitecustomize.py",
}


def install(directory: Path) -> Path:
    """The folder for a job's PYTHONPATH, created in ``directory`` on first use."""
    target = directory / "runtime" / _digest()
    if not target.is_dir():
        try:
            _copy(target)
        except OSError as error:
            raise paths.not_writable(target, error) from error
    return target


def _files() -> list[str]:
    return [name for name, _, _ in _scan()]


def _scan(folder: str = "") -> list[tuple[str, int, int]]:
    """Each file to copy: its name below ``runtime/``, size and modification time."""
    file_stats = []
    with os.scandir(_SOURCE / folder) as entries:
        for entry in sorted(entries, key=lambda item: item.name):
            name = f"{folder}{entry.name}"
            if entry.name.endswith(".py"):
                status = entry.stat()
                file_stats.append((name, status.st_size, status.st_mtime_ns))
            elif entry.name != "__pycache__" and entry.is_dir():
                file_stats += _scan(f"{name}/")
    return file_stats


@functools.cache
def _digest() -> str:
    """The digest of all files to copy; recomputed only if a file's size or time has changed."""
    stamp = digest_of([str(_SOURCE), *_scan()])
    cache_file = str(paths.cache_root() / "kit.json")
    cached = files.read_json(cache_file)
    if isinstance(cached, dict) and cached.get("stamp") == stamp:
        return str(cached["digest"])
    digest = _compute_digest()
    try:
        os.makedirs(os.path.dirname(cache_file), exist_ok=True)
        files.write_atomic(cache_file, files.to_json({"stamp": stamp, "digest": digest}))
    except OSError:
        pass  # a note for speed only
    return digest


def _compute_digest() -> str:
    hasher = sha256()
    for name in _files():
        content = (_SOURCE / name).read_bytes()
        hasher.update(f"{name}\0{len(content)}\0".encode())
        hasher.update(content)
    return str(hasher.hexdigest()[:16])


def _copy(target: Path) -> None:
    """Copy to a temporary folder and rename it: complete or absent, even with concurrent copies."""
    import shutil

    temporary = target.with_name(f"{target.name}.{files.unique()}.tmp")
    package = temporary / "scriptrun" / "runtime"
    try:
        for name in _files():
            destination = package / name
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_SOURCE / name, destination)
        for front, name in _FRONTS.items():
            (temporary / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(_SOURCE / front, temporary / name)
        os.rename(temporary, target)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        if not target.is_dir():
            raise

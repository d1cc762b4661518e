"""Copies the code that runs with jobs into the workspace, under the digest of its content."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from scriptrun.runtime import durability, files
from scriptrun.spec.digests import digest_of, sha256
from scriptrun.store import file_stamp, paths, trees

_SOURCE = Path(__file__).resolve().parent.parent / "runtime"
#: files that become the modules that a job's script imports
_FRONTS = {
    "fronts/script_front.py": "scriptrun/__init__.py",
    "fronts/dropin_front.py": "scriptrun/dropin.py",
    "fronts/azureml_front.py": "azureml/__init__.py",
    "fronts/sitecustomize_front.py": "old/sitecustomize.py",
}


def install(directory: Path) -> Path:
    """The folder for a job's PYTHONPATH, created in ``directory`` on first use.

    A copy that looks different than when it was last compared is compared again, and what is
    damaged in it is replaced.
    """
    target = directory / "runtime" / _digest()
    try:
        if not target.is_dir():
            if os.path.lexists(target):
                trees.remove(target)
            _copy(target)
        elif not _is_known(target):
            _repair(target)
    except OSError as error:
        raise paths.not_writable(target, error) from error
    return target


def damaged_files(target: Path) -> list[str]:
    """What the copy ``target`` holds besides its files, and those that are not as they should be.

    [] for a copy of another version's runtime, which cannot be compared.
    """
    if target.name != _compute_digest():
        return []
    copied = _copied()
    damaged = trees.unexpected(target, [name for _, name in copied])
    return damaged + [
        name for source, name in copied if not _is_same(_SOURCE / source, target / name)
    ]


def _copied() -> list[tuple[str, str]]:
    """For each file of a copy: its name below ``runtime/``, and its name in the copy."""
    return [*((name, f"scriptrun/runtime/{name}") for name in _files()), *_FRONTS.items()]


def _is_same(source: Path, copy: Path) -> bool:
    content = source.read_bytes()
    try:
        return not copy.is_symlink() and files.read_bytes(copy) == content
    except OSError:
        return False


def _repair(target: Path) -> None:
    """Replace the damaged files of a copy, each by a rename: jobs may be importing them."""
    sources = {name: source for source, name in _copied()}
    for name in damaged_files(target):
        path = target / name
        if name not in sources or path.is_dir():
            trees.remove(path)
        if name in sources:
            files.make_folders(path.parent)
            files.write_atomic(path, (_SOURCE / sources[name]).read_bytes())
    _remember(target)


def _note_path(target: Path) -> str:
    name = digest_of(str(target))[:32]
    return str(paths.cache_root() / "stat" / f"{name}.runtime")


def _look(target: Path) -> str:
    """A digest that changes whenever a file of the copy does, or one is added."""
    folder, names = str(target), [name for _, name in _copied()]
    folders = {os.path.dirname(name) for name in names}
    stamps = [file_stamp.stamp_of(f"{folder}/{name}") for name in [*names, *sorted(folders), ""]]
    return str(sha256(repr(stamps).encode()).hexdigest())


def _is_known(target: Path) -> bool:
    """Whether the copy looks as it did when it was last compared."""
    try:
        return files.read_bytes(_note_path(target)) == _look(target).encode()
    except OSError:
        return False


def _remember(target: Path) -> None:
    try:
        os.makedirs(os.path.dirname(_note_path(target)), exist_ok=True)
        files.write_atomic(_note_path(target), _look(target).encode(), durable=False)
    except OSError:
        pass  # a note for speed only


def _files() -> list[str]:
    return [name for name, _, _ in _stats()]


@functools.cache
def _stats() -> tuple[tuple[str, int, int], ...]:
    """``_scan``, once per process."""
    return tuple(_scan())


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
    stamp = digest_of([str(_SOURCE), *_stats()])
    cache_file = str(paths.cache_root() / "kit.json")
    cached = files.read_object(cache_file) or {}
    if cached.get("stamp") == stamp and isinstance(cached.get("digest"), str):
        return str(cached["digest"])
    digest = _compute_digest()
    try:
        os.makedirs(os.path.dirname(cache_file), exist_ok=True)
        note = files.to_json({"stamp": stamp, "digest": digest})
        files.write_atomic(cache_file, note, durable=False)
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
    try:
        for source, name in _copied():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_SOURCE / source, temporary / name)
        durability.sync_tree(temporary)
        files.make_folders(target.parent)
        os.rename(temporary, target)
        files.sync_folder(target.parent)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        if not target.is_dir():
            raise

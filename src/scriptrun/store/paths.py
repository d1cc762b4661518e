"""The folders of this user and this machine (listed in docs/explanation/formats.md).

All of them are on the local disk: lock files live here, never in a workspace, which may be on a
shared file system.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from scriptrun.runtime import disks, files
from scriptrun.spec.errors import WorkspaceException


def cache_root() -> Path:
    """``$SCRIPTRUN_CACHE``, else ``~/.cache/scriptrun`` (Windows: in ``%LOCALAPPDATA%``).

    Safe to delete when nothing runs. Does not create the folder; closes it to others.
    """
    root = _cache_path()
    _close_to_all(root)
    return root


def _cache_path() -> Path:
    configured = os.environ.get("SCRIPTRUN_CACHE")
    if configured:
        return Path(configured).expanduser().absolute()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
        return Path(local) / "scriptrun" / "cache"
    return Path.home() / ".cache" / "scriptrun"


def cache_folder(*names: str) -> Path:
    """A folder below ``cache_root()``, created if missing."""
    return _ensure_folder(cache_root().joinpath(*names))


def settings_root() -> Path:
    """``$SCRIPTRUN_SETTINGS``, else ``$XDG_CONFIG_HOME/scriptrun``, else ``~/.config/scriptrun``.

    What the user has decided, for good. (Windows: in ``%APPDATA%``.) Does not create the folder.
    """
    configured = os.environ.get("SCRIPTRUN_SETTINGS")
    if configured:
        return Path(configured).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming") / "scriptrun"
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".config") / "scriptrun"


def runtime_root() -> Path:
    """``$SCRIPTRUN_RUNTIME``, else ``cache_root()/runtime``: created, and private to its owner.

    Raises WorkspaceException if the folder belongs to another user.
    """
    configured = os.environ.get("SCRIPTRUN_RUNTIME")
    root = Path(configured).expanduser().absolute() if configured else cache_root() / "runtime"
    _ensure_folder(root, 0o700)
    _keep_private(root)
    return root


def runtime_folder(*names: str) -> Path:
    """A folder below ``runtime_root()``, created (0700) if missing."""
    return _ensure_folder(runtime_root().joinpath(*names), 0o700)


def processes_folder() -> Path:
    """The records of this user's processes, which alone may aim a signal (``process_record``)."""
    return runtime_folder("processes")


def slots_root() -> Path:
    """``$SCRIPTRUN_SLOTS``, else ``/tmp/scriptrun-slots``: created, open to all users (1777).

    It may be of no use, as another user's folder of that name.
    """
    configured = os.environ.get("SCRIPTRUN_SLOTS")
    if configured:
        root = Path(configured).expanduser().absolute()
    elif sys.platform == "win32":
        root = Path(os.environ.get("TEMP", "C:\\Temp")) / "scriptrun-slots"
    else:
        root = Path("/tmp/scriptrun-slots")
    if not root.is_dir():
        try:
            _ensure_folder(root)
        except WorkspaceException:
            return root  # whoever takes a slot finds out
        _chmod_quietly(root, 0o1777)
    return root


def own_slots_root() -> Path:
    """This user's own folder of slots, for a machine whose common one cannot be used."""
    return runtime_folder("slots")


def _ensure_folder(folder: Path, mode: int = 0o777) -> Path:
    try:
        if not folder.is_dir():
            cache = _cache_path()
            if cache in folder.parents and not cache.exists():
                files.make_folders(cache, 0o700)
            files.make_folders(folder, mode)
    except OSError as error:
        raise WorkspaceException(
            f"Cannot create folder {str(folder)!r}: {disks.describe(error)}.",
            "Set SCRIPTRUN_CACHE to a writable folder on this machine.",
        ) from None
    return folder


def _keep_private(root: Path) -> None:
    if sys.platform == "win32":
        return
    status = root.stat()
    if status.st_uid != os.geteuid():
        raise WorkspaceException(
            f"Runtime folder {str(root)!r} belongs to another user.",
            "Set SCRIPTRUN_RUNTIME to a folder that you own.",
        )
    if status.st_mode & 0o077:
        _chmod_quietly(root, 0o700)


def _chmod_quietly(folder: Path, mode: int) -> None:
    try:
        folder.chmod(mode)
    except OSError:
        pass  # another user owns it, and has set its mode


def _close_to_all(root: Path) -> None:
    """Take ``root`` from others, and from its group unless it may write it.

    What is in it may have any mode: uv's lock files can be written by everyone.
    """
    if sys.platform == "win32":
        return
    try:
        status = root.stat()
    except OSError:
        return
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o007 and not mode & stat.S_ISVTX and status.st_uid == os.geteuid():
        is_shared = mode & (stat.S_IWGRP | stat.S_ISGID)
        _chmod_quietly(root, mode & ~(0o007 if is_shared else 0o077))


def make_private(folder: Path) -> None:
    """Create ``folder`` for its owner alone, and for its group where the parent passes it on.

    That is a folder of a team: setgid.
    """
    folder.mkdir(mode=0o770)
    if sys.platform != "win32" and not folder.stat().st_mode & stat.S_ISGID:
        folder.chmod(0o700)


def full_disks() -> str:
    """The full disks among those that commands write to, in words; "" if none is."""
    folders = [".", str(_cache_path()), os.path.expanduser("~")]
    folders += [os.environ.get(name, "") for name in ("SCRIPTRUN_RUNTIME", "SCRIPTRUN_WORKSPACE")]
    folders += [os.environ.get("TMPDIR") or "/tmp"]
    return disks.full_among(filter(None, folders))


def not_writable(path: Path, error: OSError) -> WorkspaceException:
    """The error for a workspace that cannot be written, or a cache in which its runs wait."""
    reason = disks.describe(error, path)
    if error.filename is None and disks.is_about_disk(error) and not disks.is_full(path):
        reason = full_disks() or reason  # the system does not say which file it was
    return WorkspaceException(
        f"Cannot write the workspace: {error.filename or path}: {reason}.",
        "Free some disk space, change the permissions, or set other folders with "
        "SCRIPTRUN_WORKSPACE and SCRIPTRUN_CACHE.",
    )

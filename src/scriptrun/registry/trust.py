"""Whose workspaces are believed: one's own, and those that the user trusts by name.

Opening a workspace runs its files as the user. If somebody else owns it, or others may write to it,
it is refused until the user trusts it: ``scriptrun trust DIR``. The folder ``.scriptrun`` and its
direct content are checked, since they decide who can put anything below them.
"""

from __future__ import annotations

import functools
import os
import stat
import sys
from pathlib import Path

from scriptrun.runtime import files
from scriptrun.spec import accounts
from scriptrun.spec.digests import sha256
from scriptrun.spec.errors import WorkspaceException
from scriptrun.store import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scriptrun.runtime.hints import Json

DIRECTORY = ".scriptrun"


def require(root: Path) -> None:
    """Raise WorkspaceException unless the workspace in ``root`` is the user's own, or trusted.

    A few stat calls for one's own. Within a job, its own workspace is trusted: its launcher was
    started from there.
    """
    problem = why_not(root / DIRECTORY)
    if problem and not is_of_this_job(root) and not is_trusted(root):
        raise _refusal(root, f"The workspace in {str(root)!r} {problem}", "it runs as you")


def require_config(config: Path) -> None:
    """Raise WorkspaceException unless the ``config.json`` found upwards may be believed."""
    hidden = [config.parent] if config.parent.name.startswith((".", "aml_config")) else []
    problems = (_own_problem_of(str(path)) for path in (*hidden, config))
    problem = next(filter(None, problems), "")
    if problem and not is_trusted(config.parent):
        raise _refusal(config.parent, f"{str(config)!r} {problem}", "it names a workspace")


def _refusal(root: Path, problem: str, effect: str) -> WorkspaceException:
    import shlex

    hint = f"If you trust everyone who can write it, run: scriptrun trust {shlex.quote(str(root))}"
    directory = root / DIRECTORY
    if owner_of(root) in accounts.own_users() and directory.is_dir():
        hint += f"\n  To close it instead, run: chmod -R go-rwx {shlex.quote(str(directory))}"
    return WorkspaceException(f"{problem}, so it is not used: {effect}.", hint)


def why_not(directory: Path) -> str:
    """Why the workspace folder ``directory`` is not the user's own; "" if it is, or is missing."""
    folder = str(directory)
    problem = _own_problem_of(folder)
    if problem:
        return problem
    for name in _children(folder):
        problem = _problem_of(f"{folder}/{name}")
        if problem:
            return f"is not safe: its {name!r} {problem}"
    return ""


def _children(folder: str) -> Iterator[str]:
    """What is checked in the workspace folder: all in it, and then the copies of the runtime.

    What nobody else can enter holds what it may.
    """
    try:
        if sys.platform == "win32" or _is_closed(folder):
            return
        yield from sorted(os.listdir(folder))
        yield from (f"runtime/{name}" for name in sorted(os.listdir(f"{folder}/runtime")))
    except OSError:
        return  # it is missing, or nothing can be executed from there


def _is_closed(folder: str) -> bool:
    status = os.stat(folder)
    if status.st_mode & stat.S_IXOTH:
        return False
    return not status.st_mode & stat.S_IXGRP or is_own_group(folder, status.st_gid)


def why_not_own(path: Path) -> str:
    """Why the file is not the user's alone, or root's; "" if it is, or is missing."""
    owners = (0, *accounts.own_users())
    return next(filter(None, (_problem_of(str(path), look, owners) for look in _LOOKS)), "")


def _own_problem_of(path: str) -> str:
    """Why the file or folder, or the link that it is, is not the user's alone."""
    return _problem_of(path, os.lstat) or (_problem_of(path) if os.path.islink(path) else "")


#: at a path itself, and at what a symbolic link leads to
_LOOKS = (os.lstat, os.stat)


def _problem_of(
    path: str,
    look: Callable[[str], os.stat_result] = os.stat,
    owners: tuple[int, ...] | None = None,
) -> str:
    """Why the file or folder is not the user's alone; "" if it is, or is missing.

    With ``os.lstat``, the path itself is meant, not what a symbolic link leads to.
    """
    try:
        status = look(path) if sys.platform != "win32" else None  # which has access lists instead
    except OSError:
        status = None
    if status is None:
        return ""
    if status.st_uid not in (owners or accounts.own_users()):
        return f"belongs to {accounts.user_name(status.st_uid)}"
    if stat.S_ISLNK(status.st_mode):
        return ""  # anyone may write a link's mode; its owner decides where it leads
    if status.st_mode & stat.S_IWOTH:
        return "can be written by everyone on this machine"
    if status.st_mode & stat.S_IWGRP and not is_own_group(path, status.st_gid):
        return f"can be written by the group {accounts.group_name(status.st_gid)}"
    return ""


def is_own_group(path: str, gid: int) -> bool:
    """Whether the group is the user's private one: of the same name or number, without others.

    Distributions whose umask is 002 give each user such a group. An access control list may let
    more in than the mode shows.
    """
    if _has_access_list(path):
        return False
    return _is_private_group(os.geteuid(), gid)


@functools.cache
def _is_private_group(uid: int, gid: int) -> bool:
    import grp
    import pwd

    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return gid == os.getegid() == uid
    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return gid == user.pw_gid == uid
    is_private = group.gr_name == user.pw_name or gid == uid
    return gid == user.pw_gid and is_private and set(group.gr_mem) <= {user.pw_name}


def _has_access_list(path: str) -> bool:
    try:
        return bool(os.getxattr(path, "system.posix_acl_access"))
    except (OSError, AttributeError):  # none, or a system without
        return False


def is_of_this_job(root: Path) -> bool:
    """Whether this process is part of a job of the workspace.

    Its launcher has set the variables. No directory can set them: who can, can run code as us.
    """
    folder, own = os.environ.get("SCRIPTRUN_RUN_FOLDER"), os.environ.get("SCRIPTRUN_WORKSPACE")
    if not folder or not own:
        return False
    runs = os.path.realpath(root / DIRECTORY / "runs")
    return os.path.realpath(folder).startswith(runs + os.sep)


def mode_for(root: Path) -> int:
    """The mode for folders of a workspace to be created in ``root``, before the umask.

    Never writable by everyone; by the group only in a folder that is set up to be shared: setgid.
    """
    is_shared = root.stat().st_mode & stat.S_ISGID
    return 0o775 if is_shared else 0o755


def is_trusted(root: Path) -> bool:
    """Whether the user trusts the workspace in ``root``, and it still belongs to who owned it."""
    entry = _read(_entry_path(root))
    return entry is not None and entry.get("owner") == owner_of(root)


def trust(root: Path) -> None:
    """Trust the workspace in ``root``, and everyone who may write it now, from here on.

    Raises WorkspaceException if the settings folder cannot be written.
    """
    path = _entry_path(root)
    value = {"path": os.path.realpath(root), "owner": owner_of(root)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        files.write_atomic(str(path), files.to_json(value), mode=0o600)
    except OSError as error:
        raise WorkspaceException(
            f"Cannot write {str(path)!r}: {error.strerror}.",
            "Set SCRIPTRUN_SETTINGS to a folder that you can write.",
        ) from None


def distrust(root: Path) -> bool:
    """No longer trust the workspace in ``root``; returns whether it was trusted."""
    try:
        _entry_path(root).unlink()
    except OSError:
        return False
    return True


def trusted() -> list[str]:
    """The directories that the user trusts."""
    try:
        names = sorted(os.listdir(_entries()))
    except OSError:
        return []
    entries = [_read(_entries() / name) for name in names if name.endswith(".json")]
    return sorted(str(entry["path"]) for entry in entries if entry and entry.get("path"))


def owner_of(root: Path) -> int | None:
    """The user ID of who owns the workspace in ``root``, else its ``config.json``, else it."""
    for path in (root / DIRECTORY, root / "config.json", root):
        try:
            return os.stat(path).st_uid
        except OSError:
            continue
    return None


def _entries() -> Path:
    return paths.settings_root() / "trusted"


def _entry_path(root: Path) -> Path:
    real = os.fsencode(os.path.realpath(root))
    return _entries() / f"{sha256(real).hexdigest()[:32]}.json"


def _read(path: Path) -> Json | None:
    """The entry in ``path``; None if it is missing, damaged, or written by another user."""
    try:
        if sys.platform != "win32" and os.stat(path).st_uid != os.geteuid():
            return None
        value = files.read_json(str(path))
    except OSError:
        return None
    return value if isinstance(value, dict) else None

"""The system's users and groups: their names, for messages, and who owns what was found."""

from __future__ import annotations

import os
import sys


def user_name(uid: int) -> str:
    """The name of the user, else its number."""
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return f"the user with ID {uid}"


def group_name(gid: int) -> str:
    """The name of the group, else its number."""
    try:
        import grp

        return repr(grp.getgrgid(gid).gr_name)
    except (ImportError, KeyError):
        return str(gid)


def own_users() -> tuple[int, ...]:
    """This user; under sudo, also who called it, as git has it."""
    own = os.geteuid()
    caller = os.environ.get("SUDO_UID", "") if own == 0 else ""
    return (own, int(caller)) if caller.isascii() and caller.isdigit() else (own,)


def is_of_another(path: str | os.PathLike[str]) -> bool:
    """Whether another user, but root, made ``path``: a file, a folder, or the link that it is.

    A link of the user's own may lead anywhere.
    """
    if sys.platform == "win32":
        return False
    try:
        return os.lstat(path).st_uid not in (0, *own_users())
    except OSError:
        return False

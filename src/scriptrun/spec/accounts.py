"""The names of the system's users and groups, for messages."""

from __future__ import annotations


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

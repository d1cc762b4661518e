"""Standard streams that the parent process has closed, as cron jobs and daemons have them."""

import os
import sys


def open_closed() -> None:
    """Open the null device in place of each standard stream that is closed.

    Otherwise the next file or lock that is opened gets the descriptor, and with it what a process
    prints. Python's own objects stay as they are: None.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
            continue
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
        if null == descriptor:
            os.set_inheritable(null, True)
        else:
            os.dup2(null, descriptor)
            os.close(null)


def replace_missing() -> None:
    """Open closed standard streams, and give Python objects for them."""
    open_closed()
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115

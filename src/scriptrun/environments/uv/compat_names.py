"""Add names that old scripts use and newer packages lack to environments with relaxed pins.

It copies ``compat_names.py``, which Python loads at startup through a ``.pth`` file
(https://docs.python.org/3/library/site.html). Only environments with relaxed pins have it.
"""

from __future__ import annotations

from pathlib import Path

from scriptrun.runtime import injob

NAME = "scriptrun_old_names"


def put(site: str) -> None:
    """Install the names into the site-packages folder ``site``."""
    text = Path(injob.__file__).with_name("compat_names.py").read_text("utf-8")
    Path(site, f"{NAME}.py").write_text(text, "utf-8")
    Path(site, f"{NAME}.pth").write_text(f"import {NAME}; {NAME}.install()\n", "utf-8")

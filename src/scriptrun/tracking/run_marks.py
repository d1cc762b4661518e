"""Marks that users set on a run: archived, pinned or removed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from scriptrun.tracking import events, run_edits

#: hidden from lists; kept by ``prune``, with all that the run needs; in the trash
ARCHIVED, PINNED, REMOVED = "archived", "pinned", "removed"
NAMES = (ARCHIVED, PINNED, REMOVED)


def read(folder: Path) -> dict[str, float]:
    """The run's marks, and since when it has each, in seconds since 1970."""
    return events.collect_facts(events.read(folder)).marks


def write(folder: Path, name: str, on: bool = True) -> bool:
    """Set the mark ``name``, or remove it; return whether that changed anything."""
    return bool(write_all([folder], name, on))


def write_all(folders: Iterable[Path], name: str, on: bool = True) -> list[Path]:
    """Set the mark ``name`` of several runs, or remove it; return those that it changed.

    Once it returns, the marks survive a power cut. All have the same time, which is later than that
    of any earlier mark of these runs, so that they count although another host's clock is ahead.
    """
    folders = list(folders)
    changed = [folder for folder in folders if (name in read(folder)) != on]
    if changed:
        run_edits.write(changed, "mark", t=run_edits.next_time(folders, "mark"), name=name, on=on)
    return changed

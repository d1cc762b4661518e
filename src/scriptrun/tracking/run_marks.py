"""Marks that users set on a run: archived, pinned or removed."""

from __future__ import annotations

from pathlib import Path

from scriptrun.tracking import events, run_folder

#: hidden from lists; kept by ``prune``, with all that the run stands on; in the trash
ARCHIVED, PINNED, REMOVED = "archived", "pinned", "removed"
NAMES = (ARCHIVED, PINNED, REMOVED)


def read(folder: Path) -> dict[str, float]:
    """The run's marks, and since when it has each, in seconds since 1970."""
    return events.collect_facts(events.read(folder)).marks


def write(folder: Path, name: str, on: bool = True) -> bool:
    """Set the mark ``name``, or remove it; return whether that changed anything."""
    if (name in read(folder)) == on:
        return False
    events.later_writer(folder).write("mark", name=name, on=on)
    run_folder.touch(folder)
    return True

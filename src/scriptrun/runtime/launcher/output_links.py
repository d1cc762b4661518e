"""Links in what a script leaves: their content is kept, as the working directory is removed.

A link within ``outputs`` (or ``logs``) stays a relative link. One that leads out of it is replaced
by the file, or the folder's files, that it leads to.
"""

import os
import stat

from .. import file_walk, files
from ..linked_content import PART_SUFFIX, LinkedContent
from . import collect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from scriptrun.runtime.events import EventWriter
    from scriptrun.runtime.linked_content import Reasons


def keep_content(
    folder: str, node: int = 0, nodes: int = 1, log: "EventWriter | None" = None
) -> None:
    """Make the artifacts of the run in ``folder`` complete without its working directory.

    What cannot be kept is removed, and named by a warning in ``log``. The artifacts of several
    nodes are merged, so theirs hold no links.
    """
    work = collect.work_folder(folder, node)
    delivered = _delivered_paths(folder, node)
    unkept: "Reasons" = []
    unreadable: "Reasons" = []
    for name in collect.ARTIFACT_FOLDERS:
        area = os.path.join(work, name)
        if _make_real(work, name, delivered, unkept):
            links = LinkedContent(area, work, nodes == 1, delivered, name)
            links.keep()
            unkept += links.unkept
            unreadable += links.unreadable
    for message, reasons in (
        ("files that the script wrote could not be kept: ", unkept),
        ("files that the script wrote are kept, but cannot be read: ", unreadable),
    ):
        if reasons and log is not None:
            log.write("warning", message=message + file_walk.describe(reasons))


def _delivered_paths(folder: str, node: int) -> "set[str]":
    """Where the job's data was delivered: links there are not the script's."""
    attempts = os.path.join(folder, "attempts")
    paths: "set[str]" = set()
    for attempt in files.names_in(attempts):
        name = "node-{}.data.json".format(node)
        provided = files.read_object(os.path.join(attempts, attempt, name)) or {}
        for entry in provided.values():
            if isinstance(entry, dict):
                paths.update(os.path.normpath(str(entry.get(key))) for key in ("path", "value"))
    return paths


def _make_real(work: str, name: str, delivered: "Container[str]", unkept: "Reasons") -> bool:
    """Make the artifact folder ``name`` one of its own; False if there is none."""
    area = os.path.join(work, name)
    if os.path.islink(area):
        if area not in delivered:
            link = LinkedContent(work, work, False, (), "")
            link.keep_link(area, name)
            unkept += link.unkept
        else:
            os.unlink(area)
    elif os.path.lexists(area) and not os.path.isdir(area):
        reason = file_walk.why_no_file(area)
        if not stat.S_ISREG(os.lstat(area).st_mode):
            os.unlink(area)
            unkept.append((name, reason))
    if os.path.isfile(area):
        moved = os.path.join(work, files.unique() + PART_SUFFIX)
        os.rename(area, moved)
        os.mkdir(area)
        os.rename(moved, os.path.join(area, name))
    return os.path.isdir(area)

"""Links in what a script leaves: their content is kept, as the working directory is removed.

A link within ``outputs`` (or ``logs``) stays a relative link. One that leads out of it is replaced
by the file, or the folder's files, that it leads to.
"""

import os
import stat

from .. import file_walk, files, linked_limit, source_files
from ..linked_content import PART_SUFFIX, LinkedContent
from . import collect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from scriptrun.runtime.events import EventWriter
    from scriptrun.runtime.linked_content import Reasons


def keep_content(
    folder: str,
    node: int = 0,
    nodes: int = 1,
    log: "EventWriter | None" = None,
    environ: "Mapping[str, str]" = os.environ,
) -> None:
    """Make the artifacts of the run in ``folder`` complete without its working directory.

    What cannot be kept is removed, and named by a warning in ``log``. The artifacts of several
    nodes are merged, so theirs hold no links, except to more than may be copied: the job's
    variables, then ``environ``, may say how much that is.
    """
    work = collect.work_folder(folder, node)
    source_files.decide(work, keeps=not node)
    delivered = _delivered_paths(folder, node)
    limit = linked_limit.LinkedLimit(folder, dict(environ, **_job_variables(folder)))
    warnings: "list[tuple[str, Reasons]]" = [
        ("files that the script wrote could not be kept: ", []),
        ("files that the script wrote are kept, but cannot be read: ", []),
        ("links that the script made stay links, their content is not in the run: ", []),
    ]
    unkept, unreadable, uncopied = (reasons for _, reasons in warnings)
    for name in collect.ARTIFACT_FOLDERS:
        area = os.path.join(work, name)
        if _make_real(work, name, delivered, unkept):
            links = LinkedContent(area, work, nodes == 1, delivered, name, limit=limit)
            links.keep()
            unkept += links.unkept
            unreadable += links.unreadable
            uncopied += links.uncopied
    if log is None:
        return
    if limit.problem:
        log.write("warning", message=limit.problem)
    for message, reasons in warnings:
        if reasons:
            log.write("warning", message=message + file_walk.describe(reasons))


def _job_variables(folder: str) -> "dict[str, str]":
    job = files.read_object(os.path.join(folder, "job.json")) or {}
    variables = job.get("variables")
    return variables if isinstance(variables, dict) else {}


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
    """Replace the link ``name`` with a real folder; False if there is no such folder."""
    area = os.path.join(work, name)
    if os.path.islink(area):
        if area in delivered:
            os.unlink(area)
        elif not _list_by_links(area, work):
            link = LinkedContent(work, work, False, (), "")
            link.keep_link(area, name)
            unkept += link.unkept
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


def _list_by_links(area: str, work: str) -> bool:
    """Replace a link to a folder by a folder of links to what it holds; False if it is none."""
    target = os.path.realpath(area)
    is_above = file_walk.is_below(os.path.realpath(work), target)
    if is_above or not os.path.isdir(target) or file_walk.why_system_folder(target):
        return False
    try:
        names = os.listdir(target)
    except OSError:
        return False
    os.unlink(area)
    os.mkdir(area)
    for name in names:
        os.symlink(os.path.join(target, name), os.path.join(area, name))
    return True

"""Working directories: create them, and keep their outputs/ and logs/ when a run ends."""

import errno
import os

from .. import file_walk, files, source_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.order import LaunchOrder


ARTIFACT_FOLDERS = ("outputs", "logs")


def make_artifact_folders(work: str) -> None:
    """Create the artifact folders in the working directory ``work``.

    A link in their place, which other runs would share, is replaced.
    """
    for name in ARTIFACT_FOLDERS:
        path = os.path.join(work, name)
        if os.path.islink(path):
            os.unlink(path)
        os.makedirs(path, exist_ok=True)


def work_folder(folder: str, node: int = 0) -> str:
    """The working directory of ``node``."""
    return os.path.join(folder, "work-node-{}".format(node) if node else "work")


def checkpoints(folder: str) -> str:
    """The folder that persists across attempts: scripts save to it and resume from it."""
    return os.path.join(folder, "checkpoints")


def staging_folder(folder: str, attempt: int, node: int = 0) -> str:
    """The folder in which an attempt prepares its working directory before it owns the run."""
    return os.path.join(folder, "work.{}".format(attempt) + ("-{}".format(node) if node else ""))


def make_staging(order: "LaunchOrder", staged: str) -> None:
    """Create the folder ``staged``, or link it to the node's scratch disk if the order has one."""
    scratch = order.scratch
    if not scratch:
        os.makedirs(staged)
        return
    if "$" in scratch or not os.path.isabs(scratch):
        raise OSError(errno.ENOENT, "unknown scratch directory on this node", scratch)
    run, node = os.path.basename(order.folder), order.node
    node_folder = os.path.join(scratch, "{}.{}.{}".format(run, order.attempt, node))
    _remove(node_folder)
    os.makedirs(node_folder, mode=0o700)
    os.symlink(node_folder, staged)


def move_from_scratch(work: str) -> None:
    """Move a working directory's artifacts from the node's scratch disk into the run's folder.

    Everything else is removed, as is a link to the disk of another, lost node.
    """
    if not os.path.islink(work):
        return
    scratch_folder, local_copy = os.readlink(work), work + ".home"
    if os.path.isdir(scratch_folder):
        import shutil

        for name in ARTIFACT_FOLDERS:
            source = os.path.join(scratch_folder, name)
            if os.path.isdir(source) and not os.path.islink(source):
                shutil.copytree(source, os.path.join(local_copy, name), symlinks=True)
    os.unlink(work)
    if os.path.isdir(local_copy):
        os.rename(local_copy, work)
    _remove(scratch_folder)


def promote_staging(folder: str, attempt: int, node: int = 0) -> str:
    """Make the staged folder the node's working directory; return its path."""
    work = work_folder(folder, node)
    if attempt > 1:
        _remove(work)
    staged = staging_folder(folder, attempt, node)
    source_files.promote(staged, work)
    os.rename(staged, work)
    return work


def collect(folder: str) -> None:
    """Move the artifacts from the working directory to the run's folder; remove the rest."""
    work = os.path.join(folder, "work")
    unchanged = source_files.unchanged(work)
    move_from_scratch(work)
    _mark_unchanged(folder, work, unchanged)
    for name in ARTIFACT_FOLDERS:
        source, target = os.path.join(work, name), os.path.join(folder, name)
        if os.path.islink(source) or not os.path.isdir(source):
            continue
        if os.path.isdir(target):
            _merge(source, target)
        elif os.listdir(source):
            os.rename(source, target)
    _remove_leftovers(folder)


def _mark_unchanged(folder: str, work: str, unchanged: "set[str]") -> None:
    """Mark the source's ``unchanged`` files; those that an earlier attempt changed stay."""
    marked = source_files.marked(folder)
    replaced = {name for name in unchanged - marked if os.path.lexists(os.path.join(folder, name))}
    for name in replaced:
        files.unlink_quietly(os.path.join(work, name))
    written = artifact_names(work) if marked else set()
    source_files.mark(folder, (marked - written) | (unchanged - replaced))


def artifact_names(work: str) -> "set[str]":
    """The names of the files in the artifact folders of ``work``."""
    return {
        "{}/{}".format(area, name)
        for area in ARTIFACT_FOLDERS
        for name in file_walk.files_below(os.path.join(work, area), within=work)
    }


def _remove_leftovers(folder: str) -> None:
    """Remove the working directory and unfinished ones of earlier attempts."""
    for name in os.listdir(folder):
        if name == "work" or name.startswith("work."):
            _remove(os.path.join(folder, name))
            files.unlink_quietly(os.path.join(folder, name))
    try:
        os.rmdir(checkpoints(folder))
    except OSError:
        pass  # it has checkpoints


def _merge(source: str, target: str) -> None:
    """Move the content of ``source`` into ``target``; the script's files win.

    A file that meets a folder, or a folder that meets a file or a link, moves that aside.
    """
    for entry in os.scandir(source):
        path = os.path.join(target, entry.name)
        is_folder = entry.is_dir(follow_symlinks=False)
        meets_folder = os.path.isdir(path) and not os.path.islink(path)
        if is_folder and meets_folder:
            _merge(entry.path, path)
            continue
        if os.path.lexists(path) and (is_folder or meets_folder):
            os.rename(path, _free_path(path))
        os.replace(entry.path, path)


def _free_path(path: str) -> str:
    """A free path next to ``path`` for its current content: ``model.1``, ``model.2`` ..."""
    number = 1
    while os.path.lexists("{}.{}".format(path, number)):
        number += 1
    return "{}.{}".format(path, number)


def _remove(folder: str) -> None:
    """Remove a folder tree, ignoring errors."""
    import shutil  # imported after the script has run, not before

    shutil.rmtree(folder, ignore_errors=True)

"""Working directories: create them, and keep their outputs/ and logs/ when a run ends."""

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.order import LaunchOrder


KEPT = ("outputs", "logs")


def prepare(work: str) -> None:
    """Create the artifact folders in the working directory ``work``."""
    for name in KEPT:
        os.makedirs(os.path.join(work, name), exist_ok=True)


def place(folder: str, node: int = 0) -> str:
    """The working directory of ``node``."""
    return os.path.join(folder, "work-node-{}".format(node) if node else "work")


def checkpoints(folder: str) -> str:
    """The folder that persists across attempts: scripts save to it and resume from it."""
    return os.path.join(folder, "checkpoints")


def staging(folder: str, attempt: int, node: int = 0) -> str:
    """The folder in which an attempt prepares its working directory before it owns the run."""
    return os.path.join(folder, "work.{}".format(attempt) + ("-{}".format(node) if node else ""))


def make(order: "LaunchOrder", staged: str) -> None:
    """Create the folder ``staged``, or link it to the node's scratch disk if the order has one."""
    place = order.scratch
    if not place:
        os.makedirs(staged)
        return
    if "$" in place or not os.path.isabs(place):
        raise OSError(errno.ENOENT, "unknown scratch directory on this node", place)
    run, node = os.path.basename(order.folder), order.node
    own = os.path.join(place, "{}.{}.{}".format(run, order.attempt, node))
    _remove(own)
    os.makedirs(own, mode=0o700)
    os.symlink(own, staged)


def come_home(work: str) -> None:
    """Move a working directory's artifacts from the node's scratch disk into the run's folder.

    Everything else is removed, as is a link to the disk of another, lost node.
    """
    if not os.path.islink(work):
        return
    own, home = os.readlink(work), work + ".home"
    if os.path.isdir(own):
        import shutil

        for name in KEPT:
            source = os.path.join(own, name)
            if os.path.isdir(source) and not os.path.islink(source):
                shutil.copytree(source, os.path.join(home, name), symlinks=True)
    os.unlink(work)
    if os.path.isdir(home):
        os.rename(home, work)
    _remove(own)


def move_in(folder: str, attempt: int, node: int = 0) -> str:
    """Make the staged folder the node's working directory; return its path."""
    work = place(folder, node)
    if attempt > 1:
        _remove(work)
    os.rename(staging(folder, attempt, node), work)
    return work


def collect(folder: str) -> None:
    """Move the artifacts from the working directory to the run's folder; remove the rest."""
    work = os.path.join(folder, "work")
    come_home(work)
    for name in KEPT:
        source, target = os.path.join(work, name), os.path.join(folder, name)
        if os.path.islink(source) or not os.path.isdir(source):
            continue
        if os.path.isdir(target):
            _merge(source, target)
        elif os.listdir(source):
            os.rename(source, target)
    _remove_remains(folder)


def _remove_remains(folder: str) -> None:
    """Remove the working directory and unfinished ones of earlier attempts."""
    for name in os.listdir(folder):
        if name == "work" or name.startswith("work."):
            _remove(os.path.join(folder, name))
    try:
        os.rmdir(checkpoints(folder))
    except OSError:
        pass  # it has checkpoints


def _merge(source: str, target: str) -> None:
    """Move the content of ``source`` into ``target``; the script's files win."""
    for entry in os.scandir(source):
        place = os.path.join(target, entry.name)
        if entry.is_dir(follow_symlinks=False) and os.path.isdir(place):
            _merge(entry.path, place)
        else:
            os.replace(entry.path, place)


def _remove(place: str) -> None:
    """Remove a folder tree, ignoring errors."""
    import shutil  # imported after the script has run, not before

    shutil.rmtree(place, ignore_errors=True)

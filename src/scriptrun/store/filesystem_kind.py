"""Whether a path is on a file system that other machines can write to."""

from __future__ import annotations

import functools
import os
from pathlib import Path

#: local file systems; any other may be shared with other machines
_LOCAL = frozenset(
    (
        "apfs",
        "bcachefs",
        "btrfs",
        "devtmpfs",
        "ext2",
        "ext3",
        "ext4",
        "f2fs",
        "hfs",
        "overlay",
        "ramfs",
        "rootfs",
        "tmpfs",
        "ufs",
        "vfat",
        "xfs",
        "zfs",
    )
)
#: what this machine exports as an NFS server: by exportfs, and in the kernel
_EXPORTS = ("/var/lib/nfs/etab", "/proc/fs/nfsd/exports")


def has_exports() -> bool:
    """Whether this machine is an NFS server, so that others may write to its local file systems."""
    for name in _EXPORTS:
        try:
            lines = Path(name).read_text(errors="replace").splitlines()
        except OSError:
            continue
        if any(line.strip() and not line.startswith("#") for line in lines):
            return True
    return False


def is_shared(path: str | os.PathLike[str]) -> bool:
    """Whether other machines may write below ``path`` (always False except on Linux)."""
    return _is_shared(os.path.dirname(os.path.realpath(path)))


@functools.lru_cache(maxsize=64)
def _is_shared(folder: str) -> bool:
    longest, kind = "", ""
    for mount_point, mount_kind in _mounts():
        if (folder + "/").startswith(mount_point.rstrip("/") + "/") and len(mount_point) >= len(
            longest
        ):
            longest, kind = mount_point, mount_kind
    return bool(kind) and kind not in _LOCAL


def _mounts() -> list[tuple[str, str]]:
    """Each mount point and its kind (man 5 proc: mountinfo)."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    except OSError:
        return []
    mounts = []
    for line in lines:
        first, _, second = line.partition(" - ")
        if second:
            point = first.split(" ")[4].encode().decode("unicode_escape")
            mounts.append((point, second.split(" ")[0]))
    return mounts

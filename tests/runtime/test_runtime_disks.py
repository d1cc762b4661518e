"""Which disk is full or read-only, in words."""

from __future__ import annotations

import errno

import pytest

from scriptrun.runtime import disks


def error(number: int, text: str, path=None) -> OSError:
    return OSError(number, text, path)


def test_other_errors_keep_their_text(tmp_path):
    found = error(errno.EACCES, "Permission denied", str(tmp_path))
    assert not disks.is_about_disk(found)
    assert disks.describe(found) == "Permission denied"
    assert disks.describe(error(errno.ENOSPC, "No space left on device")) == (
        "No space left on device"
    )


@pytest.mark.parametrize(
    ("number", "text", "state"),
    [
        (errno.ENOSPC, "No space left on device", "is full"),
        (errno.EROFS, "Read-only file system", "is read-only"),
        (errno.EDQUOT, "Disk quota exceeded", "has no room left within your quota"),
    ],
)
def test_the_disk_is_named_by_where_it_is_mounted(tmp_path, number, text, state):
    mount = disks.mount_of(tmp_path)
    missing = tmp_path / "not" / "there"
    assert disks.mount_of(missing) == mount
    assert disks.describe(error(number, text), missing) == f"the disk of {mount} {state} ({text})"
    assert disks.full_among([tmp_path, missing]) == ""


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("OSError: [Errno 28] No space left on device: '{here}/x'", "was full"),
        ("cp: error writing 'x': No space left on device", "a disk was full"),
        ('OSError: [Errno 122] Disk quota exceeded: "{here}/x"', "(Disk quota exceeded)"),
        ("ValueError: x", ""),
    ],
)
def test_what_a_log_says(tmp_path, log, cause):
    path = tmp_path / "log.txt"
    path.write_text(log.format(here=tmp_path))
    found = disks.cause_of_failure([path, tmp_path / "missing"], [str(tmp_path)], ["/"])
    assert cause in found and bool(found) == bool(cause)
    if "{here}" in log:
        assert disks.mount_of(tmp_path) in found


def test_only_the_end_of_a_log_counts(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("No space left on device\n" + "went on\n" * 10000)
    assert disks.cause_of_failure([path], [str(tmp_path)], []) == ""

"""Names from elsewhere: below their folder they are written, and nowhere else."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scriptrun.runtime import foreign_names
from scriptrun.runtime.foreign_names import ForeignNameRefused


def put(folder, name, data=b"new"):
    return foreign_names.write(folder, name, lambda handle: handle.write(data), "The test")


@given(st.text(st.sampled_from("a./\\:\0\n"), max_size=12) | st.text(max_size=12))
@example("..")
@example("a/../../b")
@example("\ud800")
def test_what_is_not_refused_stays_below_its_folder(name):
    if foreign_names.problem(name):
        with pytest.raises(ForeignNameRefused, match="The test names a file"):
            foreign_names.join("/some/folder", name, "The test")
        return
    path = foreign_names.join("/some/folder", name, "The test")
    assert os.path.normpath(path).startswith("/some/folder/")
    assert path == f"/some/folder/{name}"


@pytest.mark.parametrize("name", [None, 7, b"bytes", ["a"], {}])
def test_what_is_not_text_is_refused(tmp_path, name):
    with pytest.raises(ForeignNameRefused, match="is not text"):
        put(tmp_path, name)


def test_a_refusal_is_a_short_sentence(tmp_path):
    with pytest.raises(ForeignNameRefused) as caught:
        put(tmp_path, "x" * 100_000)
    assert "is too long" in str(caught.value) and len(str(caught.value)) < 500


def test_files_are_whole_or_absent_and_replace_what_is_there(tmp_path):
    target = tmp_path / "folder"
    assert put(target, "a/b/c", b"one") and put(target, "a/b/c", b"two")
    assert (target / "a/b/c").read_bytes() == b"two"
    assert not foreign_names.write(target, "a/d", lambda handle: False, "The test")
    with pytest.raises(RuntimeError):
        foreign_names.write(target, "a/e", fail, "The test")
    assert sorted(os.listdir(target / "a")) == ["b"] and os.listdir(target / "a/b") == ["c"]


def fail(_):
    raise RuntimeError


def test_links_on_the_way_are_not_followed_and_at_the_end_replaced(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")
    folder = tmp_path / "folder"
    (folder / "in").mkdir(parents=True)
    (folder / "in/link").symlink_to(outside)
    (folder / "file").symlink_to(outside / "file")
    for name in ("in/link/file", "in/link/new/file"):
        with pytest.raises(ForeignNameRefused, match="through the symbolic link"):
            put(folder, name)
        with pytest.raises(ForeignNameRefused, match="through the symbolic link"):
            foreign_names.join(folder, name, "The test")
    with pytest.raises(ForeignNameRefused, match="through the symbolic link"):
        foreign_names.open_file(folder, "file", os.O_RDWR | os.O_CREAT, "The test")
    put(folder, "file")
    assert not (folder / "file").is_symlink() and (folder / "file").read_bytes() == b"new"
    assert (outside / "file").read_text() == "mine" and os.listdir(outside) == ["file"]


def test_the_folder_itself_may_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    put(tmp_path / "link", "a/b")
    assert (tmp_path / "real/a/b").read_bytes() == b"new"


def test_where_folders_cannot_be_held_open_they_are_checked(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign_names, "_HAS_DIR_FD", False)
    test_links_on_the_way_are_not_followed_and_at_the_end_replaced(tmp_path)
    test_files_are_whole_or_absent_and_replace_what_is_there(tmp_path)


def test_on_windows_drives_and_backslashes_lead_out(monkeypatch):
    monkeypatch.setattr(foreign_names, "_IS_WINDOWS", True)
    for name in ("C:x", "a\\..\\..\\b", "file:stream", "\\\\host\\share"):
        assert foreign_names.problem(name)
    assert not foreign_names.problem("a/b")


def test_no_descriptor_stays_open(tmp_path):
    (tmp_path / "link").symlink_to("/")
    before = len(os.listdir("/proc/self/fd"))
    for name in ("a/b/c", "link/x", "../x", "a/b/c/d"):
        try:
            put(tmp_path, name)
        except (ForeignNameRefused, OSError):
            continue
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_folder_that_is_swapped_for_a_link_meanwhile_is_no_way_out(tmp_path):
    """Another process swaps ``a/b`` for a link again and again: no write arrives outside."""
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    (folder / "a").mkdir(parents=True)
    outside.mkdir()
    done = threading.Event()

    def swap():
        path = folder / "a/b"
        while not done.is_set():
            try:
                path.symlink_to(outside)
                path.unlink()
                path.mkdir()
                os.rename(path, folder / f"a/old-{os.urandom(4).hex()}")
            except OSError:
                continue

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for number in range(400):
            try:
                put(folder, f"a/b/{number}")
            except (ForeignNameRefused, OSError):
                continue
    finally:
        done.set()
        thread.join()
    assert list(Path(outside).iterdir()) == []

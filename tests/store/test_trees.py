"""Folders that hold certain files and nothing else."""

from __future__ import annotations

import os

from scriptrun.store import trees


def test_what_is_unexpected_is_named_once(tmp_path):
    for name in ("a/b/one", "a/two", "more/x", "a/more", "three"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "link").symlink_to("a")
    expected = ["a/b/one", "a/two", "three", "missing"]
    assert sorted(trees.unexpected(tmp_path, expected)) == ["a/more", "link", "more"]
    assert trees.unexpected(tmp_path / "none", expected) == []


def test_all_but_folders_are_counted(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "one").write_text("")
    (tmp_path / "two").write_text("")
    (tmp_path / "link").symlink_to("a")
    os.mkfifo(tmp_path / "pipe")
    assert trees.count(tmp_path) == 4
    assert trees.count(tmp_path / "none") == trees.count(tmp_path / "two") == 0


def test_a_link_for_a_folder_and_a_folder_for_a_file_are_unexpected(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "a").symlink_to("real")
    (tmp_path / "b").mkdir()
    (tmp_path / "c").write_text("")
    found = trees.unexpected(tmp_path, ["a/x", "b", "c/x", "real/x"])
    assert sorted(found) == ["a", "b", "c"]
    for name in found:
        trees.remove(tmp_path / name)
    assert os.listdir(tmp_path) == ["real"]


def test_a_folder_that_cannot_be_written_is_removed(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("")
    (tmp_path / "a" / "b").chmod(0o555)
    trees.remove(tmp_path / "a")
    trees.remove(tmp_path / "gone")
    assert not list(tmp_path.iterdir())


def test_the_size_of_a_folder_leaves_out_what_links_lead_to(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "ten").write_bytes(b"x" * 10)
    (tmp_path / "a" / "five").write_bytes(b"x" * 5)
    (tmp_path / "big").write_bytes(b"x" * 1000)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "big")
    assert trees.size(tmp_path / "a") == 15 + (tmp_path / "a" / "link").lstat().st_size
    assert trees.size(tmp_path / "missing") == 0

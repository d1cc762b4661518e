"""The files below a folder, and behind links to folders."""

from __future__ import annotations

import os

from scriptrun.runtime import file_walk


def _left_out(folder, **options):
    found: list[tuple[str, str]] = []
    names = file_walk.files_below(folder, leave_out=lambda *each: found.append(each), **options)
    return sorted(names), found


def test_links_to_folders_are_followed_and_cycles_are_not(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("1")
    (tmp_path / "a" / "b" / "up").symlink_to("..")
    (tmp_path / "again").symlink_to("a/b")
    assert sorted(file_walk.files_below(tmp_path)) == ["a/b/file", "again/file"]


def test_links_out_of_a_folder_are_not_followed_where_told_so(tmp_path):
    (tmp_path / "inside" / "v1").mkdir(parents=True)
    (tmp_path / "inside" / "v1" / "file").write_text("1")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("2")
    (tmp_path / "inside" / "latest").symlink_to("v1")
    (tmp_path / "inside" / "out").symlink_to("../outside")
    folder = tmp_path / "inside"
    assert sorted(file_walk.files_below(folder, folder)) == ["latest/file", "v1/file"]


def test_a_maze_of_links_ends(tmp_path):
    names = [f"room{number}" for number in range(9)]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("1")
        for other in names:
            (tmp_path / name / other).symlink_to(f"../{other}")
    names, left_out = _left_out(tmp_path / "room0")
    assert "room1/room2/room3/room4/file" in names
    assert max(name.count("/") for name in names) == 4
    assert ("room1/room2/room3/room4/room5", "it is behind more than 4 links") in left_out


def test_what_is_no_file_is_left_out_with_its_reason(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "file").write_text("1")
    names, left_out = _left_out(tmp_path)
    assert names == ["file"]
    assert left_out == [
        ("gone", "its target nowhere does not exist"),
        ("pipe", "it is a named pipe"),
    ]
    assert file_walk.describe(left_out[:1]) == "gone (its target nowhere does not exist)"
    assert list(file_walk.files_below(tmp_path / "missing")) == []


def test_links_up_and_into_the_systems_folders_are_left_out(tmp_path):
    folder = tmp_path / "above" / "folder"
    folder.mkdir(parents=True)
    (tmp_path / "above" / "other").write_text("1")
    (folder / "file").write_text("2")
    (folder / "up").symlink_to("..")
    (folder / "root").symlink_to("/")
    (folder / "dev").symlink_to("/dev")
    names, left_out = _left_out(folder)
    assert names == ["file"]
    assert left_out == [
        ("dev", "it leads to /dev, which belongs to the system"),
        ("root", "it leads to a folder that contains it"),
        ("up", "it leads to a folder that contains it"),
    ]


def test_a_disk_in_memory_is_no_folder_of_the_system():
    assert not file_walk.why_system_folder("/dev/shm/results")
    assert file_walk.why_system_folder("/dev")


def test_a_description_has_one_line():
    assert file_walk.describe([("a\nb\udcff", "why")]) == "a\\nb\\udcff (why)"

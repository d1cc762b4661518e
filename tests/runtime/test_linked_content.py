"""Links in a folder that stays, into a working directory that does not."""

from __future__ import annotations

import os

from scriptrun.runtime.linked_content import LinkedContent
from scriptrun.runtime.linked_limit import VARIABLE, LinkedLimit


def test_only_links_into_the_working_directory_are_replaced(tmp_path):
    work, kept, elsewhere = tmp_path / "work", tmp_path / "kept", tmp_path / "elsewhere"
    for folder in (work / "ck", kept / "deep", elsewhere):
        folder.mkdir(parents=True)
        (folder / "file").write_text(folder.name)
    (kept / "deep" / "ck").symlink_to(work / "ck")
    (kept / "far").symlink_to(elsewhere)
    (kept / "gone").symlink_to(work / "nothing")
    links = LinkedContent(str(kept), str(work), False, only_from_work=True)
    links.keep()
    assert (kept / "deep" / "ck" / "file").read_text() == "ck"
    assert not (kept / "deep" / "ck").is_symlink()
    assert (kept / "far").is_symlink()
    target = work / "nothing"
    assert links.unkept == [("gone", f"its target {target} does not exist")]


def test_a_file_that_others_share_is_copied(tmp_path):
    work, kept = tmp_path / "work", tmp_path / "kept"
    work.mkdir()
    kept.mkdir()
    (work / "own").write_text("own")
    (work / "shared").write_text("shared")
    os.link(work / "shared", tmp_path / "cached")
    for name in ("own", "shared"):
        (kept / name).symlink_to(work / name)
        (kept / f"{name}-again").symlink_to(work / name)
    LinkedContent(str(kept), str(work), False).keep()
    assert (kept / "own").stat().st_ino == (kept / "own-again").stat().st_ino
    (kept / "shared").write_text("changed")
    assert (tmp_path / "cached").read_text() == "shared"


def test_a_file_that_cannot_be_copied_takes_no_other_with_it(tmp_path):
    work, kept, elsewhere = tmp_path / "work", tmp_path / "kept", tmp_path / "elsewhere"
    for folder in (work, kept, elsewhere):
        folder.mkdir()
    (elsewhere / "file").write_text("1")
    os.mkfifo(elsewhere / "pipe")
    (kept / "data").symlink_to(elsewhere)
    (kept / "process").symlink_to("/proc/self")
    links = LinkedContent(str(kept), str(work), False)
    links.keep()
    assert os.listdir(kept) == ["data"]
    assert os.listdir(kept / "data") == ["file"]
    assert links.unkept[0] == ("data/pipe", "it is a named pipe")
    assert links.unkept[1][0] == "process"
    assert links.unkept[1][1].endswith("belongs to the system")


def test_what_lies_elsewhere_and_cannot_be_copied_stays_a_link(tmp_path):
    work, kept, elsewhere = tmp_path / "work", tmp_path / "kept", tmp_path / "elsewhere"
    for folder in (work, kept, elsewhere):
        folder.mkdir()
    (elsewhere / "file").write_text("12")
    (kept / "near").symlink_to("../elsewhere/file")
    limit = LinkedLimit(str(kept), {VARIABLE: "1"})
    links = LinkedContent(str(kept), str(work), False, limit=limit)
    links.keep()
    assert os.readlink(kept / "near") == str(elsewhere / "file")
    assert [name for name, _ in links.uncopied] == ["near"]

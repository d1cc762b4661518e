"""The copy of a run's record: what it takes, in which order, and what becomes of an interruption."""

from __future__ import annotations

import os

import pytest

from scriptrun.runtime import files
from scriptrun.tracking import mirror
from scriptrun.tracking.run_files import FolderFiles


@pytest.fixture
def node(tmp_path):
    folder = tmp_path / "node" / "run"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home" / "run"
    folder.mkdir(parents=True)
    return folder


def write(folder, name, data):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


class Recorder:
    """The files of a run, with the names that were read."""

    def __init__(self, files):
        self.files, self.read_names, self.before_read = files, [], lambda name: None

    def changed(self, known):
        return self.files.changed(known)

    def read(self, name, start, size):
        self.before_read(name)
        self.read_names.append((name, start))
        return self.files.read(name, start, size)


def test_only_what_changed_is_brought_and_logs_from_their_end(node, home):
    write(node, "user_logs/std_log.txt", b"one\n")
    write(node, "outputs/model.txt", b"1234")
    there = Recorder(FolderFiles(node))
    assert mirror.refresh(home, there) is False
    assert (home / "outputs" / "model.txt").read_bytes() == b"1234"
    there.read_names.clear()
    mirror.refresh(home, there)
    assert there.read_names == []
    write(node, "user_logs/std_log.txt", b"one\ntwo\n")
    write(node, "outputs/model.txt", b"56789")
    mirror.refresh(home, there)
    assert sorted(there.read_names) == [("outputs/model.txt", 0), ("user_logs/std_log.txt", 4)]
    assert (home / "user_logs" / "std_log.txt").read_bytes() == b"one\ntwo\n"
    assert (home / "outputs" / "model.txt").read_bytes() == b"56789"


def test_who_reads_a_log_reads_on(node, home):
    write(node, "user_logs/std_log.txt", b"")
    mirror.refresh(home, FolderFiles(node))
    with open(home / "user_logs" / "std_log.txt", "rb") as reader:
        assert reader.read() == b""
        write(node, "user_logs/std_log.txt", b"later")
        mirror.refresh(home, FolderFiles(node))
        assert reader.read() == b"later"


def test_a_result_comes_last_and_only_with_all_else(node, home, monkeypatch):
    monkeypatch.setattr(mirror, "MAX_GROWTH_BYTES", 3)
    monkeypatch.setattr(mirror, "MAX_READ_BYTES", 2)
    write(node, "attempts/1/result.json", b"{}")
    write(node, "user_logs/std_log.txt", b"0123456789")
    write(node, "outputs/model.bin", b"whole")
    there = Recorder(FolderFiles(node))

    def look(name):
        if name.endswith("result.json"):
            assert (home / "user_logs" / "std_log.txt").read_bytes() == b"0123456789"
            assert (home / "outputs" / "model.bin").read_bytes() == b"whole"

    there.before_read = look
    assert mirror.refresh(home, there) is True
    assert (home / "attempts" / "1" / "result.json").read_bytes() == b"{}"


def test_a_result_that_comes_while_the_folder_is_listed_waits_for_what_was_before_it(node):
    class Slow(FolderFiles):
        def _states(self, folder):
            yield from super()._states(folder)
            if folder == self.folder and not (folder / "outputs").exists():
                write(self.folder, "outputs/late.bin", b"late")
                write(self.folder, "attempts/1/result.json", b"{}")
                yield from super()._states(self.folder / "attempts")

    assert {each.name for each in Slow(node).changed({})} == {
        "outputs/late.bin",
        "attempts/1/result.json",
    }


def test_a_look_that_was_cut_off_is_made_again(node, home):
    write(node, "user_logs/std_log.txt", b"all of it")
    write(node, "attempts/1/result.json", b"{}")
    there = Recorder(FolderFiles(node))

    def fail(name):
        if name.endswith("result.json"):
            raise OSError("killed")

    there.before_read = fail
    with pytest.raises(OSError):
        mirror.refresh(home, there)
    (home / "user_logs" / "std_log.txt").write_bytes(b"all")  # what a crash of the disk left
    there.before_read = lambda name: None
    assert mirror.refresh(home, there) is True
    assert (home / "user_logs" / "std_log.txt").read_bytes() == b"all of it"
    assert (home / "attempts" / "1" / "result.json").exists()


def test_a_file_that_cannot_be_read_does_not_keep_the_result(node, home):
    write(node, "outputs/model.bin", b"whole")
    write(node, "attempts/1/result.json", b"{}")

    class Unreadable(FolderFiles):
        def read(self, name, start, size):
            return b"" if name.startswith("outputs") else super().read(name, start, size)

    assert mirror.refresh(home, Unreadable(node)) is True
    assert (home / "attempts" / "1" / "result.json").exists()
    assert not (home / "outputs" / "model.bin").exists()


def test_what_belongs_to_the_node_stays_there(node, home):
    names = ("job.json", "inputs/a", "checkpoints/a", "work/outputs/a", "work-node-1/a")
    for name in (*names, "attempts/1/reserve", "events/a.tmp", ".hidden"):
        write(node, name, b"x")
    write(node, "events/node-0.jsonl", b"{}\n")
    os.symlink("/etc/passwd", node / "link")
    mirror.refresh(home, FolderFiles(node))
    assert [path.name for path in home.rglob("*") if path.is_file()] == [
        mirror.STATE_FILE,
        "node-0.jsonl",
    ]


def test_outputs_on_demand(node, home):
    write(node, "work/outputs/a.bin", b"now")
    write(node, "outputs/b.bin", b"then")
    there = FolderFiles(node, outputs=False)
    mirror.refresh(home, there)
    assert not (home / "outputs").exists()
    assert mirror.artifact_names(home, there) == ["outputs/a.bin", "outputs/b.bin"]
    mirror.fetch_artifacts(home, there, ["outputs/a.bin", "outputs/none.bin"])
    assert (home / "outputs" / "a.bin").read_bytes() == b"now"
    assert not (home / "outputs" / "none.bin").exists()


def test_a_look_is_good_enough_for_a_moment(node, home):
    write(node, "events/a.jsonl", b"1\n")
    assert mirror.refresh_if_due(home, FolderFiles(node)) is True
    write(node, "events/a.jsonl", b"1\n2\n")
    assert mirror.refresh_if_due(home, FolderFiles(node)) is False
    mirror.expire(home)
    assert mirror.refresh_if_due(home, FolderFiles(node)) is True
    assert (home / "events" / "a.jsonl").read_bytes() == b"1\n2\n"


def test_what_is_sent_comes_to_a_run_that_is_there(node):
    FolderFiles(node).send("cancel.json", files.to_json({}))
    assert files.read_json(node / "cancel.json") == {}
    FolderFiles(node / "never").send("cancel.json", b"{}")
    assert not (node / "never").exists()


def test_links_within_the_outputs_come_home_as_their_files(node, home):
    (node / "outputs" / "v1").mkdir(parents=True)
    (node / "outputs" / "v1" / "m").write_text("one")
    (node / "outputs" / "latest").symlink_to("v1")
    (node / "outputs" / "best").symlink_to("v1/m")
    mirror.refresh(home, FolderFiles(node))
    for name in ("v1/m", "latest/m", "best"):
        assert (home / "outputs" / name).read_text() == "one"
    assert not (home / "outputs" / "latest").is_symlink()

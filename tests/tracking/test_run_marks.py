from __future__ import annotations

from scriptrun.tracking import run_marks


def test_a_mark_is_set_once_and_removed_once(tmp_path):
    (tmp_path / "events").mkdir()
    assert run_marks.write(tmp_path, run_marks.ARCHIVED)
    assert not run_marks.write(tmp_path, run_marks.ARCHIVED)
    assert run_marks.write(tmp_path, run_marks.PINNED)
    assert list(run_marks.read(tmp_path)) == ["archived", "pinned"]
    assert run_marks.write(tmp_path, run_marks.ARCHIVED, on=False)
    assert not run_marks.write(tmp_path, run_marks.ARCHIVED, on=False)
    assert list(run_marks.read(tmp_path)) == ["pinned"]
    assert run_marks.read(tmp_path)["pinned"] > 1.7e9

"""The journal keeps every whole line, whatever happened to its writer."""

from __future__ import annotations

import pytest

from scriptrun.sweeps.journal import ChildRun, Journal


def child(number, **more):
    return ChildRun(
        number, f"HD_x_{number}", {"lr": 0.1, "n": None}, "2026-01-02T03:04:05Z", **more
    )


def test_points_and_ends_come_back(tmp_path):
    journal = Journal(tmp_path)
    journal.add(child(0, source="HD_y_3", raw={"lr": -2.3}))
    journal.add(child(1))
    over = journal.children[1]
    over.state, over.reason, over.best, over.values = "Completed", "why", 0.5, 3
    over.began, over.ended = 1.0, 2.0
    journal.end(over)
    again = Journal(tmp_path).read()
    assert again.children == journal.children
    assert again.next_number == 2
    assert not again.children[0].is_over and again.children[1].is_over
    assert again.children[0].folder(tmp_path) == tmp_path / "2026-01-02" / "HD_x_0"


def test_a_torn_line_is_passed_over_and_the_next_life_begins_a_file(tmp_path):
    first = Journal(tmp_path)
    first.add(child(0))
    first.close()
    with open(tmp_path / "journal" / "0001.jsonl", "ab") as handle:
        handle.write(b'{"n":1,"id":"HD_x_1","p":{"l')
    second = Journal(tmp_path).read()
    assert list(second.children) == [0]
    second.add(child(1))
    second.close()
    with open(tmp_path / "journal" / "0002.jsonl", "ab") as handle:
        handle.write(b"nonsense\n[1]\n{}\n")
    assert list(Journal(tmp_path).read().children) == [0, 1]
    assert len(list((tmp_path / "journal").iterdir())) == 2


@pytest.mark.parametrize("field", ["id", "created"])
@pytest.mark.parametrize("value", ["", "..", "../../x", "/etc", "a/b", "a\0b"])
def test_a_point_whose_folder_would_be_elsewhere_is_passed_over(tmp_path, field, value):
    journal = Journal(tmp_path)
    journal.add(child(0))
    journal.add(child(1).replace(**{field: value}))
    journal.close()
    assert list(Journal(tmp_path).read().children) == [0]


def test_no_journal_is_an_empty_one(tmp_path):
    assert Journal(tmp_path).read().next_number == 0


def test_a_point_stands_as_it_was_first_written(tmp_path):
    journal = Journal(tmp_path)
    journal.add(child(0))
    journal.close()
    other = Journal(tmp_path)
    other.add(ChildRun(0, "HD_x_0", {"lr": 0.9}, "2026-01-02T03:04:05Z"))
    assert Journal(tmp_path).read().children[0].parameters == {"lr": 0.1, "n": None}


def test_an_end_that_could_not_be_written_is_raised(tmp_path):
    journal = Journal(tmp_path / "gone")
    with pytest.raises(OSError):
        journal.add(child(0))
    assert journal.children == {}

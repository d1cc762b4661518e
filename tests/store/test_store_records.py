"""Record files: a missing one is none, a damaged one is named with its field."""

from __future__ import annotations

import pytest

from scriptrun.spec.errors import UserErrorException
from scriptrun.store import records
from scriptrun.store.records import DamagedRecord, Shape


@pytest.mark.parametrize(
    ("data", "rest"),
    [
        (b"", "is damaged: it is empty"),
        (b"\0" * 40, "is damaged: it holds only blanks or NULs"),
        (b'{"a": ', "is damaged: it is not valid JSON"),
        (b"\xff\xfe", "is damaged: it is not valid JSON"),
        (b"[" * 100_000, "is damaged: it is not valid JSON"),
        (b"[" * 500 + b"]" * 500, "is damaged: it is not valid JSON"),
        (b"[]", "is damaged: expected an object, not a list"),
        (b"12", "is damaged: expected an object, not the value '12'"),
        (b'{"a": 1}', "is damaged: the field 'b' is missing"),
        (b'{"b": []}', "is damaged: a field has the wrong type"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, data, rest):
    path = tmp_path / "record.json"
    path.write_bytes(data)
    with pytest.raises(DamagedRecord) as caught:
        records.read(path, lambda value: value["b"] + 1)
    assert caught.value.problem.startswith(f"{path} {rest}")
    assert caught.value.message == f"{caught.value.problem}." and caught.value.hint


def test_a_folder_and_a_loop_are_no_records_and_nothing_is_none(tmp_path):
    path = tmp_path / "record.json"
    assert records.read(path, dict) is None
    path.mkdir()
    with pytest.raises(DamagedRecord, match="is a folder, not a file"):
        records.read(path, dict)
    path.rmdir()
    path.symlink_to(path.name)
    with pytest.raises(DamagedRecord, match="is a broken symbolic link"):
        records.read(path, dict)


def test_a_record_is_made_of_what_the_file_holds(tmp_path):
    (tmp_path / "record.json").write_text('{"a": 1}')
    assert records.read(tmp_path / "record.json", lambda value: value["a"]) == 1


def test_a_shape_refuses_other_types_and_missing_fields(tmp_path):
    shape = Shape({"a": "str", "b": "int | None"}, ("a",))
    assert shape.check(tmp_path, {"a": "x", "c": []}) == {"a": "x", "c": []}
    assert shape.check(tmp_path, {"b": None}, is_whole=False) == {"b": None}
    for value in ({"a": 1}, {"b": 2}, {"a": "x", "b": "y"}):
        with pytest.raises(DamagedRecord, match=r"the field '[ab]'"):
            shape.check(tmp_path, value)


def test_what_can_be_read_is_given_and_the_rest_is_named(capsys):
    def read(key):
        if key == "bad":
            raise UserErrorException("It is damaged.")
        return key.upper()

    assert list(records.readable(["a", "bad", "b"], read)) == ["A", "B"]
    assert capsys.readouterr().err == "scriptrun: skipped: It is damaged.\n"

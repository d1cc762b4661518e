"""Rows of a span of time, by a column of times or by the files' paths."""

import datetime

import pytest

from scriptrun import Dataset, Workspace
from scriptrun.data.errors import DatasetValidationError

DAY = datetime.timedelta(days=1)
START = datetime.datetime(2026, 1, 1)


@pytest.fixture
def table(tmp_path):
    ws = Workspace.create("w", path=tmp_path / "home")
    for day in range(4):
        place = tmp_path / "rows" / f"2026-01-0{day + 1}"
        place.mkdir(parents=True)
        (place / "a.csv").write_text(f"when,n\n{START + day * DAY},{day}\n")
    store = ws.get_default_datastore()
    store.upload(str(tmp_path / "rows"), "rows", show_progress=False)
    return Dataset.Tabular.from_delimited_files(
        (store, "rows/**"), partition_format="/{part:yyyy-MM-dd}/{name}.csv"
    )


def numbers(dataset):
    return dataset.to_arrow()["n"].to_pylist()


def test_rows_before_after_and_between(table):
    timed = table.with_timestamp_columns(timestamp="when", validate=True)
    assert timed.timestamp_columns == ("when", None)
    assert numbers(timed.time_before(START + DAY)) == [0, 1]
    assert numbers(timed.time_before(START + DAY, include_boundary=False)) == [0]
    assert numbers(timed.time_after(START + 2 * DAY)) == [2, 3]
    assert numbers(timed.time_between(START + DAY, START + 2 * DAY)) == [1, 2]


def test_the_recent_ones_are_counted_from_now(table):
    timed = table.with_timestamp_columns(timestamp="when")
    assert numbers(timed.time_recent(DAY * 36500)) == [0, 1, 2, 3]
    assert numbers(timed.time_recent(DAY * -36500)) == []


def test_times_in_paths_pass_whole_files_over(table):
    timed = table.with_timestamp_columns(partition_timestamp="part")
    assert numbers(timed.time_after(START + 3 * DAY)) == [3]


@pytest.mark.parametrize("part", ["{part:yyyy}/{month}", "{part:yyyy/MM}", "{other}/{part:MM}"])
def test_a_file_has_the_rows_after_the_time_in_its_path(part, tmp_path):
    ws = Workspace.create("w", path=tmp_path / "home")
    for month in (1, 2):
        place = tmp_path / "rows" / "2026" / f"{month:02}"
        place.mkdir(parents=True)
        days = "".join(f"2026-0{month}-{day:02} 12:00:00,{day}\n" for day in range(1, 29))
        (place / "a.csv").write_text(f"when,n\n{days}")
    store = ws.get_default_datastore()
    store.upload(str(tmp_path / "rows"), "rows", show_progress=False)
    table = Dataset.Tabular.from_delimited_files(
        (store, "rows/**"), partition_format=f"rows/{part}/a.csv"
    ).with_timestamp_columns("when", "part")
    first, last = datetime.datetime(2026, 1, 27), datetime.datetime(2026, 2, 3)
    assert numbers(table.time_between(first, last)) == [27, 28, 1, 2]
    assert len(numbers(table.time_after(first))) == 30
    assert len(numbers(table.time_before(first))) == 26


def test_a_table_without_times_says_what_to_do(table):
    with pytest.raises(DatasetValidationError, match="with_timestamp_columns"):
        table.time_after(START)
    with pytest.raises(DatasetValidationError, match="gone"):
        table.with_timestamp_columns("gone", validate=True)

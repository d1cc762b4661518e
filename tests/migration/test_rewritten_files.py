"""Whole files before and after, as they are read by eye, and proved.

To write the files after a change of the rewriting: ``python -m tests.migration.test_rewritten_files``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.migration.versions import migrated

PLACE = Path(__file__).parent / "rewritten"
NAMES = sorted(path.name.partition(".")[0] for path in PLACE.glob("*.before.txt"))
TARGETS = ("azureml", "scriptrun")


def before(name: str) -> str:
    return (PLACE / f"{name}.before.txt").read_text("utf-8")


def path_of(name: str) -> str:
    return "submit.ipynb" if before(name).startswith("{") else "submit.py"


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("name", NAMES)
def test_a_file_becomes_what_a_person_would_write(name, to):
    new = migrated(before(name), to, path_of(name)).new.decode()
    assert new == (PLACE / f"{name}.{to}.txt").read_text("utf-8")


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_second_run_changes_nothing(name, to, end):
    text = before(name).replace("\n", end)
    made = migrated(text, to, path_of(name))
    new = made.new.decode()
    assert not migrated(new, to, path_of(name)).is_changed
    assert end == "\n" or "\n" not in new.replace("\r\n", "")
    assert not any(finding.what == "the file" for finding in made.findings)


def test_there_are_enough_of_them():
    assert len(NAMES) >= 15


if __name__ == "__main__":
    for each in NAMES:
        for target in TARGETS:
            after = migrated(before(each), target, path_of(each)).new.decode()
            (PLACE / f"{each}.{target}.txt").write_text(after, "utf-8")

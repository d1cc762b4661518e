"""The documentation's table of engine by capability holds what the suite asks for, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from scriptrun.testing import table
from scriptrun.testing.engines import EngineSuite

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "engines.md"


def test_the_page_has_every_case_and_every_engine():
    found = table.read(PAGE)
    names = [name for name in dir(EngineSuite) if name.startswith("test_")]
    assert set(found) == {table.case_title(name) for name in names}
    engines = {"local", "local, by fork", "local, in containers", "Slurm"}
    for case, row in found.items():
        assert set(row) == engines, case
        assert set(row.values()) <= {table.PASSED, table.ABSENT}, case
        assert row["local"] == table.PASSED or case == "unsupported requests are refused"


def test_an_engine_that_was_not_tried_keeps_its_column(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\n{table.END}\nafter\n")
    table.write(page, {"it works": {"one": "passed", "two": "failed"}})
    table.write(page, {"it works": {"two": "passed"}, "more": {"two": "-"}})
    assert table.read(page) == {
        "it works": {"one": "passed", "two": "passed"},
        "more": {"one": "-", "two": "-"},
    }
    assert page.read_text().startswith("before\n") and page.read_text().endswith("\nafter\n")


def test_a_run_of_the_suite_prints_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("n", [1, 2])
        def test_all_is_well(record_property, n):
            record_property("engine", "mine")
            assert n == 1

        def test_none_here(record_property):
            record_property("engine", "mine")
            pytest.skip("this machine has no part")
        """
    )
    said = pytester.runpytest_subprocess("-p", "scriptrun.testing.table", "-p", "no:randomly")
    said.stdout.fnmatch_lines(["|  | mine |", "| all is well | failed |", "| none here | - |"])

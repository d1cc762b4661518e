"""A pytest plugin that prints a table of engines by capability from the suite's outcomes.

A test run that holds classes of ``EngineSuite`` prints the table at its end. With ``--conformance
FILE`` it is also written into that page, between the lines ``<!-- table of the suite -->`` and
``<!-- end of the table -->``; engines that were not tested this time keep their column.
"""

from __future__ import annotations

from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pytest

BEGIN, END = "<!-- table of the suite -->", "<!-- end of the table -->"
PASSED, FAILED, ABSENT = "passed", "failed", "-"

#: case to engine to outcome
Outcomes = dict[str, dict[str, str]]
_outcomes: Outcomes = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--conformance``."""
    text = "write the table of engine by capability into this page"
    parser.addoption("--conformance", metavar="FILE", help=text)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Record the outcome of a case."""
    engine = str(dict(report.user_properties).get("engine") or "")
    if not engine or (report.when != "call" and report.passed):
        return
    outcome = FAILED if report.failed else ABSENT if report.skipped else PASSED
    case = case_title(report.nodeid.rpartition("::")[2].partition("[")[0])
    row = _outcomes.setdefault(case, {})
    if row.get(engine) != FAILED:  # of a case with several values, all must pass
        row[engine] = outcome


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table, and write it to the page if requested."""
    if not _outcomes:
        return
    terminalreporter.section("engine by capability")
    terminalreporter.write_line("\n".join(lines(_outcomes)))
    if config.getoption("--conformance"):
        write(Path(config.getoption("--conformance")), _outcomes)


def case_title(name: str) -> str:
    """The case's name as words."""
    return name.removeprefix("test_").replace("_", " ")


def lines(outcomes: Outcomes) -> list[str]:
    """The table in Markdown: a row for each case, a column for each engine."""
    engines = sorted({engine for row in outcomes.values() for engine in row})
    rows = [["", *engines], ["---", *["---"] * len(engines)]]
    for case, results in outcomes.items():
        rows.append([case, *(results.get(engine, ABSENT) for engine in engines)])
    return ["| " + " | ".join(row) + " |" for row in rows]


def read(page: Path) -> Outcomes:
    """The table in the page."""
    inside = page.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    listed = [line.strip("| ").split(" | ") for line in inside.splitlines() if line.startswith("|")]
    if len(listed) < 2:
        return {}
    engines = listed[0]
    return {row[0]: dict(zip(engines, row[1:], strict=True)) for row in listed[2:]}


def write(page: Path, outcomes: Outcomes) -> None:
    """Merge the outcomes into the page's table."""
    merged = read(page)
    for case, row in outcomes.items():
        merged.setdefault(case, {}).update(row)
    head, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    table = "\n".join(lines(merged))
    page.write_text(f"{head}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}", encoding="utf-8")

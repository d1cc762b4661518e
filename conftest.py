"""Where everything is asked for (CI=true), a missing part fails its tests: nothing is skipped."""

from __future__ import annotations

import os

import pytest

pytest_plugins = ["scriptrun.testing.table", "pytester"]

#: a skip whose reason begins so stands everywhere: for another system or user, or other hardware
ELSEWHERE = ("only on ", "only as ", "root may ", "this machine has no ")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Turn a skip for want of a part into a failure."""
    report = (yield).get_result()
    if not report.skipped or hasattr(report, "wasxfail") or os.environ.get("CI") != "true":
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith(ELSEWHERE):
        report.outcome = "failed"
        report.longrepr = f"With CI=true nothing may be missing. {reason}"

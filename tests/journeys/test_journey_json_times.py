"""Every time that a command prints as JSON is ISO 8601 with a zone."""

from __future__ import annotations

import datetime
import re

import pytest

SCRIPT = """
import argparse
from scriptrun import Run
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float, default=0.5)
Run.get_context().log("accuracy", parser.parse_args().x)
open("outputs/model.txt", "w").write("m")
"""
#: seconds, and milliseconds, since 1970 in this century
EPOCH = ((1e9, 1e10), (1e12, 1e13))


def times_of(value, path=""):
    """The paths and values of what is a time, or looks like one."""
    if isinstance(value, dict):
        value = list(value.items())
    elif isinstance(value, list):
        value = list(enumerate(value))
    elif (isinstance(value, int | float) and any(low < value < high for low, high in EPOCH)) or (
        isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[ T]\d\d:", value)
    ):
        return [(path, value)]
    else:
        return []
    return [each for key, item in value for each in times_of(item, f"{path}.{key}")]


@pytest.fixture
def lived_in(user):
    """A workspace with a run, a sweep, a model, a dataset and an environment."""
    user.writes("train.py", SCRIPT)
    user.writes("requirements.txt", "")
    user.writes("rows.csv", "a,b\n1,2\n")
    user.does("run", "train.py")
    run = user.runs()[0]["id"]
    user.does("model", "register", "net", "outputs/model.txt", "--run", run)
    user.does("data", "register", "rows", "rows.csv")
    user.does("env", "build", "--requirements", "requirements.txt")
    words = ["--param", "x=0.1,0.9", "--metric", "accuracy", "--max-runs", 2, "--seed", 7]
    user.does("sweep", "train.py", *words)
    return user, run


def test_all_times_of_json_are_iso_8601(lived_in):
    user, run = lived_in
    found = {}
    for words in (
        ("list", "--all", "--children"),
        ("show", run),
        ("sweep", "show"),
        ("model", "show", "net"),
        ("model", "list"),
        ("lineage", "net"),
        ("data", "list"),
        ("data", "show", "rows"),
        ("env", "list"),
        ("env", "prune", "--dry-run", "--keep", "0"),
        ("diff", run, run),
    ):
        found[words] = times_of(user.does(*words, "--json").json)
    for words in (
        ("list", "--all", "--children"),
        ("show", run),
        ("sweep", "show"),
        ("env", "list"),
    ):
        assert found[words], words  # there are times to look at
    for path, value in [each for times in found.values() for each in times]:
        assert isinstance(value, str), (path, value)
        moment = datetime.datetime.fromisoformat(value)
        assert moment.utcoffset() == datetime.timedelta(0), (path, value)
    user.does("sweep", "show", "--csv", "runs.csv")
    assert re.search(r"\d{4}-\d\d-\d\dT[\d:.]+Z", (user.here / "runs.csv").read_text())

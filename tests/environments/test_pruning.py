from __future__ import annotations

import os
import subprocess
import time

import pytest
from wheel_making import make_wheel

from scriptrun.environments import builder, ensure
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.cache import limit as cache_limit
from scriptrun.environments.cache import listing as cache_listing
from scriptrun.environments.cache import prune as cache_prune
from scriptrun.environments.cache import usage as cache_usage
from scriptrun.spec.errors import UserErrorException

DAY = 86400.0


@pytest.fixture
def three(request_of, locks, said):
    """Three built environments, used 1, 10 and 100 days ago; their keys by name."""
    keys = {}
    for days, name, line in ((1, "new", "blue"), (10, "mid", "red==1.0"), (100, "old", "red==2.0")):
        ready = ensure.ensure(request_of(line, name=name), locks, said.append)
        keys[name] = ready.key
        unused(ready.place, days * DAY)
    return keys


def unused(place, seconds):
    os.utime(os.path.join(place, cache_folders.MARKER), (1, time.time() - seconds))


def left():
    return sorted(entry.names[0] for entry in cache_listing.list_environments())


@pytest.mark.parametrize(
    ("asked", "stay"),
    [
        ({"older_than": 50 * DAY}, ["mid", "new"]),
        ({"keep": 1}, ["new"]),
        ({"keep": 2, "older_than": 5 * DAY}, ["new"]),
        ({"max_size": 1}, []),
        ({"max_size": 10**9}, ["mid", "new", "old"]),
        ({}, []),
    ],
)
def test_what_goes(three, asked, stay):
    would = cache_prune.prune(**asked, dry_run=True)
    assert left() == ["mid", "new", "old"]
    done = cache_prune.prune(**asked)
    assert left() == stay
    assert would.removed == done.removed
    assert [entry.used for entry in done.removed] == sorted(entry.used for entry in done.removed)
    assert done.freed == sum(entry.size for entry in done.removed)


def test_what_is_in_use_stays(three, request_of, locks):
    ready = ensure.find(request_of("red==2.0"), locks)  # handed out just now
    (running,) = (entry for entry in cache_listing.list_environments() if entry.names == ("mid",))
    python = os.path.join(running.place, "bin", "python")
    with subprocess.Popen([python, "-c", "input()"], stdin=subprocess.PIPE) as process:
        done = cache_prune.prune()
        process.communicate(b"\n")
    assert left() == ["mid", "old"] and os.path.exists(ready.python)
    reasons = {entry.names[0]: reason for entry, reason in done.skipped}
    assert "less than a minute ago" in reasons["old"]
    assert f"process {process.pid}" in reasons["mid"]


def test_a_build_keeps_the_cache_within_its_limit(
    three, request_of, locks, said, wheels, monkeypatch
):
    make_wheel(wheels, "green", "1.0")
    sizes = {entry.names[0]: entry.size for entry in cache_listing.list_environments()}
    monkeypatch.setenv(cache_limit.LIMIT_VARIABLE, str(sum(sizes.values()) + 1000))
    ensure.ensure(request_of("green", name="last"), locks, said.append)
    assert "old" not in left() and {"last", "new"} <= set(left())
    assert any(
        "old from the cache, unused since" in line and cache_limit.LIMIT_VARIABLE in line
        for line in said
    )
    monkeypatch.setenv(cache_limit.LIMIT_VARIABLE, "much")
    assert any("='much'" in reason for reason in builder.check(request_of("green")))
    before = (left(), list(said))
    with pytest.raises(UserErrorException, match="Invalid size"):
        ensure.ensure(request_of("green==1.0"), locks, said.append)
    assert (left(), said) == before  # nothing was locked, and nothing built


def test_runs_that_used_it_are_remembered(three, tmp_path):
    place = cache_folders.newest_complete(three["new"])[0]
    for number in (1, 2, 1):
        cache_usage.record_run(place, tmp_path / f"run_{number}")
    (entry,) = (entry for entry in cache_listing.list_environments() if entry.names == ("new",))
    assert entry.runs == ("run_1", "run_2")
    path = os.path.join(os.path.dirname(place), cache_usage.NAME)
    with open(path, "a") as handle:
        handle.write('"half a li')
    cache_usage.record_run("/dev/null/nowhere/1", tmp_path)
    assert [os.path.basename(each) for each in cache_usage.read_runs(os.path.dirname(place))] == [
        "run_1",
        "run_2",
    ]


def test_what_is_remembered_stays_short(three, tmp_path, monkeypatch):
    monkeypatch.setattr(cache_usage, "LIMIT", 1000)
    place = cache_folders.newest_complete(three["new"])[0]
    for number in range(100):
        cache_usage.record_run(place, tmp_path / f"run_{number}")
    kept = cache_usage.read_runs(os.path.dirname(place))
    assert kept[0].endswith("run_99") and 0 < len(kept) < 40

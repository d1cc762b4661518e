from __future__ import annotations

import os
import platform
import re
import subprocess

import pytest

from scriptrun.environments import ensure
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.cache import listing as cache_listing
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.environments.interpreter import facts as interpreter_facts
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException


def test_plan_tells_locked_cached_and_what_would_be_done(request_of, locks, said):
    spec = request_of("blue")
    before = cache_listing.plan(spec, locks)
    assert (before.locked, before.cached, before.last_seconds) == (False, False, None)
    python = f"Use Python {platform.python_version()}, {interpreter_facts.running().python}"
    assert [step.partition(":")[0] for step in before.steps] == [
        f"{python}, or another installed version that the packages support.",
        "Lock the requirements",
        "Build from the lockfile.",
    ]
    ready = ensure.ensure(spec, locks, said.append)
    after = cache_listing.plan(spec, locks)
    assert (after.locked, after.cached, after.steps) == (True, True, ())
    assert after.last_seconds > 0
    os.unlink(os.path.join(ready.sites[0], "red.py"))
    ill = cache_listing.plan(spec, locks)
    assert ill.steps == (
        f"{python}.",
        "Build again, because it is missing red.py: 2 packages from the lockfile.",
    )
    assert not locks.joinpath("more").exists()


def test_plan_writes_nothing(request_of, locks, own_places):
    cache_listing.plan(request_of("blue"), locks)
    assert not locks.exists()
    assert not (own_places / "cache" / "environments").exists()


def test_plan_says_that_a_python_would_be_downloaded(request_of, locks):
    versions = ("3.14", "3.9", "3.10", "3.8", "3.7")
    wanted = next((each for each in versions if interpreter_discovery.missing(each)), None)
    if wanted is None:
        pytest.skip("this machine has no version of Python missing")
    first, *_ = cache_listing.plan(request_of("blue", python=wanted), locks).steps
    assert re.fullmatch(
        rf"Download Python {re.escape(wanted)}\.\d+ with uv \(Python {re.escape(wanted)} "
        r"is not on this machine\)\.",
        first,
    )


def test_plan_of_what_is_refused(locks):
    plan = cache_listing.plan(
        EnvironmentSpec("packages", conda=("no-such-thing", "r-base=4")), locks
    )
    assert not plan.locked
    assert "'no-such-thing', 'r-base=4'" in plan.reasons[0]


def test_listing_and_removing(request_of, locks, said):
    assert cache_listing.list_environments() == []
    old = ensure.ensure(request_of("blue", name="old"), locks, said.append)
    new = ensure.ensure(request_of("red", name="new"), locks, said.append)
    os.utime(os.path.join(old.place, cache_folders.MARKER), (1, 1))
    entries = cache_listing.list_environments()
    assert [entry.names for entry in entries] == [("new",), ("old",)]
    assert entries[1].packages == 2
    assert entries[1].size > 1000
    assert cache_listing.age(entries[1]) > 10**6
    ensure.find(request_of("blue"), locks)
    assert cache_listing.list_environments()[0].names == ("old",)
    cache_listing.remove(new.key[:10])
    assert [entry.key for entry in cache_listing.list_environments()] == [old.key]
    assert not os.path.exists(new.place)


def test_what_is_used_is_not_removed(request_of, locks, said):
    ready = ensure.ensure(request_of("red"), locks, said.append)
    with subprocess.Popen([ready.python, "-c", "input()"], stdin=subprocess.PIPE) as running:
        with pytest.raises(EnvironmentException, match=f"in use by process {running.pid}"):
            cache_listing.remove(ready.key)
        running.communicate(b"\n")
    cache_listing.remove(ready.key)
    assert ensure.find(request_of("red"), locks) is None


@pytest.mark.parametrize("key", ["", "zzzz", "../.."])
def test_removing_what_is_not_there(key):
    with pytest.raises(EnvironmentException, match="does not exist"):
        cache_listing.remove(key)

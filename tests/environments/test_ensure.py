"""Each environment is built once, whoever asks and whatever dies."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from wheel_making import make_wheel

from scriptrun.environments import ensure, locks
from scriptrun.environments.builder import BuildCanceled
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.cache import listing as cache_listing
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store.locks import flocks
from scriptrun.testing.jobs import PATIENCE, until

BUILD = """
import json, sys
from pathlib import Path
from scriptrun.environments.ensure import ensure
from scriptrun.spec.environment import EnvironmentSpec
spec = EnvironmentSpec.from_dict(json.loads(sys.argv[1]))
ready = ensure(spec, Path(sys.argv[2]), lambda line: print(line, flush=True))
print(json.dumps({"key": ready.key, "cached": ready.cached, "place": ready.place}))
"""


def start_build(spec: EnvironmentSpec, locks: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, json.dumps(asdict(spec)), str(locks)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def imported(ready, module: str) -> str:
    code = f"import {module}; print({module}.VERSION)"
    return subprocess.check_output([ready.python, "-c", code], text=True).strip()


def test_a_request_is_locked_built_and_usable(request_of, locks, said):
    spec = request_of("blue", name="colours")
    ready = ensure.ensure(spec, locks, said.append)
    assert not ready.cached
    assert imported(ready, "red") == "1.0"
    assert imported(ready, "blue") == "1.0"
    assert ready.lock["requested"] == ["blue"]
    assert "red==1.0" in ready.lock["requirements"]
    assert "--hash=sha256:" in ready.lock["requirements"]
    assert "Building environment 'colours'." in said
    assert any("+ red==1.0" in line for line in said)


def test_an_unchanged_request_keeps_its_lock_until_upgraded(request_of, locks, said, wheels):
    spec = request_of("red<2")
    first = ensure.ensure(spec, locks, said.append)
    make_wheel(wheels, "red", "1.5")
    assert ensure.ensure(spec, locks, said.append).key == first.key
    assert ensure.ensure(replace(spec, name="other"), locks, said.append).lock == first.lock
    upgraded = ensure.ensure(spec, locks, said.append, upgrade=True)
    assert "red==1.5" in upgraded.lock["requirements"]
    assert ensure.find(spec, locks).key == upgraded.key
    assert imported(first, "red") == "1.0"


def test_two_requests_with_one_lock_share_one_place(request_of, locks, said, tmp_path):
    first = ensure.ensure(request_of("red==1.0"), locks, said.append)
    second = ensure.ensure(request_of("red<2"), tmp_path / "other-locks", said.append)
    assert second.cached
    assert second.place == first.place


def test_no_packages_at_all_is_a_bare_environment(request_of, locks, said):
    ready = ensure.ensure(request_of(), locks, said.append)
    assert ready.lock["requirements"] == ""
    assert ensure.find(request_of(), locks).key == ready.key


def test_the_first_lock_stands(request_of, locks, said, tmp_path):
    spec = request_of("red")
    ready = ensure.ensure(spec, locks, said.append)
    path = next(locks.glob("*.json"))
    before = path.read_bytes()
    ensure.ensure(spec, locks, said.append)
    assert path.read_bytes() == before
    assert json.loads(before) == ready.lock
    assert path.stem == spec.digest()


def test_a_lock_of_another_platform_is_left_alone(request_of, locks, said):
    spec = request_of("red")
    locks.mkdir()
    foreign = {"kind": "packages", "platform": "plan9-mips", "python": "3.6.0", "requirements": ""}
    (locks / f"{spec.digest()}.json").write_text(json.dumps(foreign))
    assert ensure.find(spec, locks) is None
    ready = ensure.ensure(spec, locks, said.append)
    assert ensure.find(spec, locks).key == ready.key
    assert json.loads((locks / f"{spec.digest()}.json").read_text()) == foreign
    with pytest.raises(EnvironmentException, match="is for plan9-mips"):
        ensure.ensure(spec, locks, said.append, lockfile=foreign)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"platform": 3}'])
def test_a_broken_lock_file_is_made_anew(request_of, locks, said, text):
    spec = request_of("red")
    locks.mkdir()
    (locks / f"{spec.digest()}.json").write_text(text)
    ensure.ensure(spec, locks, said.append)
    assert ensure.find(spec, locks) is not None


def test_eight_processes_build_it_once(request_of, locks):
    spec = request_of("blue", name="colours")
    processes = [start_build(spec, locks) for _ in range(8)]
    outputs = [process.communicate(timeout=PATIENCE)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, "\n".join(outputs)
    answers = [json.loads(output.splitlines()[-1]) for output in outputs]
    assert len({answer["place"] for answer in answers}) == 1
    assert [answer["cached"] for answer in answers].count(False) == 1
    assert sum("Building environment" in output for output in outputs) == 1
    assert sum("Locking environment" in output for output in outputs) == 1
    assert cache_folders.numbers(answers[0]["key"]) == [1]


def test_who_waits_says_for_whom(request_of, locks, said):
    spec = request_of("red")
    ready = ensure.ensure(spec, locks, said.append)
    cache_listing.remove(ready.key)
    waited: list[str] = []
    with flocks.flock(cache_folders.flock_path(ready.key)):
        Path(f"{cache_folders.flock_path(ready.key)}.owner").write_text(
            '{"pid": 4711, "host": "there"}'
        )
        thread = threading.Thread(target=ensure.ensure, args=(spec, locks, waited.append))
        thread.start()
        until(lambda: waited)
    thread.join(PATIENCE)
    assert waited[0] == "Waiting for process 4711 on there, which is building this environment."
    assert ensure.find(spec, locks) is not None


def test_waiting_can_be_given_up(request_of, locks, said):
    spec = request_of("red")
    ready = ensure.ensure(spec, locks, said.append)
    cache_listing.remove(ready.key)
    with flocks.flock(cache_folders.flock_path(ready.key)), pytest.raises(BuildCanceled):
        ensure.ensure(spec, locks, said.append, stop=lambda: True)


@pytest.mark.faults
def test_a_killed_build_is_never_taken_for_good(request_of, tmp_path):
    seed = int(os.environ.get("SCRIPTRUN_FAULT_SEED", random.SystemRandom().randrange(10**6)))
    print(f"seed {seed}")  # shown when the test fails
    moments = random.Random(seed)
    for number in range(int(os.environ.get("SCRIPTRUN_FAULT_MOMENTS", 12))):
        spec, locks = request_of("blue", f"red!=0.{number}"), tmp_path / f"locks-{number}"
        killed = start_build(spec, locks)
        time.sleep(moments.uniform(0.02, 0.45))
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        said: list[str] = []
        found = ensure.find(spec, locks)
        ready = found or ensure.ensure(spec, locks, said.append)
        assert imported(ready, "blue") == "1.0", f"seed {seed}, moment {number}"
        assert imported(ready, "red") == "1.0", f"seed {seed}, moment {number}"
        assert cache_folders.unfinished(ready.key) == []
        # uv, orphaned by the kill, may still be at work in what it began
        until(
            lambda key=ready.key: not cache_listing.pids_using(cache_folders.key_folder(key)),
            "the killed build's uv goes on",
        )
        cache_listing.remove(ready.key)


def test_a_build_killed_halfway_is_built_again_with_a_reason(request_of, locks, said):
    spec = request_of("blue")
    key = ensure.ensure(spec, locks, said.append).key
    cache_listing.remove(key)
    os.makedirs(
        os.path.join(cache_folders.key_folder(key), "1", "bin")
    )  # what uv venv had made so far
    assert ensure.find(spec, locks) is None
    said.clear()
    ready = ensure.ensure(spec, locks, said.append)
    assert "Building the environment again, because its build was interrupted." in said
    assert cache_folders.numbers(key) == [2]
    assert imported(ready, "blue") == "1.0"


def test_find_starts_no_process_and_loads_nothing_heavy(request_of, locks, said):
    spec = request_of("red")
    ensure.ensure(spec, locks, said.append)
    code = """
import json, sys
from pathlib import Path
from scriptrun.environments.ensure import check, find
from scriptrun.spec.environment import EnvironmentSpec
spec = EnvironmentSpec.from_dict(json.loads(sys.argv[1]))
assert check(spec) == []
assert find(spec, Path(sys.argv[2])) is not None
heavy = {"subprocess", "yaml", "psutil", "asyncio", "tempfile", "socket", "uv", "multiprocessing"}
print(sorted(heavy & set(sys.modules)))
"""
    command = [sys.executable, "-c", code, json.dumps(asdict(spec)), str(locks)]
    assert subprocess.check_output(command, text=True).strip() == "[]"


def test_failure_leaves_no_place_behind(request_of, locks, said, wheels, monkeypatch):
    spec = request_of("red==1.0")
    ready = ensure.ensure(spec, locks, said.append)
    cache_listing.remove(ready.key)
    for wheel in wheels.glob("red-1.0*"):
        wheel.unlink()
    monkeypatch.setenv("UV_CACHE_DIR", str(wheels / "empty-cache"))
    with pytest.raises(EnvironmentException):
        ensure.ensure(spec, locks, said.append)
    assert cache_folders.numbers(ready.key) == []
    assert ensure.find(spec, locks) is None


def test_a_cache_that_cannot_be_written_is_one_sentence(
    request_of, locks, said, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SCRIPTRUN_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(EnvironmentException, match="set SCRIPTRUN_CACHE"):
        ensure.ensure(request_of("red"), locks, said.append)


def test_a_running_process_keeps_its_place_through_a_rebuild(request_of, locks, said):
    spec = request_of("blue")
    ready = ensure.ensure(spec, locks, said.append)
    code = "print('up', flush=True); input(); import blue; print(blue.VERSION)"
    running = subprocess.Popen(
        [ready.python, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout.readline() == "up\n"
    os.unlink(os.path.join(ready.sites[0], "red.py"))
    again = ensure.ensure(spec, locks, said.append)
    assert "again, because it is missing red.py" in "\n".join(said)
    assert again.place != ready.place
    assert running.communicate("\n", timeout=PATIENCE)[0] == "1.0\n"


def test_a_lockfile_knows_when_it_was_changed():
    lockfile = locks.seal({"packages": ["a==1"], "created": "today"})
    assert locks.is_whole(lockfile)
    assert locks.is_whole({"packages": ["a==1"]}), "older ones have no checksum"
    assert not locks.is_whole({**lockfile, "packages": ["a==2"]})
    assert not locks.is_whole({**lockfile, "created": "tomorrow"})
    assert locks.seal(lockfile) == lockfile
    assert locks.content_key(lockfile) == locks.content_key({"packages": ["a==1"]})

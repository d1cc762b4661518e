"""What builders are made of: ending tools, interpreters that are there, locks of uv and rattler."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptrun.environments import build_process
from scriptrun.environments.builder import BuildCanceled, never
from scriptrun.environments.conda import builder as conda_builder
from scriptrun.environments.conda import client, platforms, worker
from scriptrun.environments.conda import lock as conda_lock
from scriptrun.environments.conda import pip as conda_pip
from scriptrun.environments.interpreter import discovery, existing
from scriptrun.environments.uv import builder as uv_builder
from scriptrun.environments.uv import lock as uv_lock
from scriptrun.environments.uv import requirements
from scriptrun.spec.environment import CONDA, INTERPRETER, RELAX, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException

# ending what builds

TREE = """
import os, signal, subprocess, sys, time
if len(sys.argv) == 1:
    subprocess.Popen([sys.executable, __file__, "child"], stdout=sys.stdout)
else:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(os.getpid(), flush=True)
time.sleep(3600)
"""


@pytest.fixture
def tree(tmp_path):
    """A process, and the pid of its child, which ignores being told to end."""
    (tmp_path / "tree.py").write_text(TREE)
    process = subprocess.Popen([sys.executable, tmp_path / "tree.py"], stdout=subprocess.PIPE)
    child = int(process.stdout.readline())
    yield process, child
    for pid in (process.pid, child):
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
    process.communicate()


def lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 3600.0), ("  ", 3600.0), ("0", 0.0), (" 1.5 ", 1.5), ("1e2", 100.0)]
)
def test_how_long_a_tool_may_take(monkeypatch, text, seconds):
    monkeypatch.setenv(build_process.VARIABLE, text)
    assert build_process.limit() == seconds


def test_a_limit_that_is_no_number_is_named(monkeypatch):
    monkeypatch.setenv(build_process.VARIABLE, "1h")
    with pytest.raises(EnvironmentException, match=build_process.VARIABLE):
        build_process.limit()


def test_what_a_tool_has_started_ends_with_it(tree):
    process, child = tree
    build_process.end(process)
    assert process.poll() is not None and not lives(child)
    build_process.end(process)


@pytest.mark.parametrize(
    ("stop", "limit", "kind"), [(True, "0", BuildCanceled), (False, "0.01", None)]
)
def test_a_watch_ends_it_and_says_why(tree, monkeypatch, stop, limit, kind):
    monkeypatch.setenv(build_process.VARIABLE, limit)
    process, child = tree
    watch = build_process.Watchdog(process, lambda: stop)
    process.wait()
    watch.close()
    with pytest.raises(EnvironmentException) as caught:
        watch.raise_if_ended("Building x")
    assert type(caught.value) is (kind or EnvironmentException)
    assert "Building x" in caught.value.message and not lives(child)


def test_a_tool_that_ends_by_itself_is_not_judged(monkeypatch):
    monkeypatch.setenv(build_process.VARIABLE, "0")
    process = subprocess.Popen([sys.executable, "-c", ""])
    watch = build_process.Watchdog(process, never)
    process.wait()
    watch.close()
    assert watch.raise_if_ended() is None


# interpreters that are there


def named(text):
    return EnvironmentSpec(INTERPRETER, interpreter=text)


def test_why_an_interpreter_cannot_be_used(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "plain").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "gone" / "python")
    for name, word in {
        str(tmp_path / "plain"): "not executable",
        str(tmp_path / "folder"): "bin/python",
        str(tmp_path / "link"): "gone/python",
        str(tmp_path / "nothing"): "does not exist",
        "plain": "not on PATH",
        "": "not on PATH",
    }.items():
        (reason,) = existing.Existing.check(named(name))
        assert word in reason and existing.locate(named(name)) is None
        with pytest.raises(EnvironmentException, match=word):
            existing.Existing.resolve(named(name), print, never)


def test_an_interpreter_is_found_by_name_path_and_home_with_its_links_kept(tmp_path, monkeypatch):
    python = tmp_path / "my python"
    python.symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("my python", str(python), "./my python", "~/my python"):
        assert existing.locate(named(name)) == str(python)
    (tmp_path / "python").symlink_to(sys.executable)
    assert existing.locate(named(None)) == str(tmp_path / "python")
    (tmp_path / "python3").symlink_to(sys.executable)
    assert existing.locate(named(None)) == str(tmp_path / "python3")


def test_a_lock_of_an_interpreter_names_what_is_installed_and_is_kept(tmp_path):
    place = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    spec = named(str(place / "bin" / "python"))
    lock = existing.Existing.resolve(spec, print, never)
    made = existing.Existing(spec, lock)
    assert lock["version"] == ".".join(map(str, sys.version_info[:3]))
    assert existing.Existing.quick_lockfile(spec) == lock and made.why_unhealthy("") == ""
    site = Path(next(each for each in made.sites("") if str(place) in each))
    (site / "red-1.0.dist-info").mkdir()
    (site / "red-1.0.dist-info" / "METADATA").write_text("Name: red\nVersion: 1.0\n")
    more = existing.Existing(spec, existing.Existing.resolve(spec, print, never))
    assert more.key() != made.key() and "red" in json.dumps(more.lockfile["distributions"])
    (place / "bin" / "python").unlink()
    assert "is missing" in made.why_unhealthy("") and existing.Existing.quick_lockfile(spec) is None


# uv's locks


def test_a_lock_for_a_python_that_need_not_be_here(request_of, said):
    spec = request_of("old", "red==1.0")
    dated, changes = uv_lock.lock_for_version(
        requirements.from_spec(spec), "3.8", (), spec, said.append, never
    )
    text = dated.text
    assert [line.split()[0] for line in text.splitlines() if "==" in line] == [
        "old==1.0",
        "red==1.0",
    ]
    assert changes == {} and "--hash=sha256:" in text and "find-links" not in text
    with pytest.raises(EnvironmentException, match="old"):
        uv_lock.lock_for_version(requirements.from_spec(spec), "3.12", (), spec, said.append, never)


def test_a_pin_that_is_not_to_be_had_is_relaxed_only_where_it_may_be(request_of, said):
    spec = request_of("red==1.5")
    request = requirements.from_spec(spec)
    with pytest.raises(EnvironmentException, match=r"red==1\.5"):
        uv_lock.lock_for_version(request, "3.11", (), spec, said.append, never)
    relaxed = spec.replace(pins=RELAX)
    dated, changes = uv_lock.lock_for_version(request, "3.11", (), relaxed, said.append, never)
    assert changes["red"][0] == "1.5" and f"red=={changes['red'][1]}" in dated.text


def test_nothing_is_asked_where_nothing_is_wanted(said):
    request = requirements.from_spec(EnvironmentSpec("packages"))
    python, _ = discovery.choose(None)
    assert uv_lock.lock_as_is(request, python, ("--no-such-flag",), said.append, never) == ""


def test_a_place_of_uv_is_ill_when_something_of_it_goes(request_of, tmp_path, said):
    spec = request_of("blue")
    lock = uv_lock.resolve(spec, said.append, never)
    made, place = uv_builder.Uv(spec, lock), str(tmp_path / "key" / "place")
    made.build(place, said.append, never)
    assert made.why_unhealthy(place) == ""
    assert (
        uv_builder.Uv(spec, {**lock, "created": "x", "tool": "y", "notes": ["z"]}).key()
        == made.key()
    )
    assert uv_builder.Uv(spec, {**lock, "python": "3.9.1"}).key() != made.key()
    code = "import importlib.metadata as m; print(m.version('blue'), m.version('red'))"
    out = subprocess.check_output([made.python(place), "-c", code], text=True)
    assert out.split() == ["1.0", "1.0"]
    (site,) = (Path(each) for each in made.sites(place))
    (next(site.glob("red-*.dist-info")) / "METADATA").unlink()
    (next(site.glob("red-*.dist-info"))).rename(site / "gone")
    assert "red" in made.why_unhealthy(place)


# rattler


def conversation(*questions):
    done = subprocess.run(
        [sys.executable, "-S", "-P", worker.__file__, *filter(None, sys.path)],
        input="".join(f"{each}\n" for each in questions).encode(),
        capture_output=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_worker_answers_after_a_question_that_it_could_not_answer(tmp_path):
    solve = {
        "verb": "solve", "cache": str(tmp_path), "logins": {}, "channels": [str(tmp_path / "none")],
        "strict": True,
    }  # fmt: skip
    answers = conversation(
        json.dumps({"verb": "dance"}),
        json.dumps({"verb": "solve"}),
        json.dumps({**solve, "specs": ["not a >< spec"]}),
        json.dumps({"verb": "read_lock", "path": str(tmp_path / "pixi.lock"), "environment": "x"}),
    )
    assert [set(each) for each in answers] == [{"error", "message"}] * 4
    assert [each["error"] for each in answers[:2]] == ["KeyError", "KeyError"]


def test_a_worker_that_nobody_asks_ends():
    assert conversation() == []


def test_where_packages_are_kept(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RATTLER_CACHE_DIR", "mine")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.setenv("HOME", "/home/me")
    assert client.cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("RATTLER_CACHE_DIR")
    assert client.cache_folder() == Path("/x/rattler/cache")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert client.cache_folder() == Path("/home/me/.cache/rattler/cache")


def test_one_worker_answers_several_questions_and_none_after_a_stop(tmp_path, said, monkeypatch):
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(tmp_path / "cache"))
    lock = {"path": str(tmp_path / "none.lock"), "environment": "default"}
    with client.asking(said.append, never) as ask:
        for _ in range(2):
            with pytest.raises(EnvironmentException) as caught:
                ask("read_lock", **lock)
            assert "exited" not in caught.value.message
    with pytest.raises(BuildCanceled), client.asking(said.append, lambda: True) as ask:
        ask("read_lock", **lock)


RECORD = {
    "name": "six", "version": "1.0", "build": "0", "url": "https://u:p@h/six.conda",
    "channel": "https://h/t/tk-12345/c", "timestamp": 1,
}  # fmt: skip


def locked_for(platform, names=("python", "six"), pip=()):
    records = [{**RECORD, "name": name} for name in names]
    return EnvironmentSpec(CONDA, locked={platform: {"conda": records, "pip": list(pip)}})


@settings(max_examples=25)
@given(
    st.permutations(["zlib", "python", "six", "abc"]),
    st.lists(st.sampled_from(["a==1 --hash=sha256:x", "b==2 --hash=sha256:y --hash=sha256:z"])),
)
def test_a_lock_that_a_project_brings_is_taken_over_without_secrets(names, pip):
    spec = locked_for(platforms.subdir(), names, pip)
    lock = conda_lock.resolve(spec, print, never)
    assert [each["name"] for each in lock["conda"]] == sorted(names)
    assert lock["python"] == "1.0" and "timestamp" not in lock["conda"][0]
    assert "u:p@" not in json.dumps(lock) and "tk-12345" not in json.dumps(lock)
    assert lock["requirements"].replace(" \\\n    ", " ").splitlines() == pip
    made = conda_builder.Conda(spec, lock)
    assert made.key() == conda_builder.Conda(spec, {**lock, "created": "", "notes": []}).key()


def test_a_lock_for_another_machine_or_without_python_is_refused():
    with pytest.raises(EnvironmentException, match="locked for beos-64"):
        conda_lock.resolve(locked_for("beos-64"), print, never)
    with pytest.raises(EnvironmentException, match="has no Python"):
        conda_lock.resolve(locked_for(platforms.subdir(), ["six"]), print, never)


def test_pip_takes_what_conda_brings_and_does_not_name_it(request_of, said):
    red = {"name": "red", "version": "1.0", "depends": ["python >=3.8"]}
    spec = request_of("blue")
    dated, changes = conda_pip.lock_requirements(spec, "3.11", [red], said.append, never)
    text = dated.text
    assert [line.split()[0] for line in text.splitlines() if "==" in line] == ["blue==1.0"]
    assert changes == {}
    newer = {**red, "version": "2.0"}
    with pytest.raises(EnvironmentException, match="red"):
        conda_pip.lock_requirements(spec, "3.11", [newer], said.append, never)
    other = {**newer, "depends": ["libc"]}  # no Python package of that name
    dated, _ = conda_pip.lock_requirements(spec, "3.11", [other], said.append, never)
    assert "red==1.0" in dated.text


def test_a_prefix_is_laid_out_for_another_place(conda, tmp_path, said):
    spec = EnvironmentSpec(CONDA, conda=("python",), channels=(conda,))
    lock = conda_lock.resolve(spec, said.append, never)
    prefix = tmp_path / "prefix"
    conda_builder.install(
        spec, lock, str(prefix), said.append, never, final_prefix="/opt/elsewhere"
    )
    made = conda_builder.Conda(spec, lock)
    assert os.path.lexists(made.python(str(prefix)))
    metas = [json.loads(path.read_text()) for path in (prefix / "conda-meta").glob("*.json")]
    assert {each["name"] for each in metas} == {each["name"] for each in lock["conda"]}

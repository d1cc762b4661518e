"""Indexes that want a password, a real server and real git: named secrets open them, and stay secret."""

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from index_server import serving
from wheel_making import PROJECT, make_repository, make_wheel

from scriptrun.environments import ensure
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store.secrets import vault
from scriptrun.testing.jobs import until

PASSWORD = "p@ss:w/ord-hunter2"
QUOTED = "p%40ss%3Aw%2Ford-hunter2"


@pytest.fixture
def index(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    make_wheel(tmp_path / "index" / "violet", "violet", "1.0")
    with serving(tmp_path / "index", "me", PASSWORD) as host:
        yield host


def of(*options: str, pip: tuple[str, ...] = ("violet",), **fields: object) -> EnvironmentSpec:
    return EnvironmentSpec("packages", pip=pip, pip_options=options, **fields)


@contextmanager
def overheard(index, words: str) -> Iterator[set[str]]:
    """The command lines of this process's descendants; none is answered before ``words`` is one."""
    heard: set[str] = set()
    over = threading.Event()

    def listen() -> None:
        while not over.is_set():
            for child in psutil.Process().children(recursive=True):
                try:
                    heard.add(" ".join(child.cmdline()))
                except psutil.Error:
                    continue

    index.hold = lambda: until(lambda: any(words in line for line in list(heard)))
    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield heard
    finally:
        over.set()
        listener.join()
        del index.hold


def leaks(*folders: Path) -> list[Path]:
    """The files that hold the password in any form."""
    forms = (PASSWORD.encode(), QUOTED.encode())
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(form in path.read_bytes() for form in forms)]


def test_a_named_secret_opens_the_index_and_is_found_nowhere(index, locks, said, tmp_path):
    vault.store("team", PASSWORD)
    line = f"--index-url http://me:${{secret:team}}@{index}/"
    with overheard(index, "pip compile") as heard:
        ready = ensure.ensure(of(line), locks, said.append)
    assert "violet==1.0" in ready.lock["requirements"] and "--hash=" in ready.lock["requirements"]
    assert heard and "hunter2" not in "\n".join([*heard, *said])
    cache = Path(os.environ["SCRIPTRUN_CACHE"])
    assert leaks(tmp_path, cache, Path(os.environ["UV_CACHE_DIR"])) == []


def test_the_secret_of_the_host_opens_it_too(index, locks, said, tmp_path):
    vault.store(f"index-{index}", f"me:{PASSWORD}")
    (tmp_path / "empty").mkdir()
    options = (f"--index-url {(tmp_path / 'empty').as_uri()}", f"--extra-index-url http://{index}/")
    ready = ensure.ensure(of(*options), locks, said.append)
    assert "violet==1.0" in ready.lock["requirements"]


@pytest.mark.parametrize("where", ["pip.conf", "variable", "direct"])
def test_wherever_the_address_stands(where, index, locks, said, tmp_path, monkeypatch):
    vault.store(f"index-{index}", f"me:{PASSWORD}")
    vault.store("team", PASSWORD)
    spec = of()
    if where == "pip.conf":
        (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = http://{index}/\n")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    elif where == "variable":
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://me:${{secret:team}}@{index}/")
    else:
        wheel = "violet/violet-1.0-py3-none-any.whl"
        spec = of("--no-index", pip=(f"violet @ http://me:${{secret:team}}@{index}/{wheel}",))
    ready = ensure.ensure(spec, locks, said.append)
    assert "violet" in ready.lock["requirements"] and "hunter2" not in str(ready.lock)
    assert where != "direct" or "${secret:team}" in ready.lock["requirements"]
    assert leaks(tmp_path, Path(os.environ["SCRIPTRUN_CACHE"])) == []


def test_a_refused_password_is_said_and_not_shown(index, locks, said):
    line = f"--index-url http://{index}/"
    with pytest.raises(
        EnvironmentException, match=r"requires a username and password.*401"
    ) as caught:
        ensure.ensure(of(line), locks, said.append)
    assert f"scriptrun secret set index-{index}" in caught.value.hint
    vault.store(f"index-{index}", "me:wrong-hunter2")
    with pytest.raises(EnvironmentException, match=r"or rejected them.*401") as caught:
        ensure.ensure(of(line), locks, said.append)
    assert "hunter2" not in f"{caught.value}{said}"


def test_a_secret_that_is_not_there_is_told_before_anything_starts(index):
    reasons = ensure.check(of(f"--index-url http://me:${{secret:absent}}@{index}/"))
    assert len(reasons) == 1 and "scriptrun secret set absent" in reasons[0]


def test_a_repository_is_locked_to_its_commit(index, locks, said, tmp_path):
    repository = make_repository(tmp_path / "repository")

    def git(*words: str) -> str:
        names = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        return subprocess.check_output(["git", *names, *words], cwd=repository, text=True).strip()

    commit = git("rev-parse", "HEAD")
    url = f"git+file://{repository}"
    ready = ensure.ensure(of("--no-index", pip=(f"indigo @ {url}",)), locks, said.append)
    assert ready.lock["requirements"].strip() == f"indigo @ {url}@{commit}"
    (repository / "indigo.py").write_text("VERSION = '8'\n")
    git("commit", "-qam", "eight")
    again = ensure.ensure(of("--no-index", pip=(f"indigo @ {url}",)), locks, said.append)
    assert again.place == ready.place, "a lock stands until it is upgraded"
    code = "import indigo; print(indigo.VERSION)"
    assert subprocess.check_output([ready.python, "-c", code], text=True).strip() == "7"
    upgraded = ensure.ensure(
        of("--no-index", pip=(f"indigo @ {url}",)), locks, said.append, upgrade=True
    )
    assert subprocess.check_output([upgraded.python, "-c", code], text=True).strip() == "8"
    with pytest.raises(EnvironmentException, match=r"Cannot read repository") as caught:
        ensure.ensure(of("--no-index", pip=(f"indigo @ {url}@nothing",)), locks, said.append)
    assert re.search("nothing", str(caught.value))


def test_a_private_repository_is_opened_and_git_is_not_told_how_on_its_command_line(
    index, locks, said, tmp_path
):
    """git over plain HTTP, which wants the same name and password as the index beside it."""
    make_repository(tmp_path / "index" / "indigo.git")
    vault.store("team", PASSWORD)
    line = f"indigo @ git+http://me:${{secret:team}}@{index}/indigo.git/.git"
    with overheard(index, f"http://{index}/indigo.git") as heard:
        ready = ensure.ensure(of("--no-index", pip=(line,)), locks, said.append)
    assert re.fullmatch(re.escape(line) + "@[0-9a-f]{40}", ready.lock["requirements"].strip())
    assert heard and "hunter2" not in "\n".join([*heard, *said])
    cache = Path(os.environ["SCRIPTRUN_CACHE"])
    assert leaks(tmp_path, cache, Path(os.environ["UV_CACHE_DIR"])) == []
    with pytest.raises(EnvironmentException, match="Cannot read"):
        other = (
            line.replace("${secret:team}@", "@").replace("indigo @", "indigo @ ").replace("me:", "")
        )
        ensure.ensure(of("--no-index", pip=(other.replace("//@", "//"),)), locks, said.append)


def test_a_build_script_that_hangs_is_ended_with_all_that_it_started(
    index, locks, said, tmp_path, monkeypatch
):
    package = tmp_path / "hanging"
    package.mkdir()
    (package / "pyproject.toml").write_text(PROJECT)
    (package / "backend.py").write_text(HANGING)
    for seconds in (3, 30, 300):  # in the first a busy machine may not come to run the script
        monkeypatch.setenv("SCRIPTRUN_BUILD_TIMEOUT", str(seconds))
        with pytest.raises(EnvironmentException, match=f"timed out after {seconds} s") as told:
            ensure.ensure(of("--no-index", pip=(f"indigo @ file://{package}",)), locks, said.append)
        if (package / "pid").exists():
            break
    assert "Building indigo" in str(told.value)
    pid = int((package / "pid").read_text())
    until(lambda: is_over(pid))
    monkeypatch.setenv("SCRIPTRUN_BUILD_TIMEOUT", "soon")
    with pytest.raises(EnvironmentException, match="expected a number of seconds"):
        ensure.ensure(of("--no-index"), locks, said.append)


def is_over(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


HANGING = """\
import os, pathlib, subprocess, sys


def build_wheel(place, settings=None, metadata=None):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    pathlib.Path("pid.new").write_text(str(child.pid))
    os.rename("pid.new", "pid")
    child.wait()


prepare_metadata_for_build_wheel = build_wheel
"""

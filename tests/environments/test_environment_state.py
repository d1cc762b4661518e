"""Locks by request, what a place was after its build, conda's settings, and packages' digests."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scriptrun.environments import build_plan, health, locks
from scriptrun.environments.builder import platform_tag
from scriptrun.environments.conda import digests, relax_pins
from scriptrun.environments.conda import settings as conda_settings
from scriptrun.environments.conda.errors import Unsolvable
from scriptrun.environments.image import context as image_context
from scriptrun.environments.image import git as image_git
from scriptrun.spec.environment import CONDA, INTERPRETER, PACKAGES, BuildContext, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException

SPEC = EnvironmentSpec(kind=PACKAGES, pip=("six",))
OTHER = EnvironmentSpec(kind=PACKAGES, pip=("other",))


def _lock(**facts):
    request = {"platform": platform_tag(), "kind": PACKAGES, "request": SPEC.digest()}
    return locks.seal({**request, **facts})


def test_an_upgrade_replaces_the_own_file_beside_another_platforms(tmp_path):
    """The first file may be another platform's, in a workspace that several share."""
    shared = tmp_path / f"{SPEC.digest()}.json"
    theirs = _lock(n=1) | {"platform": "plan9-mips"}
    shared.write_text(json.dumps(locks.seal(theirs)))
    assert locks.store(tmp_path, SPEC, _lock(n=2)) == _lock(n=2)
    assert locks.store(tmp_path, SPEC, _lock(n=3)) == _lock(n=2)
    assert locks.store(tmp_path, SPEC, _lock(n=3), upgrade=True) == _lock(n=3)
    assert locks.read(tmp_path, SPEC) == _lock(n=3)
    assert json.loads(shared.read_text())["platform"] == "plan9-mips"


def test_the_first_lock_of_a_request_stands(tmp_path):
    folder = tmp_path / "locks"
    assert locks.read(folder, SPEC) is None
    assert locks.store(folder, SPEC, _lock(n=1)) == _lock(n=1)
    assert locks.store(folder, SPEC, _lock(n=2)) == _lock(n=1)
    assert locks.read(folder, SPEC) == _lock(n=1)
    assert locks.read(folder, OTHER) is None
    assert locks.store(folder, SPEC, _lock(n=3), upgrade=True) == _lock(n=3)
    assert locks.read(folder, SPEC) == _lock(n=3)


def test_a_name_is_no_part_of_the_request(tmp_path):
    locks.store(tmp_path, SPEC, _lock(n=1))
    assert locks.read(tmp_path, SPEC.replace(name="mine", notes=("a",))) == _lock(n=1)


@pytest.mark.parametrize("upgrade", [True, False])
def test_the_lock_of_another_platform_stays_beside_ours(tmp_path, upgrade):
    foreign = {"platform": "plan9", "kind": PACKAGES, "n": 0}
    first = tmp_path / f"{SPEC.digest()}.json"
    first.write_text(json.dumps(foreign))
    assert locks.read(tmp_path, SPEC) is None
    assert locks.store(tmp_path, SPEC, _lock(n=1), upgrade=upgrade) == _lock(n=1)
    assert json.loads(first.read_text()) == foreign
    assert locks.read(tmp_path, SPEC) == _lock(n=1)
    assert locks.store(tmp_path, SPEC, _lock(n=2)) == _lock(n=1)


def test_a_damaged_lock_is_replaced(tmp_path):
    (tmp_path / f"{SPEC.digest()}.json").write_text('{"platform": ')
    assert locks.read(tmp_path, SPEC) is None
    assert locks.store(tmp_path, SPEC, _lock(n=1)) == _lock(n=1)
    assert locks.read(tmp_path, SPEC) == _lock(n=1)


def test_the_lock_of_another_request_in_its_place_counts_as_missing(tmp_path):
    locks.store(tmp_path, OTHER, _lock(n=2))
    os.replace(tmp_path / f"{OTHER.digest()}.json", tmp_path / f"{SPEC.digest()}.json")
    assert locks.read(tmp_path, SPEC) is None
    assert locks.store(tmp_path, SPEC, _lock(n=1)) == _lock(n=1)
    assert locks.read(tmp_path, SPEC) == _lock(n=1)


def test_remarks_make_no_other_lock():
    key = locks.content_key({"requirements": "six==1", "python": "3.11"})
    assert len(key) == 32
    told = {"created": "now", "notes": ["a"], "tool": "uv 1", "format": 9, "requested": {}}
    assert locks.content_key({"python": "3.11", "requirements": "six==1", **told}) == key
    assert locks.content_key({"requirements": "six==2", "python": "3.11"}) != key


@pytest.fixture
def place(tmp_path):
    site = tmp_path / "place" / "site-packages"
    site.mkdir(parents=True)
    for name in ("six-1.dist-info", "six", "b-1.dist-info"):
        (site / name).mkdir()
    return tmp_path / "place"


def _ill(place, python=sys.executable, folders=None):
    return health.why_unhealthy(
        str(place), python, (str(place / "site-packages"),) if folders is None else folders
    )


def test_a_place_is_well_until_something_becomes_of_it(place):
    assert _ill(place) != "", "nothing is written down yet"
    health.record(str(place), sys.executable, (str(place / "site-packages"),))
    assert _ill(place) == ""
    (place / "site-packages" / "__pycache__").mkdir()
    assert _ill(place) == "", "what is no package may come"
    (place / "site-packages" / "new-2.dist-info").mkdir()
    assert "new-2" in _ill(place)
    (place / "site-packages" / "new-2.dist-info").rmdir()
    (place / "site-packages" / "six").rmdir()
    assert "six" in _ill(place)
    assert _ill(place, folders=()) != ""


def test_an_interpreter_that_is_gone_or_another_is_noticed(place, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\n")
    health.record(str(place), str(python), (str(place / "site-packages"),))
    assert _ill(place, str(python)) == ""
    python.write_text("#!/bin/sh\n# another one\n")
    assert str(python) in _ill(place, str(python))
    python.unlink()
    assert str(python) in _ill(place, str(python))


def test_of_many_packages_the_first_are_named(place):
    health.record(str(place), sys.executable, (str(place / "site-packages"),))
    for number in range(5):
        (place / "site-packages" / f"n{number}-1.dist-info").mkdir()
    assert _ill(place).endswith("n0-1, n1-1, n2-1 and 2 more")


@pytest.mark.parametrize("content", ["", "[]", "null", "{"])
def test_a_note_that_is_damaged_means_to_build_again(place, content):
    (place / health.RECORD_FILE).write_text(content)
    assert _ill(place) != ""


@pytest.mark.parametrize(
    ("lock", "count"),
    [
        ({}, 0),
        ({"requirements": "# by uv\na==1 \\\n    --hash=x\n    # via b\nb==2\n\n"}, 2),
        ({"requirements": "", "conda": [{}, {}]}, 2),
    ],
)
def test_how_many_packages_a_lock_names(lock, count):
    assert build_plan.package_count(lock) == count


def test_a_plan_says_what_would_be_done():
    here = ".".join(map(str, sys.version_info[:2]))
    assert len(build_plan.steps_without_lockfile(EnvironmentSpec(kind=INTERPRETER))) == 1
    assert len(build_plan.steps_without_lockfile(EnvironmentSpec(kind=CONDA, conda=("six",)))) == 2
    steps = build_plan.steps_without_lockfile(SPEC.replace(python=here))
    assert here in steps[0]
    lock = {"python": here, "requirements": "a==1\nb==2\n"}
    again = build_plan.steps_from_lockfile(SPEC, lock, "key", "it lacks six", {})
    assert "it lacks six" in again[-1]
    assert "2 packages" in again[-1]
    assert "it lacks" not in build_plan.steps_from_lockfile(SPEC, lock, "key", "", {})[-1]


def test_the_file_that_is_named_holds_condas_settings(tmp_path, monkeypatch):
    home = tmp_path / "home"
    (home / ".conda").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("CONDARC", raising=False)
    assert conda_settings.settings() == {}
    (home / ".conda" / "condarc").write_text("channels: [b]\n")
    assert conda_settings.settings() == {"channels": ["b"]}
    (home / ".condarc").write_text("channels: [$WHERE]\n")
    monkeypatch.setenv("WHERE", "here")
    assert conda_settings.settings() == {"channels": ["here"]}
    monkeypatch.setenv("CONDARC", str(tmp_path / "gone"))
    assert conda_settings.settings() == {}, "the file that is named, and no other"


@pytest.mark.parametrize("content", [b"", b"- a\n", b"a: [", b"\xff\xfe", b"text"])
def test_settings_that_cannot_be_read_are_none(tmp_path, monkeypatch, content):
    (tmp_path / "rc").write_bytes(content)
    monkeypatch.setenv("CONDARC", str(tmp_path / "rc"))
    assert conda_settings.settings() == {}


@pytest.mark.parametrize(
    ("value", "listed"), [(None, []), ("a", []), (["a", 1], ["a", "1"]), ({}, []), ([], [])]
)
def test_a_setting_that_is_no_list_is_empty(value, listed):
    assert conda_settings.as_list(value) == listed


@pytest.mark.parametrize(
    ("spec", "pin"),
    [
        ("numpy=1.16", ("numpy", "1.16", "")),
        ("numpy==1.16.2", ("numpy", "1.16.2", "")),
        ("numpy=1.16.*", ("numpy", "1.16", "")),
        ("numpy 1.16.*", ("numpy", "1.16", "")),
        ("numpy=1.16=py37_0", ("numpy", "1.16", "py37_0")),
        ("conda-forge::numpy=1.16", ("numpy", "1.16", "")),
        ("numpy<2", ("numpy", "", "")),
        ("numpy>=1.5,<2", ("numpy", "1.5", "")),
        ("numpy~=1.5", ("numpy", "1.5", "")),
        ("numpy", None),
        ("numpy>1.5", None),
        ("numpy>=1.5", None),
        ("numpy >= 1.5", None),
        ("numpy!=1.5", None),
        ("numpy<=1.5", ("numpy", "", "")),
    ],
)
def test_what_bounds_a_package_from_above_is_a_pin(spec, pin):
    found = relax_pins.parse_pin(spec)
    assert (found and (found.name, found.version, found.build)) == pin


@pytest.mark.parametrize(
    ("pin", "version", "build", "kept"),
    [
        (("a", "1.1", ""), "1.1", "x", True),
        (("a", "1.1", ""), "1.1.9", "x", True),
        (("a", "1.1", ""), "1.10", "x", False),
        (("a", "", ""), "9", "x", True),
        (("a", "1", "py37*"), "1", "py37_0", True),
        (("a", "1", "py37*"), "1", "py38_0", False),
    ],
)
def test_whether_a_record_is_what_was_asked_for(pin, version, build, kept):
    assert relax_pins.CondaPin(*pin).matches({"version": version, "build": build}) is kept


class Channels:
    """Solves over a few versions of packages without dependencies, as a solver would."""

    def __init__(self, **offered: str) -> None:
        self.offered = {name: text.split() for name, text in offered.items()}
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, specs, lowest):
        self.asked.append(tuple(specs))
        return [self._one(each, lowest) for each in specs]

    def _one(self, spec, lowest):
        name, sign, version = self._parts(spec)
        numbers = [each for each in self.offered.get(name, ()) if self._fits(each, sign, version)]
        if not numbers:
            raise Unsolvable(f"no {spec}")
        return {"name": name, "version": numbers[0 if lowest else -1], "build": "0"}

    def _parts(self, spec):
        for sign in (">=", "==", "="):
            name, found, version = spec.partition(sign)
            if found:
                return name.strip(), sign, version
        return spec, "", ""

    def _fits(self, each, sign, version):
        def key(text):
            return [int(part) for part in text.split(".")]

        if sign == ">=":
            return key(each) >= key(version)
        return not sign or (each + ".").startswith(version + ".")


@pytest.mark.parametrize(
    ("specs", "changed"),
    [
        (["a=1.0"], {}),
        (["a=1.5"], {"a": ("1.5", "2.0")}),
        (["a=1.5", "b=1.0"], {"a": ("1.5", "2.0")}),
        (["a=1.5", "b=9"], {"a": ("1.5", "3.0"), "b": ("9", "1.0")}),
        (["a=9"], {"a": ("9", "3.0")}),
        (["a"], {}),
    ],
)
def test_pins_change_as_little_as_can_be(specs, changed):
    channels = Channels(a="1.0 2.0 3.0", b="1.0")
    way, changes = relax_pins.relax(specs, channels)
    assert changes == changed
    assert channels(way, False), "what is given can be solved"


def test_what_no_channel_has_cannot_be_relaxed():
    with pytest.raises(Unsolvable):
        relax_pins.relax(["a=1.0", "unknown=1"], Channels(a="1.0"))


def _package(tmp_path, name, content, said=None):
    path = tmp_path / f"{name}.conda"
    path.write_bytes(content)
    return (f"{name}-entry", str(path), said or hashlib.sha256(content).hexdigest())


def test_packages_are_looked_at_while_they_are_installed(tmp_path):
    files = {name: _package(tmp_path, name, name.encode()) for name in ("a", "b")}
    made = digests.Digests(tmp_path / "cache", files)
    installed = []

    async def install():
        notes = list((tmp_path / "cache" / digests.NOTES).iterdir())
        assert json.loads(notes[0].read_text()) == ["a-entry", "b-entry"]
        await asyncio.gather(*(asyncio.to_thread(made.wait, each) for each in ("a", "b", "other")))
        installed.append(True)

    asyncio.run(made.look_during(install()))
    assert installed == [True]
    assert list((tmp_path / "cache" / digests.NOTES).glob("*.json")) == []


LOOKING = """
import asyncio, json, sys
from pathlib import Path
from scriptrun.environments.conda import digests

cache, files = Path(sys.argv[1]), json.loads(sys.argv[2])

async def install():
    for name in ("a-entry-x", "b-entry-x", "kept"):
        (cache / digests.PACKAGES / name).mkdir(parents=True)

try:
    asyncio.run(digests.Digests(cache, files).look_during(install()))
except digests.Changed as error:
    print(error)
"""


def test_a_file_that_is_another_is_named_and_what_was_unpacked_goes(tmp_path):
    cache = tmp_path / "cache"
    files = {"a": _package(tmp_path, "a", b"a", "0" * 64), "b": _package(tmp_path, "b", b"b")}
    words = [sys.executable, "-c", LOOKING, str(cache), json.dumps(files)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / "a.conda")
    digests.drop(cache)
    assert {path.name for path in (cache / digests.PACKAGES).iterdir() if path.is_dir()} == {"kept"}
    assert list((cache / digests.NOTES).glob("*.json")) == []


def test_without_files_of_this_machine_nothing_is_written(tmp_path):
    async def install():
        pass

    asyncio.run(digests.Digests(tmp_path / "cache", {}).look_during(install()))
    digests.drop(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def _repository(folder: Path) -> str:
    """A git repository with two commits; the first one's name."""
    words = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t.invalid"]
    folder.mkdir()

    def git(*more):
        return subprocess.run([*words, *more], check=True, capture_output=True, text=True).stdout

    git("init", "--quiet", "--initial-branch=main")
    commits = []
    for text in ("first", "second"):
        (folder / "pkg").mkdir(exist_ok=True)
        (folder / "pkg" / "word.txt").write_text(text)
        git("add", ".")
        git("commit", "--quiet", "-m", text)
        commits.append(git("rev-parse", "HEAD").strip())
    return commits[0]


@pytest.fixture
def git_alone(monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def test_repositories_of_a_lock_become_folders(tmp_path, git_alone):
    commit = _repository(tmp_path / "repo")
    address = (tmp_path / "repo").as_uri()
    text = f"a @ git+{address}@{commit}#subdirectory=pkg\nsix==1 --hash=sha256:00\n"
    said = []
    made, trees = image_git.fetch_repositories(
        text, {}, str(tmp_path / "trees"), "/in/image", said.append, lambda: False
    )
    ((tree, goal),) = trees.items()
    assert made == f"a @ file://{goal}/pkg\nsix==1 --hash=sha256:00\n"
    assert (Path(tree) / "pkg" / "word.txt").read_text() == "first"
    assert goal.startswith("/in/image/")
    assert any(commit in line for line in said)
    assert image_git.fetch_repositories(
        "six==1\n", {}, str(tmp_path), "/x", said.append, lambda: False
    ) == (
        "six==1\n",
        {},
    )


def test_a_repository_that_cannot_be_fetched_is_named(tmp_path, git_alone):
    text = f"a @ git+file://{tmp_path}/gone@{'0' * 40}"
    with pytest.raises(EnvironmentException, match="gone"):
        image_git.fetch_repositories(
            text, {}, str(tmp_path / "t"), "/x", lambda _: None, lambda: False
        )


@pytest.mark.parametrize("ref", ["", "#main", "#main:pkg", "#:pkg"])
def test_a_build_context_in_git_is_fetched(tmp_path, git_alone, ref):
    _repository(tmp_path / "repo")
    (tmp_path / "t").mkdir()
    context = BuildContext("git", (tmp_path / "repo").as_uri() + ref)
    place = image_context.fetch_context(context, str(tmp_path / "t"), lambda _: None, lambda: False)
    below = "word.txt" if ref.endswith(":pkg") else "pkg/word.txt"
    assert (Path(place) / below).read_text() == "second"


def test_a_build_context_of_this_machine_is_itself(tmp_path):
    context = BuildContext("local", str(tmp_path))
    assert image_context.fetch_context(context, "/nowhere", lambda _: None, lambda: False) == str(
        tmp_path
    )

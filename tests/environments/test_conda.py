"""Conda environments: the real rattler over a real channel on disk, and pip's packages on top."""

from __future__ import annotations

import base64
import functools
import http.server
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from channels import MAKER
from hypothesis import given, settings
from hypothesis import strategies as st
from wheel_making import make_wheel

from scriptrun.environments import dependency_paths
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.cache import listing as cache_listing
from scriptrun.environments.conda import channels as conda_channels
from scriptrun.environments.conda import pypi_names
from scriptrun.environments.conda import request as conda_request
from scriptrun.environments.conda.errors import explain
from scriptrun.environments.ensure import ensure, find
from scriptrun.spec.environment import AUTO, CONDA, RELAX, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store import paths
from scriptrun.store.secrets import vault


def names(lock) -> dict[str, str]:
    return {each["name"]: f"{each['version']}={each['build']}" for each in lock["conda"]}


def says(ready, code: str) -> str:
    return subprocess.check_output([ready.python, "-c", code], text=True).strip()


def refusal(spec, locks, said) -> str:
    with pytest.raises(EnvironmentException) as caught:
        ensure(spec, locks, said.append)
    assert caught.value.hint
    return f"{caught.value.message} {caught.value.hint}"


def test_versions_and_builds_are_solved_and_pip_comes_on_top(conda, wheels, locks, said):
    make_wheel(wheels, "ontop", needs=("red<2",))
    make_wheel(wheels, "red", "1.5")
    spec = EnvironmentSpec(
        CONDA,
        conda=("blue", "red=1", "green=1.0=slow_0"),
        channels=(conda,),
        pip=("ontop",),
        pip_options=("--no-index", f"--find-links {wheels}"),
    )
    ready = ensure(spec, locks, said.append)
    assert names(ready.lock).items() >= {"red": "1.0=py_0", "green": "1.0=slow_0"}.items()
    assert ready.lock["requirements"].startswith("ontop==1.0")
    assert "red" not in ready.lock["requirements"]  # conda's stays
    assert "--hash=sha256:" in ready.lock["requirements"]
    told = says(ready, "import red, green, ontop; print(red.VERSION, green.BUILD, ontop.VERSION)")
    assert told == "1.0 slow_0 1.0"
    assert any(line.startswith(" + green=1.0=slow_0") for line in said)
    assert cache_listing.plan(spec, locks).cached
    [entry] = cache_listing.list_environments()
    assert entry.packages == 5
    assert dependency_paths.reverse_dependencies(ready.sites, ready.place)["red"] == [
        "blue",
        "ontop",
    ]


def test_imports_are_tried_in_the_activated_prefix(conda, wheels, locks, said):
    make_wheel(wheels, "active", code="import os\nos.environ['CONDA_PREFIX']\n")
    make_wheel(wheels, "broken", code="raise ValueError('no')\n")
    spec = EnvironmentSpec(
        CONDA,
        conda=("red=1",),
        channels=(conda,),
        pip=("active", "broken"),
        pip_options=("--no-index", f"--find-links {wheels}"),
    )
    ready = ensure(spec, locks, said.append)
    assert ready.failed_imports == (
        "broken 1.0 fails to import on the machine that built the environment: ValueError: no.",
    )


def test_a_later_channel_helps_where_the_first_does_not_do(conda, locks, said, tmp_path):
    first = tmp_path / "first"
    subprocess.run([sys.executable, MAKER, first, "red", "3.0", "python", "gone"], check=True)
    channels = (first.as_uri(), conda)
    spec = EnvironmentSpec(CONDA, conda=("red",), channels=channels)
    loose = ensure(spec, locks, said.append)
    assert names(loose.lock)["red"] == "2.0=py_0"
    assert "lower-priority channels" in " ".join(loose.notes)


def test_no_solution_is_told_in_the_solvers_reasons(conda, locks, said):
    def told(*packages: str, python: str | None = None) -> str:
        return refusal(
            EnvironmentSpec(CONDA, conda=packages, channels=(conda,), python=python), locks, said
        )

    text = told("blue=2", "red=1")
    assert "blue 2.0 would require" in text
    assert "red >=2" in text
    assert "No channel has nosuch" in told("nosuch")
    assert "__cuda >=12, which no channel has" in told("gpu-only")
    assert "No channel has python 2.7.*" in told("red", python="2.7")


def test_pins_that_no_channel_has_are_relaxed_to_the_nearest_version(conda, locks, said):
    """As with pip's: exact where nobody said so, and nothing but what is gone changes."""
    asked = ("red=1.5", "green=1.0=slow_0", "blue")
    exact = EnvironmentSpec(CONDA, conda=asked, channels=(conda,))
    assert "No channel has red 1.5" in refusal(exact, locks, said)
    ready = ensure(exact.replace(pins=AUTO), locks, said.append)
    assert names(ready.lock).items() >= {"red": "2.0=py_0", "green": "1.0=slow_0"}.items()
    assert ready.lock["relaxed"] == {"red": ["1.5", "2.0"]}
    assert "pins relaxed: red 1.5 -> 2.0" in said and "pins relaxed: red 1.5 -> 2.0" in ready.notes
    assert says(ready, "import red, sys; print(red.VERSION)") == "2.0"

    pins = ("red=0.5", "green=1.0=gone_7", "python=2.7")
    lowest = ensure(exact.replace(pins=AUTO, conda=pins), locks, said.append)
    python = names(lowest.lock)["python"].partition("=")[0]
    assert lowest.lock["relaxed"].items() >= {"python": ["2.7", python]}.items()
    assert lowest.lock["relaxed"]["red"] == ["0.5", "1.0"]  # and not the newest one
    assert lowest.lock["relaxed"]["green"][0] == "1.0=gone_7"
    lost = exact.replace(pins=AUTO, conda=("nosuch=1", "red=1.5"))
    assert "No channel has nosuch" in refusal(lost, locks, said)


def test_what_pip_adds_is_relaxed_to_go_with_what_conda_brings(conda, wheels, locks, said):
    make_wheel(wheels, "numeric", "1.0", tag="cp36")
    make_wheel(wheels, "numeric", "1.1")
    make_wheel(wheels, "numeric", "2.0", needs=("red>=2",))
    exact = EnvironmentSpec(
        CONDA,
        conda=("red=1",),
        channels=(conda,),
        pip=("numeric==1.0", "red==1.5", "blue"),
        pip_options=("--no-index", f"--find-links {wheels}"),
    )
    assert "red==1.5" in refusal(exact, locks, said)
    ready = ensure(exact.replace(pins=RELAX), locks, said.append)
    assert ready.lock["relaxed"] == {"red": ["1.5", "1.0"], "numeric": ["1.0", "1.1"]}
    assert "pins relaxed: red 1.5 -> 1.0, numeric 1.0 -> 1.1" in ready.notes
    code = "import numeric, red, collections; print(numeric.VERSION, red.BUILD)"
    assert says(ready, f"{code}; collections.Mapping") == "1.1 py_0"


def test_a_virtual_package_may_be_said_by_a_variable(conda, locks, said, monkeypatch):
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "12.4")
    spec = EnvironmentSpec(CONDA, conda=("gpu-only",), channels=(conda,))
    assert "gpu-only" in names(ensure(spec, locks, said.append).lock)


def test_channels_that_cannot_be_read_are_named(locks, said, tmp_path, conda, monkeypatch):
    nowhere = "http://127.0.0.1:9/channel"
    text = refusal(EnvironmentSpec(CONDA, conda=("red",), channels=(nowhere,)), locks, said)
    assert f"Cannot read conda channel {nowhere}: it is unreachable" in text
    gone = (tmp_path / "gone").as_uri()
    text = refusal(EnvironmentSpec(CONDA, conda=("red",), channels=(gone,)), locks, said)
    assert "no conda channel found there" in text
    assert "gone" in text
    monkeypatch.setenv("SCRIPTRUN_BUILD_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = f"http://127.0.0.1:{silent.getsockname()[1]}"
        text = refusal(EnvironmentSpec(CONDA, conda=("red",), channels=(mute,)), locks, said)
    assert "timed out after 1 s" in text


class Guarded(http.server.SimpleHTTPRequestHandler):
    """A channel behind a password."""

    def do_GET(self):
        wanted = "Basic " + base64.b64encode(b"me:open-sesame").decode()
        if self.headers.get("Authorization") == wanted:
            super().do_GET()
        else:
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def guarded(conda_channel):
    handler = functools.partial(Guarded, directory=str(conda_channel))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_passwords_of_channels_open_them_and_are_written_nowhere(
    guarded, conda, locks, said, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(tmp_path / "rattler"))
    spec = EnvironmentSpec(CONDA, conda=("green",), channels=(f"http://{guarded}",))
    assert "access denied" in refusal(spec, locks, said)
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password open-sesame\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    by_netrc = ensure(spec, locks, said.append)
    netrc.unlink()
    cache_listing.remove(by_netrc.key)
    shutil.rmtree(tmp_path / "rattler")
    monkeypatch.setenv("PASSWORD", "open-sesame")
    named = spec.replace(channels=(f"http://me:${{PASSWORD}}@{guarded}",))
    ready = ensure(named, locks, said.append)
    assert ready.key == by_netrc.key
    kept = [
        *locks.rglob("*"),
        *paths.cache_root().rglob("*.json"),
        *Path(ready.place).glob("*/*.json"),
    ]
    texts = [path.read_text() for path in kept if path.is_file()] + said
    assert not [text for text in texts if "sesame" in text]
    cache_listing.remove(ready.key)
    shutil.rmtree(tmp_path / "rattler")
    monkeypatch.setenv(vault.variable(f"index-{guarded}"), "me:open-sesame")
    assert ensure(spec, locks, said.append).key == ready.key


@pytest.fixture
def own_channel(conda_channel, tmp_path, monkeypatch) -> Path:
    """A channel that may be changed, and a cache of packages with nothing in it."""
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(tmp_path / "rattler"))
    shutil.copytree(conda_channel, tmp_path / "channel")
    return tmp_path / "channel"


def test_a_lock_stands_until_it_is_made_anew_and_its_packages_are_looked_at(
    conda, own_channel, locks, said, tmp_path
):
    spec = EnvironmentSpec(CONDA, conda=("red=1",), channels=(own_channel.as_uri(),))
    ready = ensure(spec, locks, said.append)
    cache_listing.remove(ready.key)
    noarch = own_channel / "noarch"
    whole = (noarch / "red-1.0-py_0.conda").read_bytes()
    shutil.copy(noarch / "red-2.0-py_0.conda", noarch / "red-1.0-py_0.conda")
    shutil.rmtree(tmp_path / "rattler")
    since = len(said)
    text = refusal(spec, locks, said)
    assert "red-1.0-py_0.conda does not match the lockfile" in text
    assert "--upgrade" in text
    assert not any(line.startswith(" + red=") for line in said[since:])  # nor linked anywhere
    (noarch / "red-1.0-py_0.conda").write_bytes(whole)
    again = ensure(spec, locks, said.append)  # what was unpacked under the wrong digest is not used
    assert (again.key, says(again, "import red; print(red.VERSION)")) == (ready.key, "1.0")
    cache_listing.remove(ready.key)
    shutil.rmtree(tmp_path / "rattler")
    (noarch / "red-1.0-py_0.conda").unlink()
    assert "red-1.0-py_0.conda is in the lockfile but no longer in its channel" in refusal(
        spec, locks, said
    )
    assert find(spec, locks) is None
    (noarch / "red-1.0-py_0.conda").write_bytes(whole)
    subprocess.run([sys.executable, MAKER, own_channel, "red", "1.5", "python"], check=True)
    assert ensure(spec, locks, said.append).key == ready.key
    assert names(ensure(spec, locks, said.append, upgrade=True).lock)["red"] == "1.5=py_0"
    assert find(spec, locks).key != ready.key


def test_the_cache_of_packages_is_shared_and_its_content_looked_at(
    conda, own_channel, locks, said, tmp_path
):
    channel = own_channel.as_uri()
    ready = ensure(
        EnvironmentSpec(CONDA, conda=("red=1",), channels=(channel,)), locks, said.append
    )
    [kept] = (tmp_path / "rattler" / "pkgs").glob("red-1.0*/site-packages/red.py")
    python = Path(ready.place, "bin", "python").resolve()
    assert python.stat().st_nlink > 1
    kept.unlink()
    kept.write_text("VERSION = 'somebody else'\n")
    other = EnvironmentSpec(CONDA, conda=("pin",), channels=(channel,))
    assert says(ensure(other, locks, said.append), "import red; print(red.VERSION)") == "1.0"


BUILD = """
import json, sys
from pathlib import Path
from scriptrun.environments.ensure import ensure
from scriptrun.spec.environment import EnvironmentSpec
ready = ensure(EnvironmentSpec.from_dict(json.loads(sys.argv[1])), Path(sys.argv[2]), print)
print(json.dumps([ready.place, ready.cached]))
"""


def start_build(spec, locks) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", BUILD, json.dumps(spec.to_dict()), str(locks)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.faults
def test_a_killed_build_is_never_taken_for_good(conda, own_channel, tmp_path):
    seed = int(os.environ.get("SCRIPTRUN_FAULT_SEED", random.SystemRandom().randrange(10**6)))
    print(f"seed {seed}")  # shown when the test fails
    moments = random.Random(seed)
    for number in range(int(os.environ.get("SCRIPTRUN_FAULT_MOMENTS", 5))):
        channels = (own_channel.as_uri(),)
        spec = EnvironmentSpec(CONDA, conda=("pin", f"green!=0.{number}"), channels=channels)
        locks = tmp_path / f"locks-{number}"
        killed = start_build(spec, locks)
        time.sleep(moments.uniform(0.1, 1.2))
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        ready = find(spec, locks) or ensure(spec, locks, print)
        told = says(ready, "import red, blue, pin; print(red.VERSION, blue.VERSION)")
        assert told == "1.0 1.0", f"seed {seed}, moment {number}"
        assert cache_folders.unfinished(ready.key) == []
        cache_listing.remove(ready.key)
        if number % 2:
            shutil.rmtree(tmp_path / "rattler")


def test_two_builds_at_once_are_one(conda, own_channel, locks):
    spec = EnvironmentSpec(CONDA, conda=("pin",), channels=(own_channel.as_uri(),))
    first, second = start_build(spec, locks), start_build(spec, locks)
    told = [json.loads(each.communicate()[0].splitlines()[-1]) for each in (first, second)]
    assert told[0][0] == told[1][0]
    assert sorted(cached for _, cached in told) == [False, True]


def test_a_full_disk_is_told_as_one(conda, own_channel, locks, said, tmp_path, monkeypatch):
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "small", place]).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        monkeypatch.setenv("SCRIPTRUN_CACHE", str(place))
        spec = EnvironmentSpec(CONDA, conda=("red",), channels=(own_channel.as_uri(),))
        text = refusal(spec, locks, said)
        assert "the disk is full" in text
        assert find(spec, locks) is None
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (["conda-forge", "nodefaults"], ["https://conda.anaconda.org/conda-forge"]),
        (["defaults"], list(conda_channels.DEFAULTS)),
        ([], ["https://conda.anaconda.org/conda-forge"]),
        (["conda-forge/label/dev"], ["https://conda.anaconda.org/conda-forge/label/dev"]),
        (["https://a.org/x/", "/data/channel"], ["https://a.org/x", "file:///data/channel"]),
    ],
)
def test_what_channels_mean(asked, meant, monkeypatch):
    monkeypatch.setenv("CONDARC", os.devnull)
    assert conda_channels.normalize(asked) == tuple(meant)


def test_condas_own_settings_count(tmp_path, monkeypatch):
    monkeypatch.setenv("CONDARC", str(tmp_path / "condarc"))
    (tmp_path / "condarc").write_text(
        "channel_alias: https://mirror.example.org/conda\nchannels: [team, defaults]\n"
        "default_channels: [main]\ncustom_channels: {team: https://team.example.org/}\n"
    )
    meant = ("https://team.example.org/team", "https://mirror.example.org/conda/main")
    assert conda_channels.normalize([]) == meant


@settings(max_examples=60, deadline=None)
@given(
    st.from_regex(r"[a-z][a-z0-9_.-]{0,12}[a-z0-9]", fullmatch=True),
    st.sampled_from(["", "=1.2", "==1.2.3", ">=1,<2", " 1.2.*", "=1.2=py_0", " >=1.2", "!=1.3"]),
    st.sampled_from(["", "conda-forge::", "https://a.org/b::", "conda-forge/linux-64::"]),
)
def test_the_name_in_a_spec_is_the_one_that_rattler_reads(name, version, channel):
    rattler = pytest.importorskip("rattler")
    spec = rattler.MatchSpec(channel + name + version)
    assert pypi_names.name_of(channel + name + version) == spec.name.normalized


def test_secrets_are_told_from_channels_without():
    found = conda_channels.problems(
        [
            "https://u:hunter2@a.org/c",
            "https://a.org/t/to-ken-1/c",
            "https://${NO_SUCH_NAME}@a.org/c",
        ]
    )
    text = "\n".join(found)
    assert len(found) == 3
    assert "hunter2" not in text
    assert "to-ken-1" not in text
    assert conda_channels.problems(["https://a.org/t/c", "conda-forge", "file:///a/b"]) == []


def test_what_rattler_says_of_a_full_disk_and_a_wrong_digest_has_its_own_sentence():
    assert "disk is full" in str(
        explain("IoError", "failed to link\nNo space left on device (os error 28)")
    )
    assert "not match the lockfile" in str(
        explain("InstallerError", "failed to fetch red-1.0-py_0.conda; hash mismatch")
    )


def test_a_python_is_always_wished_for():
    spec = EnvironmentSpec(CONDA, conda=("r-base",), python="3.8")
    assert conda_request.from_spec(spec).python == "python 3.8.*"
    assert (
        conda_request.from_spec(spec.replace(python=">=3.8,<3.10")).python == "python >=3.8,<3.10"
    )

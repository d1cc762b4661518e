"""What uv is asked, and what its failures say: the real uv over wheels of our own."""

from __future__ import annotations

import io
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from wheel_making import make_wheel

from scriptrun.environments import ensure
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException

HERE = sorted({".".join(map(str, python.minor)) for python in interpreter_discovery.find_all()})
needs_38 = pytest.mark.skipif("3.8" not in HERE, reason="this machine has no Python 3.8")


def failure(spec, locks, said) -> EnvironmentException:
    with pytest.raises(EnvironmentException) as caught:
        ensure.ensure(spec, locks, said.append)
    assert len(str(caught.value)) < 800
    assert caught.value.hint
    return caught.value


def test_the_log_tells_what_was_installed_and_nobody_to_activate_anything(request_of, locks, said):
    ensure.ensure(request_of("red"), locks, said.append)
    log = "\n".join(said)
    assert "+ red==" in log
    assert "interpreter at: /" in log
    assert "ctivate" not in log
    assert "at: 1" not in log


def test_an_unknown_package_is_named(request_of, locks, said):
    error = failure(request_of("red", "no-such-thing"), locks, said)
    assert "'no-such-thing'" in error.message
    assert any(line.startswith("error: ") for line in said)


def test_a_version_that_does_not_exist_is_named(request_of, locks, said):
    error = failure(request_of("red==7"), locks, said)
    assert "red==7" in error.message
    assert "version" in error.hint


def test_a_conflict_names_both_sides(request_of, locks, said):
    error = failure(request_of("blue", "red>=2"), locks, said)
    assert "blue" in error.message
    assert "red" in error.message


def test_a_line_that_is_no_requirement_is_quoted(request_of, locks, said):
    with pytest.raises(EnvironmentException) as caught:
        ensure.ensure(request_of("red=1"), locks, said.append)
    assert "'red=1'" in caught.value.message and "use red==1" in caught.value.message


def test_a_source_that_does_not_build_is_named_with_its_last_words(
    request_of, locks, said, tmp_path
):
    source = tmp_path / "broken"
    source.mkdir()
    (source / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
        "[project]\nname = 'broken'\nversion = '1'\n"
    )
    (source / "backend.py").write_text("raise RuntimeError('no Fortran compiler found')\n")
    error = failure(request_of(f"broken @ file://{source}"), locks, said)
    assert "broken" in error.message
    assert "no Fortran compiler found" in error.message


def test_an_index_that_is_not_there_is_named(locks, said, monkeypatch):
    with socket.socket() as listener:  # bound and not listening: connections are refused
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/simple"
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        monkeypatch.setenv("UV_DEFAULT_INDEX", address)
        error = failure(EnvironmentSpec("packages", pip=("red",)), locks, said)
    assert address in error.message
    assert "Connection refused" in error.message


def test_offline_says_so(locks, said, monkeypatch):
    monkeypatch.setenv("UV_OFFLINE", "1")
    error = failure(EnvironmentSpec("packages", pip=("red",)), locks, said)
    assert "'red' is not in uv's cache" in error.message


def test_a_wheel_that_changed_since_it_was_locked_is_refused(
    request_of, locks, said, wheels, monkeypatch
):
    spec = request_of("red==1.0")
    lock = ensure.ensure(spec, locks, said.append).lock
    (wheels / "red-1.0-py3-none-any.whl").unlink()
    make_wheel(wheels, "red", "1.0", needs=("blue",))
    monkeypatch.setenv("UV_CACHE_DIR", str(wheels / "empty-cache"))
    lock = {**lock, "requirements": lock["requirements"] + "# once more\n"}  # another place
    with pytest.raises(EnvironmentException, match=r"'red==1\.0' do not match the lockfile"):
        ensure.ensure(spec, locks, said.append, lockfile=lock)


def test_a_direct_reference_needs_no_hash(request_of, locks, said, wheels, tmp_path):
    package = tmp_path / "mine"
    package.mkdir()
    (package / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
        "[project]\nname = 'mine'\nversion = '1'\n"
    )
    (package / "backend.py").write_text(
        f"import sys, pathlib\nsys.path.append({str(Path(__file__).parents[1])!r})\n"
        "from wheel_making import make_wheel\n"
        "def build_wheel(to, *rest):\n"
        "    return make_wheel(pathlib.Path(to), 'mine', '1').name\n"
    )
    ready = ensure.ensure(request_of(f"mine @ file://{package}", "red"), locks, said.append)
    code = "import mine, red; print(mine.VERSION, red.VERSION)"
    assert subprocess.check_output([ready.python, "-c", code], text=True).strip() == "1 2.0"


@needs_38
def test_an_old_python_is_found_and_used(request_of, locks, said):
    ready = ensure.ensure(request_of("red", python="3.8"), locks, said.append)
    code = "import sys; print(sys.version_info[:2])"
    assert subprocess.check_output([ready.python, "-c", code], text=True).strip() == "(3, 8)"
    assert ready.lock["python"].startswith("3.8.")


@needs_38
def test_the_nearest_patch_is_taken_with_a_note(request_of, locks, said):
    ready = ensure.ensure(request_of("red", python="3.8.1"), locks, said.append)
    assert ready.notes == (
        f"Python 3.8.1 requested; using {ready.lock['python']}, the installed version of that series.",
    )
    assert ready.notes[0] in said


@needs_38
def test_a_python_that_nobody_asked_for_is_the_newest_that_the_packages_allow(
    request_of, locks, said
):
    ready = ensure.ensure(request_of("old"), locks, said.append)
    assert ready.lock["python"].startswith("3.8.")
    assert "the packages are unavailable for" in ready.notes[0]
    assert (
        "old"
        in failure(request_of("old", python="{}.{}".format(*sys.version_info)), locks, said).message
    )


@needs_38
def test_what_never_had_a_wheel_may_be_built_for_that_python(request_of, locks, said, wheels):
    make_source(wheels, "plain")
    ready = ensure.ensure(request_of("old==1.0", "plain==1"), locks, said.append)
    assert ready.lock["python"].startswith("3.8.")
    code = "import old, plain; print(plain.VERSION)"
    assert subprocess.check_output([ready.python, "-c", code], text=True).strip() == "1"


def make_source(folder: Path, name: str) -> None:
    """A source distribution, of which there is no wheel."""
    backend = (
        f"import sys, pathlib\nsys.path.append({str(Path(__file__).parents[1])!r})\n"
        "from wheel_making import make_wheel\n"
        "def build_wheel(to, *rest):\n"
        f"    return make_wheel(pathlib.Path(to), {name!r}, '1').name\n"
    )
    files = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        "pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'backend'\n"
        f"backend-path = ['.']\n[project]\nname = '{name}'\nversion = '1'\n",
        "backend.py": backend,
    }
    with tarfile.open(folder / f"{name}-1.tar.gz", "w:gz") as archive:
        for file, text in files.items():
            entry = tarfile.TarInfo(f"{name}-1/{file}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))


def test_a_python_that_is_not_here_is_refused_at_once_with_what_to_do(request_of):
    (reason,) = ensure.check(request_of("red", python="3.99"))
    assert "requires Python 3.99" in reason
    assert "uv python install 3.99" in reason


def test_everything_wrong_is_said_at_once():
    spec = EnvironmentSpec(
        "packages",
        python="tomorrow",
        conda=("r-base=4", "numpy=1.16", "gcc"),
        pip=("./mine", "git+https://user:hunter2@example.org/x", "--frobnicate", "!red", "red"),
    )
    reasons = ensure.check(spec)
    text = "\n".join(reasons)
    assert len(reasons) == 6
    for word in ("'r-base=4', 'gcc'", "tomorrow", "./mine", "--frobnicate", "${NAME}", "'!red'"):
        assert word in text
    assert "hunter2" not in text


def test_a_secret_stays_in_its_variable(request_of, locks, said, wheels, monkeypatch):
    monkeypatch.setenv("FOLDER_SECRET", str(wheels))
    spec = EnvironmentSpec(
        "packages", pip=("red",), pip_options=("--no-index", "--find-links ${FOLDER_SECRET}")
    )
    ready = ensure.ensure(spec, locks, said.append)
    assert str(wheels) not in (locks / f"{spec.digest()}.json").read_text()
    assert "red==2.0" in ready.lock["requirements"]


def test_credentials_never_reach_the_log(locks, said, monkeypatch):
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://me:hunter2@127.0.0.1:9/simple")
    error = failure(EnvironmentSpec("packages", pip=("red",)), locks, said)
    assert "hunter2" not in str(error) + "\n".join(said)


def test_what_a_power_cut_left_empty_in_uvs_cache_is_fetched_again(
    request_of, locks, said, tmp_path, monkeypatch
):
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    ensure.ensure(request_of("red"), locks, said.append)
    emptied = [path for path in (tmp_path / "uv").rglob("red.py") if path.stat().st_size]
    for path in emptied:
        path.write_bytes(b"")
    assert emptied
    monkeypatch.setenv("SCRIPTRUN_CACHE", str(tmp_path / "another"))
    again = ensure.ensure(request_of("red"), locks, said.append)
    assert "uv's cache has empty files" in "\n".join(said)
    (module,) = Path(again.place).rglob("red.py")
    assert module.stat().st_size

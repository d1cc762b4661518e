from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata

import pytest

from scriptrun.environments import ensure, site_packages
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.environments.interpreter import facts as interpreter_facts
from scriptrun.environments.uv import index_settings
from scriptrun.spec.environment import INTERPRETER, EnvironmentSpec


def spec_of(path: object) -> EnvironmentSpec:
    return EnvironmentSpec(INTERPRETER, interpreter=str(path))


def test_what_is_told_from_files_is_what_the_interpreter_says(locks, said):
    ready = ensure.ensure(spec_of(sys.executable), locks, said.append)
    assert ready.lock["version"] == "{}.{}.{}".format(*sys.version_info[:3])
    own = {
        f"{site_packages.normal(each.name)}=={each.version}"
        for each in metadata.distributions()
        if os.path.dirname(str(each._path)) in ready.sites
    }
    assert set(ready.lock["distributions"]) == own
    assert any(name.startswith("pytest==") for name in own)
    assert ready.place is None
    assert ready.cached


@pytest.mark.parametrize(
    "path", sorted({python.path for python in interpreter_discovery.find_all()})
)
def test_every_interpreter_here_is_told_truly(path):
    told = interpreter_facts.from_files(path)
    started = interpreter_facts._from_interpreter(path)
    if told is not None:
        assert told.version == started.version
        assert set(told.sites) >= {s for s in started.sites if os.path.isdir(s)}
    assert interpreter_facts.get(path).version == started.version


def test_an_interpreter_is_asked_once_and_again_when_it_changed(tmp_path, monkeypatch):
    log = tmp_path / "starts"
    odd = tmp_path / "bin" / "python"
    odd.parent.mkdir()

    def write(body: str) -> None:
        odd.write_text(f'#!/bin/sh\necho start >> {log}\n{body}exec {sys.executable} "$@"\n')
        odd.chmod(0o755)

    write("")
    for _ in range(3):
        interpreter_facts.get(str(odd))
    assert log.read_text() == "start\n"
    write("# another\n")
    interpreter_facts.get(str(odd))
    assert log.read_text() == "start\nstart\n"


@pytest.mark.parametrize(
    "answer",
    ["hello", "[]", "null", "7", "{}", '{"version": 3, "prefix": [], "sites": "x"}', '["version"]'],
)
def test_what_is_no_python_is_said_so(tmp_path, locks, said, answer):
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\necho '{answer}'\n")
    fake.chmod(0o755)
    with pytest.raises(Exception, match="does not behave like a Python"):
        ensure.ensure(spec_of(fake), locks, said.append)


def test_a_name_is_looked_for_on_path(tmp_path, monkeypatch, locks, said):
    os.symlink(sys.executable, tmp_path / "mypython")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ensure.check(EnvironmentSpec(INTERPRETER, interpreter="mypython")) == []
    assert "is not on PATH" in ensure.check(spec_of("otherpython"))[0]


def test_why_an_interpreter_cannot_be_used(tmp_path):
    (tmp_path / "plain").write_text("")
    os.symlink(tmp_path / "gone", tmp_path / "link")
    assert "is a directory" in ensure.check(spec_of(tmp_path))[0]
    assert "not executable" in ensure.check(spec_of(tmp_path / "plain"))[0]
    assert "link to" in ensure.check(spec_of(tmp_path / "link"))[0]
    assert "does not exist" in ensure.check(spec_of(tmp_path / "nothing"))[0]


def test_an_installed_package_changes_the_record(tmp_path, locks, said):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "v"], check=True)
    python = tmp_path / "v" / "bin" / "python"
    before = ensure.ensure(spec_of(python), locks, said.append)
    assert before.lock["distributions"] == []
    assert before.python == str(python)
    os.makedirs(os.path.join(before.sites[0], "New_Thing-2.1.dist-info"))
    after = ensure.ensure(spec_of(python), locks, said.append)
    assert after.lock["distributions"] == ["new-thing==2.1"]
    assert after.key != before.key
    assert not locks.exists()


@pytest.mark.parametrize("base", [sys._base_executable, "/usr/bin/python3"])
def test_a_venv_over_the_system_sees_the_systems_packages(tmp_path, locks, said, base):
    """Debian's Python has its packages where no other has them."""
    if not os.path.exists(base) or subprocess.run([base, "-c", "import venv"]).returncode:
        pytest.skip(f"this machine has no {base} with venv")
    command = [base, "-m", "venv", "--without-pip", "--system-site-packages"]
    subprocess.run([*command, tmp_path / "v"], check=True)
    python = tmp_path / "v" / "bin" / "python"
    ready = ensure.ensure(spec_of(python), locks, said.append)
    code = "import site, json; print(json.dumps(site.getsitepackages()))"
    own = json.loads(subprocess.check_output([python, "-c", code]))
    assert set(ready.sites) >= {path for path in own if os.path.isdir(path)}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("3", (3,)),
        ("3.8", (3, 8)),
        ("3.8.13", (3, 8, 13)),
        ("==3.8.*", (3, 8)),
        ("=3.8", (3, 8)),
        ("python=3.10", (3, 10)),
        (">=3.8", None),
        ("3.8.1.2", None),
        ("latest", None),
        ("", None),
        ("9" * 5000, None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_versions_are_read(text, numbers):
    assert interpreter_discovery.parse(text) == numbers


def test_pyenv_and_uv_versions_are_found_without_starting_them(tmp_path, monkeypatch):
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("PATH", "")
    made = ["pyenv/versions/3.30.2", "pyenv/versions/3.30.10", "pyenv/versions/3.31.0b1"]
    for folder in [*made, "uv/cpython-3.32.5-linux-x86_64-gnu"]:
        minor = folder.split("3.3")[1][0]
        path = tmp_path / folder / "bin" / f"python3.3{minor}"
        path.parent.mkdir(parents=True)
        path.write_text("#!/bin/sh\nexit 1\n")
        path.chmod(0o755)
    assert interpreter_discovery.choose("3.30")[0].version == "3.30.10"
    assert interpreter_discovery.choose("3.30.2") == (interpreter_discovery.choose("3.30.2")[0], "")
    assert interpreter_discovery.choose("3.32")[0].path.startswith(str(tmp_path / "uv"))
    note = interpreter_discovery.choose("3.30.5")[1]
    assert "using 3.30.10" in note


def test_pips_settings_reach_uv(tmp_path, monkeypatch):
    conf, wheels = tmp_path / "pip.conf", tmp_path / "wheels"
    wheels.mkdir()
    (tmp_path / "mine").mkdir()
    conf.write_text(
        "[global]\nindex-url = https://one.example/simple\n"
        "extra-index-url =\n    https://two.example/simple\n    https://three.example/simple\n"
        "[install]\nfind-links = https://four.example/links "
        f"{wheels} {wheels.as_uri()} ~/mine ~/none {tmp_path}/none {(tmp_path / 'none').as_uri()}\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(conf))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "https://zero.example/simple")
    told = index_settings.as_uv_variables()
    assert told["UV_DEFAULT_INDEX"] == "https://zero.example/simple"
    assert told["UV_EXTRA_INDEX_URL"] == "https://two.example/simple https://three.example/simple"
    # pip ignores a folder that does not exist, and uv refuses to work with one
    links = ["https://four.example/links", wheels, wheels.as_uri(), tmp_path / "mine"]
    assert told["UV_FIND_LINKS"] == ",".join(map(str, links))
    assert told["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://own.example/simple")
    assert index_settings.as_uv_variables() == {}


def test_a_wheel_of_pips_folder_is_built_in(request_of, locks, said, wheels, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "true")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    ready = ensure.ensure(EnvironmentSpec("packages", pip=("blue",)), locks, said.append)
    assert "blue==1.0" in ready.lock["requirements"]

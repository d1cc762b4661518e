"""What is released is built and checked: the wheel, the source archive, the list of components."""

from __future__ import annotations

import email
import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import scriptrun

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "https://git.example/team/scriptrun"

pytestmark = pytest.mark.xdist_group("release")


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """What ``./dev build`` wrote for a repository at ADDRESS."""
    folder = tmp_path_factory.mktemp("dist")
    environ = {**os.environ, "SCRIPTRUN_REPOSITORY_URL": f"{ADDRESS}/"}
    command = [sys.executable, ROOT / "tools" / "build.py", folder]
    done = subprocess.run(command, capture_output=True, text=True, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2 and "py3-none-any.whl: OK" in done.stdout
    return folder


def metadata(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    return email.message_from_bytes(archive.read(name))


@pytest.mark.slow
@pytest.mark.network
def test_a_release_has_a_wheel_an_archive_and_a_list_of_components(release):
    (wheel,) = release.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"scriptrun/runtime/launcher/entry.py", "scriptrun/py.typed"} <= set(names)
    assert any(name.endswith("/data/share/man/man1/scriptrun-run.1") for name in names)
    assert list(release.glob("*.tar.gz"))
    (sbom,) = release.glob("*.cdx.json")
    content = json.loads(sbom.read_text("utf-8"))
    assert content["bomFormat"] == "CycloneDX"
    assert content["metadata"]["component"]["name"] == "scriptrun"
    components = {each["name"].lower(): each for each in content["components"]}
    for name in ("cryptography", "psutil", "pyyaml", "uv", "obstore", "libcst", "optuna"):
        assert components[name]["version"] in components[name]["purl"]
    assert "pytest" not in components
    assert str(ROOT) not in sbom.read_text("utf-8")
    assert content["metadata"]["component"]["version"] == metadata(wheel)["Version"]
    own = content["metadata"]["component"]["bom-ref"]
    (needed,) = [each["dependsOn"] for each in content["dependencies"] if each["ref"] == own]
    assert any("psutil" in each for each in needed)


@pytest.mark.slow
@pytest.mark.network
def test_the_links_lead_to_the_repository(release):
    (wheel,) = release.glob("*.whl")
    facts = metadata(wheel)
    links = dict(link.split(", ") for link in facts.get_all("Project-URL"))
    assert links["Source"] == ADDRESS and links["Issues"] == f"{ADDRESS}/issues"
    page = facts.get_payload(decode=True).decode("utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", page)
    assert targets and all(target.startswith("https://") for target in targets)
    assert f"({ADDRESS}/blob/v{facts['Version']}/docs/index.md)" in page


@pytest.mark.slow
@pytest.mark.network
def test_the_archive_builds_the_same_wheel_byte_for_byte(release, tmp_path):
    (wheel,), (archive,) = release.glob("*.whl"), release.glob("*.tar.gz")
    commit = ["git", "log", "-1", "--format=%ct"]
    found = subprocess.run(commit, cwd=ROOT, capture_output=True, text=True, check=True)
    environ = {**os.environ, "SOURCE_DATE_EPOCH": found.stdout.strip()}
    build = [sys.executable, "-m", "uv", "build", "-q", "--wheel"]
    for number in ("1", "2"):
        folder = tmp_path / number
        subprocess.run([*build, "--out-dir", folder, archive], check=True, env=environ)
        (again,) = folder.glob("*.whl")
        assert again.name == wheel.name
        assert again.read_bytes() == wheel.read_bytes()


# the README of an index


def test_links_that_lead_nowhere_end_the_build():
    build = load("build")
    page = (
        '<a href="https://x.example">a</a> <a href="#b">b</a> <img src="docs/c.svg"> <a href="d">'
    )
    assert build.relative_links(page) == ["docs/c.svg", "d"]


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def hook():
    return load("metadata_hook")


README = """A [page](docs/a.md#b), a [site](https://x.example), a [part](#part).
<!-- file: train.py -->
![picture](docs/a.svg)
[![both](docs/b.svg)](docs/b.md)
<a href="docs/c.md"><img alt="c" src="docs/c.svg" width="3"></a>
[named]: docs/d.md
"""


def test_links_of_the_readme_are_made_absolute(hook):
    assert hook.absolute(README, ADDRESS, "1.2.3") == (
        f"A [page]({ADDRESS}/blob/v1.2.3/docs/a.md#b), a [site](https://x.example), a part.\n"
        f"![picture]({ADDRESS}/raw/v1.2.3/docs/a.svg)\n"
        f"[![both]({ADDRESS}/raw/v1.2.3/docs/b.svg)]({ADDRESS}/blob/v1.2.3/docs/b.md)\n"
        f'<a href="{ADDRESS}/blob/v1.2.3/docs/c.md">'
        f'<img alt="c" src="{ADDRESS}/raw/v1.2.3/docs/c.svg" width="3"></a>\n'
        f"[named]: {ADDRESS}/blob/v1.2.3/docs/d.md\n"
    )


def test_without_an_address_nothing_leads_nowhere(hook, tmp_path, monkeypatch):
    text = hook.absolute(README, "", "1.2.3")
    assert text == "A page, a [site](https://x.example), a part.\n\n\n<a></a>\n\n"
    monkeypatch.delenv("SCRIPTRUN_REPOSITORY_URL", raising=False)
    assert hook.urls(hook.repository(tmp_path)) == {}


def test_a_source_archive_keeps_its_address(hook, tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_REPOSITORY_URL", "https://other.example")
    assert hook.repository(tmp_path) == "https://other.example"
    (tmp_path / "PKG-INFO").write_text(f"Name: scriptrun\nProject-URL: Source, {ADDRESS}\n")
    assert hook.repository(tmp_path) == ADDRESS
    (tmp_path / "PKG-INFO").write_text("Name: scriptrun\n")
    assert hook.repository(tmp_path) == ""


def test_the_version_stands_in_one_place(hook):
    assert hook.version_of(ROOT) == scriptrun.__version__
    assert 'dynamic = ["readme", "urls", "version"]' in (ROOT / "pyproject.toml").read_text("utf-8")

"""./dev docs: a site with a fault is not built, and one without takes nothing from elsewhere.

The site is a small one, with the settings and the tools of the real one, which ./dev lint builds.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PINS = (ROOT / "requirements" / "docs.txt").read_text("utf-8")
INDEX = "# Home\n\nRead the [manual](manual.md#a-part) and see [Thing][thing.Thing].\n"
MANUAL = "# Manual\n\n## A part\n\nText.\n\n::: thing.Thing\n"
THING = '"""Things."""\n\n\nclass Thing:\n    """A thing."""\n'

pytestmark = pytest.mark.slow


def tools() -> Path:
    """The tools of the documentation, as ./dev docs and ./dev lint install them."""
    place = ROOT / ".venv-docs"
    ready = place / ".ready"
    if not ready.exists() or ready.read_text("utf-8") != PINS:
        command = [sys.executable, ROOT / "tools" / "docs.py", "--build"]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if not ready.exists():
        pytest.skip("the documentation's tools could not be installed")
    return place


@pytest.fixture
def project(tmp_path):
    (tmp_path / ".venv-docs").symlink_to(tools())
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    settings = (ROOT / "mkdocs.yml").read_text("utf-8")
    nav = "nav:\n  - Home: index.md\n  - manual.md\n\n"
    files = {
        "requirements/docs.txt": PINS,
        "mkdocs.yml": re.sub(r"(?s)nav:\n.*?\n\n(?=\w)", nav, settings),
        "pyproject.toml": '[project]\nname = "thing"\nversion = "1.2"\n',
        "docs/index.md": INDEX,
        "docs/manual.md": MANUAL,
        "src/scriptrun/__init__.py": "",
        "src/thing.py": THING,
    }
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"):
        files[page] = "# Text\n\n[Documentation](docs/index.md)\n"
    files["examples/README.md"] = "# Examples\n"
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def docs(project: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(project / "tools" / "docs.py"), *arguments]
    environ = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environ)


def add(path: Path, text: str) -> None:
    path.write_text(path.read_text("utf-8") + text, "utf-8")


def test_a_site_without_faults(project):
    done = docs(project, "--build")
    assert done.returncode == 0, done.stdout + done.stderr
    page = (project / "build/site/manual/index.html").read_text("utf-8")
    assert "A thing." in page
    assert 'id="thing.Thing"' in page
    assert "edit/main" not in page


@pytest.mark.parametrize(
    ("page", "text", "reason"),
    [
        ("docs/index.md", "[gone](gone.md)\n", "page does not exist"),
        ("docs/index.md", "[gone](manual.md#gone)\n", "anchor"),
        ("docs/index.md", "[gone][thing.Gone]\n", "unresolved autoref"),
        ("docs/index.md", "::: thing.Gone\n", "thing.Gone"),
        ("docs/index.md", '<a href="gone.html">gone</a>\n', "gone.html"),
        ("docs/index.md", "![](https://example.org/a.png)\n", "from another host: .*a.png"),
        ("docs/index.md", "<script src=//example.org/a.js></script>\n", "from another host"),
        ("docs/index.md", "```mermaid\ngraph\n```\n", "mermaid"),
        ("docs/manual.md", "A mispelled word.\n", "mispelled ==> misspelled"),
        ("README.md", "[gone](docs/gone.md)\n", "docs/gone.md"),
        ("README.md", "[gone](docs/manual.md#gone)\n", "fragment"),
    ],
)
def test_a_fault_fails_the_build(page, text, reason, project):
    add(project / page, "\n" + text)
    done = docs(project, "--build")
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(reason, done.stdout + done.stderr), done.stdout + done.stderr


def test_a_page_that_the_navigation_lacks_fails_the_build(project):
    (project / "docs" / "orphan.md").write_text("# Orphan\n", "utf-8")
    done = docs(project, "--build")
    assert done.returncode == 1
    assert "docs/orphan.md is missing from `nav`" in done.stderr


def test_a_page_that_only_the_navigation_has_fails_the_build(project):
    (project / "docs" / "manual.md").rename(project / "docs" / "guide.md")
    done = docs(project, "--build")
    assert done.returncode == 1
    (project / "docs" / "index.md").write_text("# Home\n", "utf-8")
    done = docs(project, "--build")
    assert "lists docs/manual.md, which does not exist" in done.stderr


def test_pages_can_be_edited_where_the_project_has_a_repository(project):
    urls = '\n[project.urls]\nRepository = "https://github.com/someone/thing"\n'
    add(project / "pyproject.toml", urls)
    assert docs(project, "--build").returncode == 0
    page = (project / "build/site/manual/index.html").read_text("utf-8")
    assert "https://github.com/someone/thing/edit/main/docs/manual.md" in page
    assert 'data-md-component="source"' not in page


def test_each_release_stays_beside_the_later_ones(project, tmp_path):
    folder = tmp_path / "published"
    assert docs(project, "--release", str(folder)).returncode == 0
    text = (project / "pyproject.toml").read_text("utf-8")
    (project / "pyproject.toml").write_text(text.replace("1.2", "1.3"), "utf-8")
    assert docs(project, "--release", str(folder)).returncode == 0
    assert docs(project, "--release", str(folder)).returncode == 0
    assert json.loads((folder / "versions.json").read_text("utf-8")) == [
        {"version": "1.3", "title": "1.3", "aliases": ["latest"]},
        {"version": "1.2", "title": "1.2", "aliases": []},
    ]
    assert "url=1.3/" in (folder / "index.html").read_text("utf-8")
    assert (folder / "1.2" / "manual" / "index.html").exists()
    assert '"mike"' in (folder / "1.2" / "index.html").read_text("utf-8")

"""The manual pages: one for each command, made from the help, which roff renders without a word."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scriptrun.cli import commands

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("man")
    subprocess.run([sys.executable, "-I", ROOT / "tools" / "man_pages.py", folder], check=True)
    return sorted(folder.iterdir())


def rendered(page, *, width=100):
    if not shutil.which("man"):
        pytest.skip("man is not installed (Debian: apt install man-db)")
    done = subprocess.run(
        ["man", "--warnings=all", "-P", "cat", "-l", page],
        capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": str(width)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), page
    return done.stdout


def test_each_command_has_one(pages):
    names = {page.name for page in pages}
    assert names == {"scriptrun.1", *(f"scriptrun-{name}.1" for name in commands.COMMANDS)}


def test_they_are_rendered_without_warnings(pages):
    for page in pages:
        for width in (100, 60):
            assert "NAME" in rendered(page, width=width)


def test_mandoc_finds_no_error_in_them(pages):
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed (Debian: apt install mandoc)")
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True
    )
    # the date is that of the release
    lines = [line for line in done.stdout.splitlines() if "missing date" not in line]
    assert lines == []


def test_a_page_has_what_the_help_has(pages):
    by_name = {page.name: rendered(page) for page in pages}
    run = by_name["scriptrun-run.1"]
    assert "scriptrun run [options] train.py [-- ARGS]" in run
    assert "--requirements F" in run and "EXAMPLES" in run
    env = by_name["scriptrun-env.1"]
    assert "scriptrun env build" in env and "scriptrun env diff sklearn:1 sklearn:2" in env
    assert "EXIT STATUS" in env and "scriptrun(1)" in env
    assert "scriptrun-lineage(1)" in by_name["scriptrun.1"]


def test_what_roff_would_take_for_a_request_is_text():
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import man_pages
    finally:
        sys.path.remove(str(ROOT / "tools"))
    assert (
        man_pages.text(".venv is\n  'quoted' \\ and --long")
        == r"\&.venv is 'quoted' \e and \-\-long"
    )

"""The code on the pages works: every block of README.md and docs/ is run (see CONTRIBUTING.md)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import page_blocks
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_CODE = [page for page in PAGES if page_blocks.steps_of(page)]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_page_runs(page, tmp_path):
    done = run(page, page_blocks.steps_of(page), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def run(page: Path, steps: list[page_blocks.Step], place: Path) -> subprocess.CompletedProcess:
    """All steps of a page, in a directory of the page's own named ``project``."""
    project = place / "project"
    project.mkdir()
    for step in steps:
        if step.kind == "copy":
            shutil.copytree(ROOT / step.text, project, dirs_exist_ok=True)
        elif step.kind == "file":
            (project / step.marks["file"]).parent.mkdir(parents=True, exist_ok=True)
    order = {
        "page": str(page),
        "steps": [step.to_dict() for step in steps if step.kind != "copy"],
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, Path(__file__).with_name("page_driver.py")],
        input=json.dumps(order),
        cwd=project,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path, "HOME": str(place), "COLUMNS": "100"},
    )


def of_text(text: str, place: Path) -> subprocess.CompletedProcess:
    page = place / "page.md"
    page.write_text(text, "utf-8")
    return run(page, page_blocks.steps_of(page), place)


def test_blocks_share_state_and_directory(tmp_path):
    text = """
<!-- file: in/data.txt -->
```text
seven
```
```python
word = open("in/data.txt").read().strip()
```
```sh
mkdir made
```
```python
import os
print(word, os.path.isdir("made"))
```
"""
    done = of_text(text, tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "seven True"), done.stderr


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ("```python\nx = 1\nraise ValueError('seen')\n```", r"page\.md:2: raised"),
        ("```sh\nexit 3\n```", "ended with 3, not 0"),
        ("```sh\nfalse\ntrue\n```", "ended with 1, not 0"),
        ("```console\n$ true\n$ exit 4\n```", "ended with 4, not 0"),
        ("<!-- fails: 2 -->\n```sh\ntrue\n```", "ended with 0, not 2"),
        ("<!-- fails: ValueError -->\n```python\nx = 1\n```", "did not fail"),
        ("<!-- compare -->\n```console\n$ echo a\nb\n```", "something else than the page shows"),
    ],
)
def test_a_wrong_block_fails_its_page(block, reason, tmp_path):
    done = of_text(block, tmp_path)
    assert done.returncode == 1
    assert re.search(reason, done.stderr), done.stderr


@pytest.mark.parametrize(
    "block",
    [
        "<!-- not run: it would install -->\n```sh\nexit 3\n```",
        "<!-- fails: 3 -->\n```sh\nexit 3\n```",
        "<!-- fails: ValueError: seen -->\n```python\nraise ValueError('seen')\n```",
        "<!-- compare -->\n```console\n$ echo run 17 done\nrun ... done\n$ echo b\nb\n```",
        "<!-- fails: 2 -->\n```console\n$ true\n$ exit 2\n```",
        "```console\n$ echo a \\\n> b\nanything\n```",
        "```\nexit 3\n```",
        "```yaml\na: 1\n```",
    ],
)
def test_a_right_block_passes(block, tmp_path):
    done = of_text(block, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "text", ["<!-- not run -->\n```sh\ntrue\n```", "<!-- fails: 1 -->\n\nText.\n\n```sh\ntrue\n```"]
)
def test_a_mark_needs_its_reason_and_its_block(text, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(text, "utf-8")
    with pytest.raises(ValueError, match="must"):
        page_blocks.steps_of(page)


def test_links_between_pages_lead_somewhere():
    wrong = []
    for page in PAGES:
        text = re.sub(r"(?s)```.*?```|`[^`\n]*`", "", page.read_text("utf-8"))
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            elsewhere = "://" in target or target.startswith("mailto:")
            if not elsewhere and not (page.parent / target).exists():
                wrong.append(f"{name_of(page)} links to {target}")
    assert not wrong

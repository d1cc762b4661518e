"""Builds the documentation site and serves it: ``./dev docs``.

``--build`` only builds it, into build/site, and fails on what a reader would stumble over: a broken
link or anchor, a page that the navigation lacks, an unknown name of the API, a misspelled word, a
script, style, font or image from another host. ``--release FOLDER`` builds it as FOLDER/VERSION,
adds it to FOLDER/versions.json, which the version selector reads, and FOLDER/index.html opens it.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
DOCS, SITE = ROOT / "docs", ROOT / "build" / "site"
PINS = ROOT / "requirements" / "docs.txt"
VENV = ROOT / ".venv-docs"
#: pages outside of the site whose links are checked too
ROOT_PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "examples/README.md")
#: where words are to be spelled right
SPELLED = ("docs", "src", "tools", "bench", "ci", "examples", "dev", "styles", *ROOT_PAGES)
#: what a browser fetches on its own, from another host
FETCHED = re.compile(
    r"""(?x) <(?:script|img|iframe|source|video|audio)\b[^>]*\ssrc=["']?(?:https?:)?//[^"'\s>]+
        | <link\b(?=[^>]*\srel=["']?(?:stylesheet|preload|preconnect|icon|manifest))
          [^>]*\shref=["']?(?:https?:)?//[^"'\s>]+
        | url\(\s*["']?(?:https?:)?//[^)]+
        | @import\s+["'](?:https?:)?//[^"']+
        | <pre\b[^>]*\bclass=["']?mermaid"""
)


def main(arguments: list[str]) -> int:
    """Build the site, and serve it unless told to only build."""
    parser = argparse.ArgumentParser(prog="./dev docs", description="Build and serve the docs.")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--build", action="store_true", help="build and check the site, then exit")
    only.add_argument("--release", metavar="FOLDER", type=Path, help="add this version to FOLDER")
    parser.add_argument("--port", metavar="PORT", type=int, default=8000, help="default: 8000")
    options = parser.parse_args(arguments)
    if options.release:
        return release(options.release)
    if options.build:
        return build(site_settings())
    return serve(options.port)


def build(settings: dict[str, str]) -> int:
    """Build the site and check it; 0 if nothing is wrong."""
    if run("zensical", "build", "--clean", "--strict", settings=settings) != 0:
        return 1
    problems = [*navigation_problems(), *fetched_from_elsewhere()]
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    misspelled = run("codespell", *(name for name in SPELLED if (ROOT / name).exists()))
    links = ["lychee", "--offline", "--include-fragments", "--index-files", "index.html", "--quiet"]
    pages = [SITE, *(ROOT / page for page in ROOT_PAGES)]
    broken = run(*links, "--root-dir", str(SITE), *map(str, pages))
    failed = bool(problems or misspelled or broken)
    if not failed:
        print(f"Built {SITE.relative_to(ROOT)}", file=sys.stderr)
    return int(failed)


def serve(port: int) -> NoReturn:
    """Serve the site, and build a page again when its source changes."""
    zensical = str(environment() / "zensical")
    os.chdir(ROOT)
    command = [zensical, "serve", "--dev-addr", f"localhost:{port}"]
    os.execve(zensical, command, {**os.environ, **site_settings()})


def release(folder: Path) -> int:
    """Build the site of this version below ``folder``, beside the earlier ones."""
    version = project()["version"]
    if build({**site_settings(), "DOCS_VERSIONS": "mike"}) != 0:
        return 1
    shutil.rmtree(folder / version, ignore_errors=True)
    shutil.copytree(SITE, folder / version)
    listing = folder / "versions.json"
    known = json.loads(listing.read_text("utf-8")) if listing.exists() else []
    others = [each for each in known if each["version"] != version]
    newest = {"version": version, "title": version, "aliases": ["latest"]}
    versions = [newest, *({**each, "aliases": []} for each in others)]
    listing.write_text(json.dumps(versions, indent=2) + "\n", "utf-8")
    redirect = f'<!doctype html>\n<meta http-equiv="refresh" content="0; url={version}/">\n'
    (folder / "index.html").write_text(redirect, "utf-8")
    return 0


def navigation_problems() -> Iterator[str]:
    """A sentence for each page that only docs/ or only ``nav`` in mkdocs.yml has."""
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:")[2]
    listed = set(re.findall(r"(?m)^ +- (?:[^:\n]+: )?(\S+\.md)$", navigation))
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    for name in sorted(pages - listed):
        yield f"docs/{name} is missing from `nav` in mkdocs.yml"
    for name in sorted(listed - pages):
        yield f"`nav` in mkdocs.yml lists docs/{name}, which does not exist"


def fetched_from_elsewhere() -> Iterator[str]:
    """A sentence for each script, style, font and image that a page takes from another host."""
    for path in sorted(SITE.rglob("*")):
        if path.suffix in (".html", ".css"):
            for found in FETCHED.findall(path.read_text("utf-8")):
                yield f"{path.relative_to(SITE)} loads from another host: {found}"


def site_settings() -> dict[str, str]:
    """What mkdocs.yml takes from the project: the repository, if it has one."""
    urls = {name.lower(): url for name, url in project().get("urls", {}).items()}
    return {"DOCS_REPOSITORY": urls.get("repository") or urls.get("source") or ""}


def project() -> dict:
    """The project's own description."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def run(tool: str, *arguments: str, settings: dict[str, str] | None = None) -> int:
    """Run one of the tools that requirements/docs.txt pins; its exit code."""
    command = [str(environment() / tool), *arguments]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **(settings or {})}).returncode


def environment() -> Path:
    """The programs of .venv-docs, which is made when it is missing or the pins have changed."""
    if not is_ready():
        (ROOT / "build").mkdir(exist_ok=True)
        with open(ROOT / "build" / "docs.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_ready():
                make_environment()
    return VENV / "bin"


def is_ready() -> bool:
    """Whether .venv-docs holds what is pinned."""
    ready = VENV / ".ready"
    return ready.exists() and ready.read_text("utf-8") == PINS.read_text("utf-8")


def make_environment() -> None:
    """Install the pinned tools."""
    print(f"setting up {VENV.name} ...", file=sys.stderr)
    uv = [sys.executable, "-m", "uv"]
    python = ["--python", str(VENV / "bin" / "python")]
    for command in (
        [*uv, "venv", "-q", "--clear", "--python", sys.executable, str(VENV)],
        [*uv, "pip", "sync", "-q", *python, str(PINS)],
    ):
        if subprocess.run(command).returncode != 0:
            sys.exit(f"{VENV.name} could not be made.")
    (VENV / ".ready").write_text(PINS.read_text("utf-8"), "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

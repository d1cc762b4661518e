"""Prepares a release: ``./dev release VERSION [--dry-run]``.

Checks that nothing is uncommitted, that the version is newer than the last one and that the
changelog has entries for it; then dates them in ``CHANGELOG.md``, writes the version, commits both
and tags the commit. Nothing is pushed: pushing the tag is what starts the release workflow, which
calls ``--check-tag TAG`` and ``--notes VERSION``.
"""

from __future__ import annotations

import argparse
import datetime
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHANGELOG, SOURCE = ROOT / "CHANGELOG.md", ROOT / "src" / "scriptrun" / "__init__.py"
_UNRELEASED = "## [Unreleased]"
#: what a version looks like: 1.2.3, 1.2.3rc1
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:(a|b|rc)(\d+))?")
_ASSIGNMENT = re.compile(r'^__version__ = "(?P<version>.+)"$', re.MULTILINE)


def main(arguments: list[str]) -> int:
    """Do what the arguments ask for; a problem ends it with a sentence and exit code 1."""
    args = _parser().parse_args(arguments)
    if args.check_tag:
        return _check_tag(args.check_tag)
    if args.notes:
        print(section(CHANGELOG.read_text("utf-8"), args.notes))
        return 0
    if not args.version:
        sys.exit("Give the version to release, e.g. ./dev release 0.2.0")
    release(args.version, args.dry_run)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev release", description=__doc__.split("\n\n")[0])
    parser.add_argument("version", nargs="?", metavar="VERSION", help="version to release")
    parser.add_argument("--dry-run", action="store_true", help="check everything; change nothing")
    parser.add_argument("--check-tag", metavar="TAG", help="check that TAG is this version's")
    parser.add_argument("--notes", metavar="VERSION", help="print a version's changelog")
    return parser


def release(version: str, dry_run: bool) -> None:
    """Check everything, then write, commit and tag the version."""
    changelog = CHANGELOG.read_text("utf-8")
    problems = [
        *_version_problems(version),
        *_changelog_problems(changelog),
        *_git_problems(version),
    ]
    if problems:
        sys.exit("Not released:\n" + "\n".join(f"  - {problem}" for problem in problems))
    if dry_run:
        print(f"{version} can be released; nothing was changed.")
        return
    today = datetime.datetime.now(datetime.UTC).date()
    CHANGELOG.write_text(cut(changelog, version, today), "utf-8")
    text = SOURCE.read_text("utf-8")
    SOURCE.write_text(_ASSIGNMENT.sub(f'__version__ = "{version}"', text), "utf-8")
    _git("commit", "-q", "-m", f"Release {version}", "--", str(CHANGELOG), str(SOURCE))
    _git("tag", "-a", f"v{version}", "-m", f"scriptrun {version}")
    print(f"Committed and tagged v{version}. To publish it, push the commit and the tag:")
    print(f"  git push origin HEAD v{version}")


def current() -> str:
    """The version of the sources."""
    found = _ASSIGNMENT.search(SOURCE.read_text("utf-8"))
    assert found is not None
    return found["version"]


def cut(changelog: str, version: str, day: datetime.date) -> str:
    """``changelog`` with what is unreleased under a heading of its own."""
    return changelog.replace(_UNRELEASED, f"{_UNRELEASED}\n\n## [{version}] - {day}", 1)


def section(changelog: str, version: str) -> str:
    """The text below the heading of ``version`` ("Unreleased" for what is not released)."""
    pattern = rf"^## \[{re.escape(version)}\][^\n]*\n(?P<text>.*?)(?=^## \[|^\[|\Z)"
    found = re.search(pattern, changelog, re.MULTILINE | re.DOTALL)
    if found is None:
        sys.exit(f"CHANGELOG.md has no section for {version}.")
    return found["text"].strip()


def _version_problems(version: str) -> list[str]:
    if not _VERSION.fullmatch(version):
        return [f"{version!r} is not a version such as 1.2.3 or 1.2.3rc1."]
    if _released() and _order(version) <= _order(current()):
        return [f"{version} is not newer than {current()}, the last version."]
    if _order(version) < _order(current()):
        return [f"{version} is older than {current()}, the version of the sources."]
    return []


def _released() -> bool:
    """Whether the version of the sources has been released."""
    return bool(_git("tag", "--list", f"v{current()}"))


def _order(version: str) -> tuple[int, int, int, str, int]:
    found = _VERSION.fullmatch(version)
    assert found is not None, version
    major, minor, patch, stage, number = found.groups()
    return int(major), int(minor), int(patch), stage or "z", int(number or 0)


def _changelog_problems(changelog: str) -> list[str]:
    if _UNRELEASED not in changelog:
        return [f"CHANGELOG.md has no heading {_UNRELEASED!r}."]
    if not re.search(r"^- ", section(changelog, "Unreleased"), re.MULTILINE):
        return ["CHANGELOG.md has no entries under Unreleased."]
    return []


def _git_problems(version: str) -> list[str]:
    problems = []
    changed = _git("status", "--porcelain")
    if changed:
        problems.append(f"There are uncommitted changes: {', '.join(changed.split()[1::2][:5])}.")
    if _git("tag", "--list", f"v{version}"):
        problems.append(f"The tag v{version} exists.")
    return problems


def _check_tag(tag: str) -> int:
    if tag != f"v{current()}":
        sys.exit(f"The tag {tag} is not that of the sources, whose version is {current()}.")
    section(CHANGELOG.read_text("utf-8"), current())
    print(f"{tag} is the tag of the sources.")
    return 0


def _git(*words: str) -> str:
    """What git prints; if it fails, so does the release."""
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"Not released: git {words[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

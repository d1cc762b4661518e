"""What a snapshot ignores, and why (docs/reference/snapshots.md).

A ``.amlignore`` in the source directory replaces all ``.gitignore`` files. Both also work in
subfolders, as in git; ``.gitignore`` files above the source, up to the root of the git repository,
count unless they ignore the source itself.
"""

from __future__ import annotations

import itertools
import os
import time

from scriptrun.spec.values import Value
from scriptrun.store.snapshots.gitignore import Pattern, PatternList

ALWAYS = frozenset({b".scriptrun"})
BY_DEFAULT = frozenset(
    {
        b".git",
        b".hg",
        b".svn",
        b".venv",
        b"__pycache__",
        b".ipynb_checkpoints",
        b".mypy_cache",
        b".pytest_cache",
        b".ruff_cache",
        b".tox",
        b".nox",
        b"node_modules",
        b".DS_Store",
    }
)
FRESH = 50_000_000
"""A file changed within this many nanoseconds may change again with the same timestamps."""
_ENVIRONMENT_MARKS = frozenset({b"pyvenv.cfg", b"conda-meta"})


class Reason(Value):
    """Why something is ignored: the rule, and its file and line ("" and 0 for built-in rules).

    ``file`` is relative to the source directory: ``.gitignore``, ``data/.gitignore``.
    """

    rule: str
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.rule} ({self.file}:{self.line})" if self.file else self.rule


class Rules:
    """The ignore files that apply to one folder: its own and those above it.

    ``stamp`` changes whenever one of them does. The files are read on first use.
    """

    def __init__(self, kind: bytes, parent: Rules | None, folder: bytes, file: bytes, stamp: str):
        self.kind = kind
        self.stamp = stamp
        self._parent = parent
        self._cut = len(folder) + 1 if folder else 0
        self._lead = b""
        self._file = file
        self._shown = folder + b"/" + kind if folder else kind
        self._patterns: PatternList | None = None

    def below(self, folder: bytes, own: os.DirEntry[bytes] | None) -> Rules:
        """The rules for ``folder`` (relative to the source), which has the ignore file ``own``."""
        if own is None or not self.kind or not own.is_file():
            return self
        return Rules(self.kind, self, folder, own.path, f"{self.stamp}|{_stamp(own.stat())}")

    def decides(self, path: bytes, is_folder: bool) -> tuple[Pattern, bytes] | None:
        """The line that decides about ``path``, and its file; the deepest file takes precedence."""
        rules: Rules | None = self
        while rules is not None:
            if rules._file:
                pattern = rules._list().decides(rules._lead + path[rules._cut :], is_folder)
                if pattern is not None:
                    return pattern, rules._shown
            rules = rules._parent
        return None

    def reason(self, path: bytes, is_folder: bool) -> Reason | None:
        """Why ``path`` (relative to the source) is ignored; None if it is part of the snapshot.

        Assumes that the folders above it are not ignored.
        """
        name = path.rpartition(b"/")[2]
        if name in ALWAYS:
            return Reason("always ignored")
        found = self.decides(path, is_folder)
        if name in BY_DEFAULT and not self._brought_back(found, name):
            return Reason("ignored by default")
        if found is None or found[0].negated:
            return None
        return Reason(found[0].text, os.fsdecode(found[1]), found[0].line)

    def environment(self, path: bytes, names: frozenset[bytes]) -> Reason | None:
        """The reason if the folder ``path`` with the entries ``names`` is a Python environment."""
        if not path or not names & _ENVIRONMENT_MARKS:
            return None
        if self.kind == b".amlignore" and self._brought_back(
            self.decides(path, True), path.rpartition(b"/")[2]
        ):
            return None
        return Reason("Python environment")

    def _brought_back(self, found: tuple[Pattern, bytes] | None, name: bytes) -> bool:
        if found is None or self.kind != b".amlignore":
            return False
        return found[0].negated and found[0].names(name)

    def _list(self) -> PatternList:
        if self._patterns is None:
            try:
                with open(self._file, "rb") as handle:
                    self._patterns = PatternList(handle.read())
            except OSError:
                self._patterns = PatternList(b"")
        return self._patterns


def rules_for(source: bytes) -> Rules:
    """The rules above ``source`` (absolute path), without its own ignore file."""
    if os.path.isfile(os.path.join(source, b".amlignore")):
        return Rules(b".amlignore", None, b"", b"", "amlignore")
    rules = Rules(b".gitignore", None, b"", b"", "gitignore")
    for folder in _above_in_repository(source):
        file = os.path.join(folder, b".gitignore")
        if os.path.isfile(file):
            stamp = f"{rules.stamp}|{os.fsdecode(file)} {_stamp(os.stat(file))}"
            rules = Rules(b".gitignore", rules, b"", file, stamp)
            rules._shown = os.path.relpath(file, source)
            rules._lead = os.path.relpath(source, folder).replace(os.sep.encode(), b"/") + b"/"
    return rules


def _above_in_repository(source: bytes) -> list[bytes]:
    """The folders above ``source`` in its git repository, outermost first."""
    above: list[bytes] = []
    folder = source
    while not os.path.lexists(os.path.join(folder, b".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return []
        above.append(parent)
        folder = parent
    above.reverse()
    return [] if _left_out_from_above(source, above) else above


def _left_out_from_above(source: bytes, above: list[bytes]) -> bool:
    """Whether git ignores ``source`` itself; the user wants it nevertheless."""
    chain = [*above, source]
    lists: list[tuple[bytes, PatternList]] = []
    for folder, child in itertools.pairwise(chain):
        lists.append((folder, _read_patterns(folder)))
        for holder, patterns in reversed(lists):
            path = os.path.relpath(child, holder).replace(os.sep.encode(), b"/")
            found = patterns.decides(path, True)
            if found is not None:
                if not found.negated:
                    return True
                break
    return False


def _read_patterns(folder: bytes) -> PatternList:
    try:
        with open(os.path.join(folder, b".gitignore"), "rb") as handle:
            return PatternList(handle.read())
    except OSError:
        return PatternList(b"")


def _stamp(status: os.stat_result) -> str:
    if status.st_ctime_ns > time.time_ns() - FRESH:
        return f"fresh {time.time_ns()}"
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"

"""What a snapshot ignores, and why (docs/reference/snapshots.md).

A ``.amlignore`` in the source directory replaces all ``.gitignore`` files. Both also work in
subfolders, as in git; ``.gitignore`` files above the source, up to the root of the git repository,
count unless they ignore the source itself.
"""

from __future__ import annotations

import codecs
import itertools
import os
import time

from scriptrun.runtime import files
from scriptrun.spec.values import Value
from scriptrun.store.snapshots.gitignore import Pattern, PatternList

ALWAYS_IGNORED = frozenset({b".scriptrun"})
IGNORED_BY_DEFAULT = frozenset(
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
ENVIRONMENT_MARKS = frozenset({b"pyvenv.cfg", b"conda-meta"})


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
        self._prefix_length = len(folder) + 1 if folder else 0
        self._path_prefix = b""
        self._file = file
        self._shown_path = folder + b"/" + kind if folder else kind
        self._patterns: PatternList | None = None

    def below(self, folder: bytes, ignore_file: os.DirEntry[bytes] | None) -> Rules:
        """The rules for ``folder`` (relative to the source), read from ``ignore_file``."""
        if ignore_file is None or not self.kind or not ignore_file.is_file():
            return self
        return Rules(
            self.kind, self, folder, ignore_file.path, f"{self.stamp}|{_stamp(ignore_file.stat())}"
        )

    def inside(self, folder: bytes, path: bytes) -> Rules:
        """The rules for ``folder``, which is at ``path``; without a stamp, for one question."""
        file = os.path.join(path, self.kind)
        return Rules(self.kind, self, folder, file, "") if os.path.isfile(file) else self

    def find_match(self, path: bytes, is_folder: bool) -> tuple[Pattern, bytes] | None:
        """The line that decides about ``path``, and its file; the deepest file takes precedence."""
        rules: Rules | None = self
        while rules is not None:
            if rules._file:
                pattern = rules._load_patterns().find_match(
                    rules._path_prefix + path[rules._prefix_length :], is_folder
                )
                if pattern is not None:
                    return pattern, rules._shown_path
            rules = rules._parent
        return None

    def reason(self, path: bytes, is_folder: bool) -> Reason | None:
        """Why ``path`` (relative to the source) is ignored; None if it is part of the snapshot.

        Assumes that the folders above it are not ignored.
        """
        name = path.rpartition(b"/")[2]
        if name in ALWAYS_IGNORED:
            return Reason("always ignored")
        match = self.find_match(path, is_folder)
        if name in IGNORED_BY_DEFAULT and not self._reincluded(match, name):
            return Reason("ignored by default")
        if match is None or match[0].negated:
            return None
        return Reason(match[0].text, os.fsdecode(match[1]), match[0].line)

    def environment(self, path: bytes, names: frozenset[bytes]) -> Reason | None:
        """The reason if the folder ``path`` with the entries ``names`` is a Python environment."""
        if not path or not names & ENVIRONMENT_MARKS:
            return None
        if self.kind == b".amlignore" and self._reincluded(
            self.find_match(path, True), path.rpartition(b"/")[2]
        ):
            return None
        return Reason("Python environment")

    def _reincluded(self, match: tuple[Pattern, bytes] | None, name: bytes) -> bool:
        if match is None or self.kind != b".amlignore":
            return False
        return match[0].negated and match[0].targets_name(name)

    def _load_patterns(self) -> PatternList:
        if self._patterns is None:
            try:
                with files.open_record(os.fsdecode(self._file)) as handle:
                    content = handle.read()
                self._patterns = PatternList(_as_utf8(content, self.kind))
            except OSError:
                self._patterns = PatternList(b"")
        return self._patterns


def _as_utf8(content: bytes, kind: bytes) -> bytes:
    """The content of an ignore file; git reads UTF-8 only, PowerShell writes UTF-16."""
    if kind != b".amlignore" or not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content
    return content.decode("utf-16", "replace").encode("utf-8", "surrogatepass")


def rules_for(source: bytes) -> Rules:
    """The rules above ``source`` (absolute path), without its own ignore file."""
    if os.path.isfile(os.path.join(source, b".amlignore")):
        return Rules(b".amlignore", None, b"", b"", "amlignore")
    rules = Rules(b".gitignore", None, b"", b"", "gitignore")
    for folder in _parents_in_repository(source):
        ignore_file = os.path.join(folder, b".gitignore")
        if os.path.isfile(ignore_file):
            stamp = f"{rules.stamp}|{os.fsdecode(ignore_file)} {_stamp(os.stat(ignore_file))}"
            rules = Rules(b".gitignore", rules, b"", ignore_file, stamp)
            rules._shown_path = os.path.relpath(ignore_file, source)
            rules._path_prefix = (
                os.path.relpath(source, folder).replace(os.sep.encode(), b"/") + b"/"
            )
    return rules


def _parents_in_repository(source: bytes) -> list[bytes]:
    """The folders above ``source`` in its git repository, outermost first."""
    parents: list[bytes] = []
    folder = source
    while not os.path.lexists(os.path.join(folder, b".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return []
        parents.append(parent)
        folder = parent
    parents.reverse()
    return [] if _ignored_by_parents(source, parents) else parents


def _ignored_by_parents(source: bytes, above: list[bytes]) -> bool:
    """Whether git ignores ``source`` itself, although the user submits it."""
    chain = [*above, source]
    lists: list[tuple[bytes, PatternList]] = []
    for folder, child in itertools.pairwise(chain):
        lists.append((folder, _read_patterns(folder)))
        for base, patterns in reversed(lists):
            path = os.path.relpath(child, base).replace(os.sep.encode(), b"/")
            match = patterns.find_match(path, True)
            if match is not None:
                if not match.negated:
                    return True
                break
    return False


def _read_patterns(folder: bytes) -> PatternList:
    try:
        with files.open_record(os.fsdecode(os.path.join(folder, b".gitignore"))) as handle:
            return PatternList(handle.read())
    except OSError:
        return PatternList(b"")


def _stamp(status: os.stat_result) -> str:
    if status.st_ctime_ns > time.time_ns() - FRESH:
        return f"fresh {time.time_ns()}"
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"

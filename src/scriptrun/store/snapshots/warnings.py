"""Warnings about a snapshot: it is large, or contains what looks like a key."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Sequence
from functools import cache

MANY_FILES = 2_000
MANY_BYTES = 300_000_000
_SECRET = (
    rb"(id_(rsa|dsa|ecdsa|ed25519)|.*\.(pem|ppk|p12|pfx|keystore|jks|kdbx)|.*_rsa|\.env(\..+)?"
    rb"|\.netrc|_netrc|\.pgpass|\.htpasswd|\.git-credentials|\.pypirc|\.npmrc|\.boto|kubeconfig"
    rb"|credentials(\.json|\.ya?ml)?|client_secrets?.*\.json|service[-_]?account.*\.json"
    rb"|secrets?\.(json|ya?ml|toml|ini|env)|(api|private|secret)[-_]?keys?(\.(txt|key|json))?"
    rb"|.*\.key)"
)
_HARMLESS = rb".*(example|sample|template|\.dist|cacert\.pem)"
_MAX_LISTED = 10
#: how many of the largest files and folders a warning names
_MOST_NAMED = 3
#: the share from which a part stands for the whole, and below which it is not worth naming
_MOST, _LEAST = 0.8, 0.01


def looks_secret(name: bytes) -> bool:
    """Whether ``name`` (the last part of a path) is typical of a key or password file."""
    secret, harmless = _expressions()
    return bool(secret.fullmatch(name)) and not harmless.fullmatch(name)


@cache
def _expressions() -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    return re.compile(_SECRET, re.IGNORECASE), re.compile(_HARMLESS, re.IGNORECASE)


def secret_like(paths: Iterable[bytes]) -> list[str]:
    """A warning for each path that looks like a key file, at most ten."""
    matches = [format_path(path) for path in paths if looks_secret(path.rpartition(b"/")[2])]
    warnings = [
        f"{path} looks like a key or password but is part of the snapshot; "
        "to exclude it, add it to .amlignore or .gitignore."
        for path in matches[:_MAX_LISTED]
    ]
    if len(matches) > _MAX_LISTED:
        warnings.append(f"{len(matches) - _MAX_LISTED} more files look like keys or passwords.")
    return warnings


def outside_links(links: list[bytes]) -> list[str]:
    """One warning for links to folders outside of the source."""
    if not links:
        return []
    return [
        f"{_join_paths(links)}: a link out of the source directory is kept as is, "
        "and its target is not part of the snapshot."
    ]


def special_files(paths: list[bytes]) -> list[str]:
    """One warning for sockets, pipes and devices."""
    if not paths:
        return []
    return [f"{_join_paths(paths)}: ignored, not a regular file (socket, pipe or device)."]


def _join_paths(paths: list[bytes]) -> str:
    suffix = f" and {len(paths) - _MAX_LISTED} more" if len(paths) > _MAX_LISTED else ""
    return ", ".join(map(format_path, paths[:_MAX_LISTED])) + suffix


class FolderTotals:
    """Sums sizes and file counts by folder, two levels deep, so that memory stays bounded."""

    def __init__(self) -> None:
        self.files = 0
        self.size = 0
        self._sums: dict[bytes, tuple[int, int]] = {}
        self._largest_files: dict[bytes, tuple[bytes, int]] = {}
        self._root_files: list[tuple[bytes, int]] = []
        self._root_size = 0
        self._root_count = 0

    def add(self, folder: bytes, sizes: Sequence[tuple[bytes, int]]) -> None:
        """Add the files directly in ``folder``: the name and the size of each."""
        count, size = len(sizes), sum(file_size for _, file_size in sizes)
        self.files += count
        self.size += size
        if not folder:
            self._root_count, self._root_size = count, size
            self._root_files = heapq.nsmallest(_MOST_NAMED, sizes, key=_largest_first)
        name, largest = min(sizes, key=_largest_first, default=(b"", 0))
        names = folder.split(b"/")[:2] if folder else []
        for depth in range(1, len(names) + 1):
            key = b"/".join(names[:depth])
            had_files, had_size = self._sums.get(key, (0, 0))
            self._sums[key] = (had_files + count, had_size + size)
            if largest > self._largest_files.get(key, (b"", 0))[1]:
                self._largest_files[key] = folder + b"/" + name, largest

    def warnings(self) -> list[str]:
        """One warning that names the largest files and folders if the snapshot is large."""
        if self.files <= MANY_FILES and self.size <= MANY_BYTES:
            return []
        largest = ", ".join(self._largest(by_size=self.size > MANY_BYTES))
        where = f"; largest: {largest}" if largest else ""
        return [
            f"The snapshot contains {_count_files(self.files)}, {format_size(self.size)}{where}. "
            "Use a .amlignore file (same rules as .gitignore) to exclude unneeded files."
        ]

    def _largest(self, by_size: bool) -> list[str]:
        """What makes up most of the snapshot, three entries at most."""
        entries = self._root_entries(by_size) + self._folder_entries(by_size)
        all_of_it = self.size if by_size else self.files
        entries.sort(key=lambda entry: (-entry[0], entry[1]))
        return [text for weight, text in entries[:_MOST_NAMED] if weight >= _LEAST * all_of_it]

    def _root_entries(self, by_size: bool) -> list[tuple[int, str]]:
        """The largest files at the root, or all of them as one entry if none stands out."""
        named_size = sum(size for _, size in self._root_files)
        if by_size and named_size > _MOST * self._root_size:
            return [
                (size, f"{format_path(name)} ({format_size(size)})")
                for name, size in self._root_files
            ]
        text = f"files outside of folders ({_amounts(self._root_count, self._root_size)})"
        return [(self._root_size if by_size else self._root_count, text)]

    def _folder_entries(self, by_size: bool) -> list[tuple[int, str]]:
        """The three largest folders, without those dominated by a single subfolder."""
        weight = {key: sums[1] if by_size else sums[0] for key, sums in self._sums.items()}
        dominated = {
            key.partition(b"/")[0]
            for key, total in weight.items()
            if b"/" in key and total > _MOST * weight[key.partition(b"/")[0]]
        }
        chosen: list[bytes] = []
        for key in sorted(weight, key=lambda key: (-weight[key], key)):
            if key not in dominated and key.partition(b"/")[0] not in chosen:
                chosen.append(key)
        return [(weight[key], self._describe(key, by_size)) for key in chosen[:_MOST_NAMED]]

    def _describe(self, key: bytes, by_size: bool) -> str:
        """The folder ``key``, and the one of its files that makes up most of its size."""
        count, size = self._sums[key]
        path, largest = self._largest_files.get(key, (b"", 0))
        stands_out = by_size and count > 1 and largest > _MOST * size
        file = f", most of it {format_path(path[len(key) + 1 :])}" if stands_out else ""
        return f"{format_path(key)}/ ({_amounts(count, size)}{file})"


def _largest_first(file: tuple[bytes, int]) -> tuple[int, bytes]:
    return -file[1], file[0]


def _amounts(files: int, size: int) -> str:
    return f"{_count_files(files)}, {format_size(size)}"


def _count_files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"


def format_size(size: int) -> str:
    """A number of bytes for people: ``1.5 MB`` (powers of 1,000, as the command line has it)."""
    number = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def format_path(path: bytes) -> str:
    """A path for messages: bytes that are not UTF-8 become backslash escapes."""
    return path.decode("utf-8", "backslashreplace")

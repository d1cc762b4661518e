"""Which runs used a built environment: one line per run, in a file beside its builds.

The file is for people only. When it grows too large, its older half is dropped.
"""

from __future__ import annotations

import json
import os

from scriptrun.runtime import events
from scriptrun.runtime.files import write_atomic

NAME = "runs.jsonl"
#: bytes above which the older half of the lines is dropped
LIMIT = 1 << 20


def note(place: str, folder: str | os.PathLike[str]) -> None:
    """Record that a run uses an environment; does nothing if the cache is not writable."""
    path = _file(os.path.dirname(place))
    line = json.dumps(os.fspath(folder)).encode() + b"\n"
    try:
        events.append(path, line)
        if os.path.getsize(path) > LIMIT:
            _shorten(path)
    except OSError:
        pass


def of(folder: str) -> list[str]:
    """The folders of the runs that used the builds in ``folder``, newest first."""
    try:
        with open(_file(folder), encoding="utf-8") as handle:
            lines = handle.read().splitlines()
    except OSError:
        return []
    folders = (json.loads(line) for line in reversed(lines) if line.endswith('"'))
    return list(dict.fromkeys(folders))


def _shorten(path: str) -> None:
    with open(path, "rb") as handle:
        lines = handle.readlines()
    write_atomic(path, b"".join(lines[len(lines) // 2 :]))


def _file(folder: str) -> str:
    return os.path.join(folder, NAME)

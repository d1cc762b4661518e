"""Which runs used a built environment: one line per run, in a file next to its builds.

The file is for people only. When it grows too large, its older half is dropped.
"""

from __future__ import annotations

import json
import os

from scriptrun.runtime import events
from scriptrun.runtime.files import open_record, parse_json, read_bytes, write_atomic

NAME = "runs.jsonl"
#: bytes above which the older half of the lines is dropped
LIMIT = 1 << 20


def record_run(environment_folder: str, run_folder: str | os.PathLike[str]) -> None:
    """Record that a run uses an environment; does nothing if the cache is not writable."""
    path = _record_path(os.path.dirname(environment_folder))
    line = json.dumps(os.fspath(run_folder)).encode() + b"\n"
    try:
        events.append(path, line)
        if os.path.getsize(path) > LIMIT:
            _shorten(path)
    except OSError:
        pass


def read_runs(key_folder: str) -> list[str]:
    """The folders of the runs that used the builds in ``key_folder``, newest first."""
    try:
        lines = (read_bytes(_record_path(key_folder)) or b"").splitlines()
    except OSError:
        return []
    values = map(parse_json, reversed(lines))
    return list(dict.fromkeys(value for value in values if isinstance(value, str)))


def _shorten(path: str) -> None:
    with open_record(path) as handle:
        lines = handle.readlines()
    write_atomic(path, b"".join(lines[len(lines) // 2 :]), durable=False)


def _record_path(folder: str) -> str:
    return os.path.join(folder, NAME)

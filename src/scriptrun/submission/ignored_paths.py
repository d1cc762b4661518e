"""Warnings about paths that a job is given and that the ignore rules leave out of its snapshot."""

from __future__ import annotations

import os
import re
from pathlib import Path

from scriptrun.submission import entry_files, import_warnings, script_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scriptrun.spec.job import JobSpec

#: in the name of an option: the job writes there
_WRITTEN = r"out|save|dest|result|log|check|ckpt|cache|te?mp|export|write"


def warnings(job: JobSpec) -> list[str]:
    """A warning for each argument, or word of the command, that names an ignored path."""
    if not job.snapshot:
        return []
    source = Path(job.source_directory)
    entries = entry_files.entry_files(source, job.script, job.command)
    words = job.arguments if job.script else _words(job.command or "")
    messages = [*_messages(source, "the job is given", entries, _read_paths(words))]
    for entry in entries:
        names = script_paths.read_files(import_warnings.content(source / entry))
        messages += _messages(source, f"{entry} reads", entries, names)
    return messages


def _messages(source: Path, who: str, entries: list[str], names: Iterable[str]) -> Iterator[str]:
    for name in dict.fromkeys(names):
        path = os.path.normpath(name).replace(os.sep, "/")
        if path not in entries and _is_below(source, path):
            reason = entry_files.why_ignored(source, path)
            if reason is not None:
                yield f"{who} {name!r}, which is not in the snapshot: {reason}"


def _words(command: str) -> list[str]:
    import shlex

    try:
        return shlex.split(command)
    except ValueError:
        return []  # an open quote: the shell says so


def _read_paths(words: tuple[str, ...] | list[str]) -> Iterator[str]:
    """The words, and values of options, that may be paths which the job reads."""
    option = ""
    for word in words:
        if word.startswith("-"):
            option, _, value = word.partition("=")
        else:
            value = word
        if value and not re.search(_WRITTEN, option, re.IGNORECASE):
            yield value
        option = "" if value else option


def _is_below(source: Path, path: str) -> bool:
    is_inside = path not in (".", "..") and not path.startswith(("/", "../"))
    return is_inside and os.path.exists(os.path.join(source, path))

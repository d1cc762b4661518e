"""Preserve the comments of a conda environment file when its content is rewritten.

A comment belongs to the line that it is on or before: that of a package stays with the package
when its version changes, and is removed with the package.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from scriptrun.config import yaml_text
from scriptrun.config.environments.requirements import split_name
from scriptrun.spec.errors import UserErrorException

#: identifies a line: its section, its list in that section ("pip"), and its name
Key = tuple[str, str, str]
_COMMENT = re.compile(r"(.*?)\s+(#.*)")


def carried(source: str, text: str) -> str:
    """Add the comments of ``source`` to the lines of ``text`` that both have.

    Both are conda environment files. ``text`` is returned unchanged if its YAML value would change.
    """
    before, beside, last = _comments(source)
    lines = []
    for key, line in _lines(text):
        indent = line[: len(line) - len(line.lstrip())]
        lines += [indent + each for each in before.pop(key, ())]
        note = beside.pop(key, "")
        lines.append(f"{line}  {note}" if note else line)
    made = "".join(f"{line}\n" for line in [*lines, *last])
    try:
        same = yaml_text.load(made, "") == yaml_text.load(text, "")
    except UserErrorException:
        same = False  # a comment is not allowed there, e.g. in a multi-line string
    return made if same else text


def _comments(source: str) -> tuple[dict[Key, list[str]], dict[Key, str], list[str]]:
    """The comments before a line and on it, by the line's key, and those at the end."""
    before: dict[Key, list[str]] = {}
    beside: dict[Key, str] = {}
    waiting: list[str] = []
    for key, line in _lines(source):
        if line.lstrip().startswith("#"):
            waiting.append(line.strip())
            continue
        if waiting:
            before.setdefault(key, waiting)
            waiting = []
        note = _split(line.strip())[1]
        if note:
            beside.setdefault(key, note)
    return before, beside, waiting


def _lines(text: str) -> Iterator[tuple[Key, str]]:
    """The non-empty lines with their keys; the key of a comment line has no meaning."""
    section, below, inner = "", "", 0
    for line in text.splitlines():
        body = _split(line.strip())[0]
        if not body or body == "---":
            continue
        indent = len(line) - len(line.lstrip())
        if not body.startswith(("#", "-")) and not indent:
            section, below = body.partition(":")[0], ""
        if below and not body.startswith("#") and indent <= inner:
            below = ""
        yield (section, below, _name(body)), line
        if body.startswith("- ") and body.endswith(":"):
            below, inner = body[2:-1].strip(), indent


def _name(body: str) -> str:
    """The package of an item, else the item; the key of a mapping."""
    if not body.startswith("- "):
        return body.partition(":")[0]
    item = body[2:].strip().strip("'\"")
    name = split_name(item.rpartition("::")[2])[0].lower()
    return name if name and "/" not in item else item


def _split(line: str) -> tuple[str, str]:
    """Split a line into its content and its comment; a ``#`` within quotes starts no comment."""
    found = _COMMENT.fullmatch(line)
    if found is None or found[1].count("'") % 2 or found[1].count('"') % 2:
        return line, ""
    return found[1], found[2]

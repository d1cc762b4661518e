"""The comments of a conda environment file, kept when its content is written again.

A comment belongs to the line that it stands on or before: that of a package stays with the package,
whatever its version becomes, and goes when the package goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from scriptrun.config import yaml_text
from scriptrun.config.environments.requirements import split_name
from scriptrun.spec.errors import UserErrorException

#: what a line is of: its section, its list in that ("pip"), and its own name
Key = tuple[str, str, str]
_COMMENT = re.compile(r"(.*?)\s+(#.*)")


def carried(source: str, text: str) -> str:
    """``text`` with the comments of ``source``, where both have the line; else ``text`` as it is.

    Both are conda environment files; what YAML reads in ``text`` never changes.
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
        same = False  # a comment that cannot stand there, as in a text of several lines
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
    """The lines that are not empty, each with its key; that of a comment says nothing."""
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
    """What stands before a comment, and the comment; a ``#`` within quotes begins none."""
    found = _COMMENT.fullmatch(line)
    if found is None or found[1].count("'") % 2 or found[1].count('"') % 2:
        return line, ""
    return found[1], found[2]

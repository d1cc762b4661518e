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
_COMMENT = re.compile(r"\s#")


def with_comments(source: str, text: str) -> str:
    """Add the comments of ``source`` to the lines of ``text`` that both have.

    Both are conda environment files. ``text`` is returned unchanged if its YAML value would change.
    """
    before, inline, trailing = _comments(source)
    lines = []
    for key, line in _keyed_lines(text):
        indent = line[: len(line) - len(line.lstrip())]
        lines += [indent + preceding for preceding in before.pop(key, ())]
        comment = inline.pop(key, "")
        lines.append(f"{line}  {comment}" if comment else line)
    result = "".join(f"{line}\n" for line in [*lines, *trailing])
    try:
        is_equal = yaml_text.load(result, "") == yaml_text.load(text, "")
    except UserErrorException:
        is_equal = False  # a comment is not allowed there, e.g. in a multi-line string
    return result if is_equal else text


def _comments(source: str) -> tuple[dict[Key, list[str]], dict[Key, str], list[str]]:
    """The comments before a line and on it, by the line's key, and those at the end."""
    before: dict[Key, list[str]] = {}
    inline: dict[Key, str] = {}
    pending: list[str] = []
    for key, line in _keyed_lines(source):
        if line.lstrip().startswith("#"):
            pending.append(line.strip())
            continue
        if pending:
            before.setdefault(key, pending)
            pending = []
        comment = _split_comment(line.strip())[1]
        if comment:
            inline.setdefault(key, comment)
    return before, inline, pending


def _keyed_lines(text: str) -> Iterator[tuple[Key, str]]:
    """The non-empty lines with their keys; the key of a comment line has no meaning."""
    section, subsection, subsection_indent = "", "", 0
    for line in text.splitlines():
        body = _split_comment(line.strip())[0]
        if not body or body == "---":
            continue
        indent = len(line) - len(line.lstrip())
        if not body.startswith(("#", "-")) and not indent:
            section, subsection = body.partition(":")[0], ""
        if subsection and not body.startswith("#") and indent <= subsection_indent:
            subsection = ""
        yield (section, subsection, _item_name(body)), line
        if body.startswith("- ") and body.endswith(":"):
            subsection, subsection_indent = body[2:-1].strip(), indent


def _item_name(body: str) -> str:
    """The package of an item, else the item; the key of a mapping."""
    if not body.startswith("- "):
        return body.partition(":")[0]
    item = body[2:].strip().strip("'\"")
    name = split_name(item.rpartition("::")[2])[0].lower()
    return name if name and "/" not in item else item


def _split_comment(line: str) -> tuple[str, str]:
    """Split a line into its content and its comment; a ``#`` within quotes starts no comment."""
    match = _COMMENT.search(line)
    if match is None:
        return line, ""
    content, comment = line[: match.start()].rstrip(), line[match.start() + 1 :]
    if content.count("'") % 2 or content.count('"') % 2:
        return line, ""
    return content, comment

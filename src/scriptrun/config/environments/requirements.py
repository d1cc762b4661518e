"""Requirement lines: their names and options."""

from __future__ import annotations

EDITABLE = ("-e", "--editable")


def split_name(text: str, marks: str = "._-") -> tuple[str, str]:
    """The letters, digits and ``marks`` that ``text`` begins with, and the rest.

    (Compiling regular expressions would slow down every submission.)
    """
    text = text.strip()
    end = next((i for i, c in enumerate(text) if not (c.isalnum() or c in marks)), len(text))
    return text[:end], text[end:].strip()


def requirement_name(line: str) -> str:
    """The distribution's name, normalized as in PEP 503, or the whole line for a URL or path."""
    name, rest = split_name(line)
    if not name[:1].isalnum() or rest.startswith(("/", ":", "\\", "+")):
        return line.strip()
    return "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))


def is_option(line: str) -> bool:
    """Whether ``line`` is a pip option and not a requirement (``-e ...`` is a requirement)."""
    return line.lstrip().startswith("-") and split_option(line)[0] not in EDITABLE


def split_option(line: str) -> tuple[str, str]:
    """An option's name and value: ``--index-url=X`` and ``--index-url X`` give the same."""
    line = line.strip()
    if not line.startswith("--"):
        return line[:2], line[2:].lstrip(" =")
    name, rest = split_name(line, "-")
    return name, rest.removeprefix("=").strip()

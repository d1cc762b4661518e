"""Notebooks: read their code cells and write changed cells back.

A notebook is JSON (nbformat). Only the ``source`` of a changed cell is rewritten, in the style of
the file; every other byte stays.
"""

from __future__ import annotations

import json
import json.decoder
import re
from collections.abc import Callable
from typing import NamedTuple

from scriptrun.dropin.notebook import syntax
from scriptrun.migration.code.edits import Edit, apply
from scriptrun.migration.estimators.call import CannotRewrite
from scriptrun.store import json_reader
from scriptrun.store.document_limits import DATA

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
#: reads a string, and says where it ends; typeshed lacks it
_scan_string: Callable[[str, int, bool], tuple[str, int]] = vars(json.decoder)["scanstring"]


class NotebookCell(NamedTuple):
    """A code cell: the offsets of its JSON source, whether that is a list, and its text."""

    start: int
    end: int
    is_list: bool
    text: str


def cells(content: str) -> list[NotebookCell]:
    """The code cells of the notebook. Raises CannotRewrite if ``content`` is not a notebook."""
    try:
        notebook = json_reader.parse(content, DATA)
        if not isinstance(notebook, dict):
            raise CannotRewrite("not a notebook: expected an object")
        kind = notebook.get("metadata", {}).get("kernelspec", {}).get("language", "python")
        if "cells" not in notebook:
            raise CannotRewrite(
                "unsupported notebook format", "Run: jupyter nbconvert --to notebook"
            )
        if str(kind).lower() not in ("python", "python3", ""):
            raise CannotRewrite(f"it is a {kind} notebook")
        code_cells = []
        cells_offset = _members(content, _skip_space(content, 0)).get("cells")
        for offset in _item_offsets(content, cells_offset):
            members = _members(content, offset)
            kind, source = members.get("cell_type"), members.get("source")
            if source is not None and _read_value(content, kind) == "code":
                code_cells.append(_read_cell(content, source))
        return code_cells
    except (ValueError, AttributeError, TypeError, RecursionError, StopIteration) as error:
        raise CannotRewrite(f"not a notebook: {error}") from None


def _read_cell(content: str, offset: int) -> NotebookCell:
    value, end = _DECODER.raw_decode(content, offset)
    return NotebookCell(offset, end, isinstance(value, list), "".join(value))


def _skip_space(content: str, offset: int) -> int:
    found = _SPACE.match(content, offset)
    return found.end() if found else offset


def _read_value(content: str, offset: int | None) -> object:
    return None if offset is None else _DECODER.raw_decode(content, offset)[0]


def _members(content: str, offset: int) -> dict[str, int]:
    """The offset of each value in the JSON object at ``offset``, by its name."""
    offset = _skip_space(content, offset + 1)
    offsets: dict[str, int] = {}
    while content[offset] == '"':
        key, offset = _scan_string(content, offset + 1, True)
        offset = _skip_space(content, _skip_space(content, offset) + 1)
        offsets[key] = offset
        offset = _skip_space(content, _DECODER.raw_decode(content, offset)[1])
        if content[offset] == ",":
            offset = _skip_space(content, offset + 1)
    return offsets


def _item_offsets(content: str, offset: int | None) -> list[int]:
    """The offsets of the items of the JSON list at ``offset``."""
    if offset is None or content[offset] != "[":
        raise ValueError("it has no list of cells")
    offset, offsets = _skip_space(content, offset + 1), []
    while content[offset] != "]":
        offsets.append(offset)
        offset = _skip_space(content, _DECODER.raw_decode(content, offset)[1])
        if content[offset] == ",":
            offset = _skip_space(content, offset + 1)
    return offsets


def with_cells(content: str, old_cells: list[NotebookCell], texts: list[str]) -> str:
    """The notebook with new texts in its code cells."""
    ascii_only = content.isascii()
    edits = [
        Edit(cell.start, cell.end, _encode_source(content, cell, text, ascii_only))
        for cell, text in zip(old_cells, texts, strict=True)
        if text != cell.text
    ]
    return apply(content, edits)


def _encode_source(content: str, cell: NotebookCell, text: str, ascii_only: bool) -> str:
    if not cell.is_list:
        return json.dumps(text, ensure_ascii=ascii_only)
    if not text:
        return "[]"
    raw = content[cell.start : cell.end]
    opening, closing = _SPACE.match(raw, 1), re.search(r"[ \t\r\n]*\]$", raw)
    assert opening is not None and closing is not None
    separator = opening[0] or (" " if "\n" not in raw else "")
    lines = text.splitlines(keepends=True)
    joined = f",{separator}".join(json.dumps(line, ensure_ascii=ascii_only) for line in lines)
    return f"[{opening[0]}{joined}{closing[0][:-1]}]"


#: cell magics whose cell is another language or a file
_FOREIGN_MAGICS = (
    "bash sh script ! cmd system sx writefile file html javascript js latex markdown svg perl "
    "ruby R"
)
_FOREIGN = frozenset(_FOREIGN_MAGICS.split())
_SHELL = re.compile(r"^[ \t]*(?:[A-Za-z_][\w, ]*=[ \t]*)?(?:!|%(?:pip|conda|cd|env|matplotlib)\b)")
_INTERPOLATION = re.compile(r"\{([^}]*)\}|\$(\w+)")
_WORD = re.compile(r"[A-Za-z_]\w*")


def hidden_names(source: str, masked_text: str) -> set[str]:
    """The names that the masked lines of ``source`` may use.

    In shell lines, these are the names that Jupyter interpolates: ``{...}`` and ``$name``.
    """
    magic = syntax.cell_magic(source.split("\n"))
    if magic is not None and magic.name in _FOREIGN:
        return set()
    names: set[str] = set()
    for line, masked_line in zip(source.split("\n"), masked_text.split("\n"), strict=True):
        code = syntax.timed_code(line)
        if line == masked_line or (code is not None and masked_line.endswith(code)):
            continue
        text = line
        if _SHELL.match(line):
            text = " ".join(f"{braced} {dollar}" for braced, dollar in _INTERPOLATION.findall(line))
        names.update(_WORD.findall(text))
    return names

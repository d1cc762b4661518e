"""Reads the code cells of a notebook.

A notebook is JSON (nbformat 3 or 4): ``cells``, each with ``cell_type`` and ``source``, a string or
a list of lines.
"""

from __future__ import annotations

from typing import NamedTuple

from scriptrun.spec.errors import UserErrorException
from scriptrun.store import document_limits, json_reader
from scriptrun.store.document_limits import DATA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: tags that nbclient knows: a cell that is not run, and a cell whose errors do not end the notebook
SKIP, MAY_RAISE = "skip-execution", "raises-exception"


class CodeCell(NamedTuple):
    """One code cell: its number among the code cells, from 1, its text and its tags."""

    number: int
    source: str
    tags: tuple[str, ...] = ()


def cells(path: str) -> list[CodeCell]:
    """Read the notebook's code cells. Raises UserErrorException if it is not a notebook."""
    try:
        content = json_reader.parse(document_limits.read_text(path, DATA), DATA)
        return _code_cells(content)
    except (OSError, ValueError) as error:
        raise UserErrorException(f"{str(path)!r} is not a notebook: {error}.") from None


def _code_cells(notebook: object) -> list[CodeCell]:
    """Raises ValueError if ``notebook`` has no cells."""
    if not isinstance(notebook, dict):
        raise ValueError("it has no cells")
    try:
        _check_language(notebook)
        raw_cells = notebook.get("cells")
        if raw_cells is None:  # nbformat 3
            raw_cells = [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
        code_cells = [cell for cell in raw_cells if cell.get("cell_type") == "code"]
        return [
            CodeCell(number, _text(cell), tuple((cell.get("metadata") or {}).get("tags") or ()))
            for number, cell in enumerate(code_cells, 1)
        ]
    except (AttributeError, LookupError, TypeError):
        raise ValueError("its cells are malformed") from None


def _text(cell: Json) -> str:
    source = cell["source"] if "source" in cell else cell.get("input", "")
    text = source if isinstance(source, str) else "".join(source)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _check_language(notebook: Json) -> None:
    metadata = notebook.get("metadata") or {}
    for section, key in (("kernelspec", "language"), ("language_info", "name")):
        language = (metadata.get(section) or {}).get(key) or "python"
        if not str(language).lower().startswith(("python", "ipython")):
            raise ValueError(f"its language is {language}, and only Python is run")

"""Reads the code cells of a notebook.

A notebook is JSON (nbformat 3 or 4): ``cells``, each with ``cell_type`` and ``source``, a string or
a list of lines.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from scriptrun.dropin.notebook import syntax
from scriptrun.spec.errors import UserErrorException
from scriptrun.store import document_limits, json_reader
from scriptrun.store.document_limits import DATA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from scriptrun.runtime.hints import Json

    T = TypeVar("T")

#: tags that nbclient knows: a cell that is not run, and a cell whose errors do not end the notebook
SKIP, MAY_RAISE = "skip-execution", "raises-exception"
#: kernels of other languages, which old notebooks name without their language
_OTHER_KERNELS = re.compile(r"(ir|julia|scala|spylon|octave|bash|javascript|deno)\b", re.IGNORECASE)
#: the first line of a cell of another language in Databricks
_DATABRICKS = re.compile(
    r"(?P<before>(?:[ \t]*(?:#.*)?\n)*)[ \t]*%(?P<name>md-sandbox|md|sql|sh|fs|scala|r|python)\b"
    r"(?!\s*=)[ \t]*(?P<rest>.*)"
)


class CodeCell(NamedTuple):
    """One code cell: its number among the code cells, from 1, its text and its tags."""

    number: int
    source: str
    tags: tuple[str, ...] = ()
    is_malformed: bool = False


def cells(path: str) -> list[CodeCell]:
    """Read the notebook's code cells. Raises UserErrorException if it is not a notebook."""
    return _read(path, _code_cells)


def readable_cells(path: str) -> list[CodeCell]:
    """As ``cells``, with malformed ones in their place, marked and without text."""
    return _read(path, _readable_cells)


def kernel_name(path: str) -> str:
    """The kernel that the notebook names, or "".

    Raises UserErrorException if it is not a notebook.
    """
    return _read(path, _kernel_name)


def _read(path: str, part_of: Callable[[object], T]) -> T:
    text = None
    try:
        text = document_limits.read_text(path, DATA)
        return part_of(json_reader.parse(text, DATA))
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    except (OSError, ValueError) as error:
        reason = "" if text is None else _why_not_json(text)
        reason = reason or str(error)
    raise UserErrorException(f"{str(path)!r} is not a Python notebook: {reason}.")


def notebook_of(words: list[str]) -> str:
    """The notebook that ``%run WORDS`` runs; "" if it is a script.

    Its name may lack ``.ipynb``, as in Databricks.
    """
    path = next((word for word in words if not word.startswith("-")), "")
    exists = any(os.path.isfile(name) for name in (path, f"{path}.py", os.path.expanduser(path)))
    if path.endswith(".ipynb"):
        return os.path.expanduser(path)
    return f"{path}.ipynb" if not exists and os.path.isfile(f"{path}.ipynb") else ""


def _why_not_json(text: str) -> str:
    """What the text is in place of JSON; "" if that is unknown."""
    if not text.strip():
        return "it is empty"
    if text.startswith("version https://git-lfs"):
        return "it is a pointer of Git LFS; to get its content, run: git lfs pull"
    if re.search(r"^<<<<<<< ", text, re.MULTILINE):
        return "it contains an unresolved merge conflict"
    if text.lstrip()[:1] == "<":
        return "it is a web page; download the raw file"
    return ""


def _code_cells(notebook: object) -> list[CodeCell]:
    """Raises ValueError if ``notebook`` has no cells."""
    if not isinstance(notebook, dict):
        raise ValueError("it has no cells")
    try:
        _check_language(notebook)
        code_cells = [cell for cell in _raw_cells(notebook) if cell.get("cell_type") == "code"]
        return [_code_cell(number, cell) for number, cell in enumerate(code_cells, 1)]
    except (AttributeError, LookupError, TypeError):
        raise ValueError("its cells are malformed") from None


def _raw_cells(notebook: Json) -> list[Json]:
    raw_cells: list[Json] | None = notebook.get("cells")
    if raw_cells is None:  # nbformat 3
        raw_cells = [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
    return raw_cells


def _code_cell(number: int, cell: Json) -> CodeCell:
    tags = (cell.get("metadata") or {}).get("tags") or ()
    return CodeCell(number, _text(cell), tuple(tags))


def _readable_cells(notebook: object) -> list[CodeCell]:
    """Raises ValueError if ``notebook`` has no cells."""
    try:
        return _code_cells(notebook)
    except ValueError:
        if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
            raise
    _check_language({"metadata": _dict_of(notebook.get("metadata"))})
    readable = list[CodeCell]()
    for cell in notebook["cells"]:
        if not isinstance(cell, dict) or cell.get("cell_type") == "code":
            readable.append(_readable_cell(len(readable) + 1, cell))
    return readable


def _readable_cell(number: int, cell: Json) -> CodeCell:
    try:
        return _code_cell(number, cell)
    except (AttributeError, LookupError, TypeError):
        return CodeCell(number, "", is_malformed=True)


def _dict_of(value: object) -> dict[str, object]:
    """The dicts in ``value``, a dict; an empty one for anything else."""
    if not isinstance(value, dict):
        return {}
    return {key: part for key, part in value.items() if isinstance(part, dict)}


def _kernel_name(notebook: object) -> str:
    """Raises ValueError as ``_code_cells`` does."""
    _code_cells(notebook)
    metadata = (notebook.get("metadata") or {}) if isinstance(notebook, dict) else {}
    return str((metadata.get("kernelspec") or {}).get("name") or "")


def _text(cell: Json) -> str:
    source = cell["source"] if "source" in cell else cell.get("input", "")
    text = source if isinstance(source, str) else "".join(source)
    return _without_databricks(text.replace("\r\n", "\n").replace("\r", "\n"))


def _without_databricks(text: str) -> str:
    """The cell with IPython's magic for that of Databricks (``%sh``, ``%sql``, ``%md``)."""
    match = _DATABRICKS.match(text)
    if match is None or (match["name"] == "sql" and syntax.mask(text)[1]):
        return text
    name, rest, body = match["name"], match["rest"], text[match.end() :]
    if name == "python":
        return f"{match['before']}{rest}{body}"
    if name == "sh":
        rest = f"\n{rest}" if rest else ""
    return f"{match['before']}%%{name} {rest}{body}"


def _check_language(notebook: Json) -> None:
    metadata = notebook.get("metadata") or {}
    kernel, language = metadata.get("kernelspec") or {}, metadata.get("language_info") or {}
    named = [kernel.get("language"), language.get("name")]
    if not any(named) and _OTHER_KERNELS.match(str(kernel.get("name"))):
        named = [kernel.get("display_name") or kernel["name"]]
    for name in filter(None, named):
        if not str(name).lower().startswith(("python", "ipython")):
            raise ValueError(f"its language is {name}, and only Python is run")

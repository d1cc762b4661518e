"""CSV, with text that a spreadsheet would run as a formula marked as text.

See https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence


def as_csv(
    names: Sequence[str],
    rows: Iterable[Mapping[str, object]],
    as_text: Callable[[object], object] = str,
    line_end: str = "\n",
) -> str:
    """``rows`` as CSV with the columns ``names``; ``as_text`` formats lists and dicts."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, extrasaction="ignore", lineterminator=line_end)
    writer.writerow({name: cell(name, as_text) for name in names})
    for row in rows:
        writer.writerow({name: cell(value, as_text) for name, value in row.items()})
    return buffer.getvalue()


def cell(value: object, as_text: Callable[[object], object]) -> object:
    """``value`` for a CSV file; text that a spreadsheet would run as a formula gets a ``'``."""
    text = as_text(value) if isinstance(value, list | dict) else value
    is_formula = isinstance(text, str) and text.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    is_harmless = is_formula and (_is_number(text) or _OPTIONS.fullmatch(str(text)))
    return f"'{text}" if is_formula and not is_harmless else text


#: options such as ``--learning-rate 0.1``, which call nothing
_OPTIONS = re.compile(r"--?[^\W\d][\w .,:/=-]*")


def _is_number(text: object) -> bool:
    try:
        float(str(text))
    except ValueError:
        return False
    return True

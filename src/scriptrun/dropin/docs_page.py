"""Writes the table of docs/reference/dropin.md from ``api_table``.

``python -m scriptrun.dropin.docs_page docs/reference/dropin.md`` updates the page.
"""

from __future__ import annotations

import sys
from pathlib import Path

from scriptrun.dropin import api_table

BEGIN, END = "<!-- begin of the table -->", "<!-- end of the table -->"


def table() -> str:
    """Return a row for each name of the SDK v1: its equivalent, or what to use instead."""
    rows = ["| name | support | scriptrun equivalent, or what to do |", "| --- | --- | --- |"]
    for module in sorted(api_table.PROVIDED):
        rows += [
            f"| `{module}.{name}` | works | `{source}.{actual}` |"
            for name, (source, actual) in sorted(api_table.provided(module).items())
            if not name.startswith("_")
        ]
        rows += [
            f"| `{module}.{name}` | not supported | {instead} |"
            for name, instead in sorted(api_table.LEFT_OUT.get(module, {}).items())
        ]
    for package, instead in sorted(api_table.LEFT_OUT_PACKAGES.items()):
        prefix = "all others of " if package in api_table.PROVIDED else ""
        rows.append(f"| {prefix}`{package}` | not supported | {instead} |")
    for method, instead in sorted(api_table.LEFT_OUT_METHODS.items()):
        rows.append(f"| `.{method}()` | not supported | {instead} |")
    return "\n".join(rows)


def with_table(page: str) -> str:
    """Return ``page`` with the table between its two markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_table(path.read_text("utf-8")), "utf-8")

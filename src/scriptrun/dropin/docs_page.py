"""Writes the tables of docs/reference/dropin.md from ``api_table``.

``python -m scriptrun.dropin.docs_page docs/reference/dropin.md`` updates the page.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scriptrun.dropin import api_table, finder
from scriptrun.spec import absent

BEGIN, END = "<!-- begin of the table -->", "<!-- end of the table -->"


def table() -> str:
    """Return the supported names by module, then the others with what to use instead."""
    supported = ["| module | names |", "| --- | --- |", *_supported()]
    others = ["| name | what to do instead |", "| --- | --- |", *_unsupported()]
    return "\n".join(
        ["### Supported names", "", *supported, "", "### Unsupported names", "", *others]
    )


def _supported() -> Iterator[str]:
    """Yield a row for each module; modules that have the same names share one."""
    modules: dict[tuple[str, ...], list[str]] = {}
    for module in sorted(api_table.PROVIDED):
        names = sorted(name for name in api_table.provided(module) if not name.startswith("_"))
        if names:
            modules.setdefault(tuple(names), []).append(module)
    for shared, group in modules.items():
        yield f"| {_code(group)} | {_code(shared)} |"


def _unsupported() -> Iterator[str]:
    """Yield a row for each piece of advice, with the names that it is for."""
    names: dict[str, list[str]] = {}
    for module in sorted(api_table.PROVIDED):
        for name, instead in sorted(api_table.LEFT_OUT.get(module, {}).items()):
            names.setdefault(instead, []).append(f"`{module}.{name}`")
    for package, instead in sorted(api_table.LEFT_OUT_PACKAGES.items()):
        prefix = "everything else in " if package in api_table.PROVIDED else ""
        names.setdefault(instead, []).append(f"{prefix}`{package}`")
    for method, instead in sorted(api_table.LEFT_OUT_METHODS.items()):
        names.setdefault(instead, []).append(f"`.{method}()`")
    for member, instead in sorted(_absent_members()):
        names.setdefault(instead, []).append(f"`{member}`")
    for instead, group in names.items():
        yield f"| {', '.join(group)} | {instead} |"


def _absent_members() -> Iterator[tuple[str, str]]:
    """Yield each method and property that a class refuses (``spec.absent``), and its advice."""
    finder.enable()
    found = set[tuple[str, str]]()
    for module, sources in api_table.PROVIDED.items():
        for name in " ".join(sources.values()).split():
            public_name = name.partition("=")[0]
            value = getattr(importlib.import_module(module), public_name)
            if isinstance(value, type):
                found.update(_absent_of(public_name, value))
    yield from found


def _absent_of(name: str, owner: type) -> Iterator[tuple[str, str]]:
    for member in dir(owner):
        text = str(inspect.getattr_static(owner, member).__doc__ or "")
        if text.startswith(absent.MARK):
            yield f"{name}.{member}", text.removeprefix(absent.MARK)


def _code(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def with_table(page: str) -> str:
    """Return ``page`` with the tables between its two markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_table(path.read_text("utf-8")), "utf-8")

"""Fills the generated parts of a page of documentation, or compares them.

Each stands between two comments: ``<!-- generated: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_BLOCK = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)

#: what writes each part, by its name
Blocks = Mapping[str, Callable[[], str]]


def update(page: Path, blocks: Blocks, words: Sequence[str]) -> int:
    """Write the page; with --check write nothing, and return 1 if it would change."""
    old = page.read_text("utf-8")
    new = _BLOCK.sub(lambda found: f"{found[1]}{blocks[found[2]]()}{found[3]}", old)
    if "--check" not in words:
        page.write_text(new, "utf-8")
    elif new != old:
        script = Path(sys.argv[0]).name
        print(f"{page} is out of date; run: python tools/{script}", file=sys.stderr)
        return 1
    return 0


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)

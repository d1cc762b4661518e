"""The SDK's observed behaviours, line by line, and where each is held: a test, or a difference."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DIFFERENCES = (ROOT / "docs" / "explanation" / "differences.md").read_text("utf-8")


def not_held(lines: dict[str, tuple[str, ...]], space: dict[str, object]) -> list[str]:
    """The lines of the table that name a test or a difference that is not there.

    A test is named as in ``space`` (a module's names) or as ``file.py::test``; a difference is a
    text that differences.md holds, after ``differs: ``.
    """
    return [
        f"{line}: {place}"
        for line, places in lines.items()
        for place in places
        if not _is_there(place, space)
    ]


def _is_there(place: str, space: dict[str, object]) -> bool:
    if place.startswith("differs: "):
        return place.removeprefix("differs: ") in DIFFERENCES
    file, _, test = place.rpartition("::")
    if not file:
        return callable(space.get(place))
    return any(f"def {test}(" in path.read_text("utf-8") for path in ROOT.glob(f"tests/**/{file}"))

"""conda's own settings: the user's ``.condarc``, or the file that CONDARC names."""

from __future__ import annotations

import os

from scriptrun.store import document_limits, yaml_reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


def settings() -> Json:
    """The contents of the file; {} if it is missing or unreadable."""
    home = os.path.expanduser("~")
    if "CONDARC" in os.environ:
        return _read(os.environ["CONDARC"])
    for path in (
        os.path.join(home, ".condarc"),
        os.path.join(home, ".conda", "condarc"),
        os.path.join(home, ".config", "conda", "condarc"),
    ):
        if os.path.isfile(path):
            return _read(path)
    return {}


def as_list(value: object) -> list[str]:
    """A setting that is a list, as strings; [] for any other value."""
    return [str(item) for item in value] if isinstance(value, list) else []


def _read(path: str) -> Json:
    try:
        text = document_limits.read_text(path)
        content = yaml_reader.parse(os.path.expandvars(text), keep_text=True)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}

"""Read a record file (JSON), or say what is wrong with it.

A missing file is not a record; anything else that cannot be read is a `DamagedRecord`, which names
the file and the field.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from scriptrun.runtime import files
from scriptrun.spec import field_types
from scriptrun.spec.errors import UserErrorException, WorkspaceException
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    from scriptrun.runtime.hints import Json

    T = TypeVar("T")
    K = TypeVar("K")


_BLANKS = b"\0 \r\n\t"


class DamagedRecord(WorkspaceException):
    """A record file that exists and cannot be read.

    ``problem`` is a sentence without its full stop; ``rest`` is what follows the path in it.
    """

    def __init__(self, path: Path, rest: str, hint: str = "") -> None:
        self.path, self.problem = path, f"{path}{rest}"
        super().__init__(f"{self.problem}.", hint or "Restore the file from a backup.")


def read(path: Path, make: Callable[[Json], T]) -> T | None:
    """What ``make`` builds of the object in ``path``; None if the file does not exist.

    Raises DamagedRecord for a file that is not an object, or if ``make`` rejects it.
    """
    value = files.read_object(path)
    if value is None:
        if not os.path.lexists(path):
            return None
        raise DamagedRecord(path, f" {problem(path)}")
    try:
        return make(value)
    except (ValueError, TypeError, KeyError, AttributeError, LookupError, RecursionError) as error:
        raise DamagedRecord(path, f" {_describe(error)}") from None


class Shape(Value):
    """The types of a record's fields that readers rely on, and which of them it must have."""

    types: dict[str, str] = fresh(default_factory=dict)
    required: tuple[str, ...] = ()

    def check(self, path: Path, value: Json, is_whole: bool = True) -> Json:
        """Return ``value``, read from ``path``. Raises DamagedRecord if it has another shape.

        Without ``is_whole``, ``value`` may lack required fields.
        """
        try:
            field_types.check(self.types, value)
            for name in self.required if is_whole else ():
                value[name]
        except (ValueError, KeyError) as error:
            raise DamagedRecord(path, f" {_describe(error)}", _FIX) from None
        return value


_FIX = "Fix the file, or remove it."


def readable(keys: Iterable[K], read: Callable[[K], T]) -> Iterator[T]:
    """What ``read`` returns for each of ``keys``; what it refuses is named on stderr instead."""
    for key in keys:
        try:
            value = read(key)
        except UserErrorException as error:
            print(f"scriptrun: skipped: {error.message}", file=sys.stderr)
            continue
        yield value


def is_blank(path: Path) -> bool:
    """Whether ``path`` is a file that holds nothing, or only blanks or NULs."""
    data = files.read_bytes(path)
    return data is not None and not data.strip(_BLANKS)


def problem(path: Path) -> str:
    """Why ``path`` is not a JSON object: the rest of a sentence that begins with the path."""
    try:
        data = files.read_bytes(path)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if data is None:
        if path.is_symlink() and not path.exists():
            return "is a broken symbolic link"
        return "is a folder, not a file" if path.is_dir() else "is a pipe or a device, not a file"
    if not data.strip(_BLANKS):
        return "is damaged: it is empty" if not data else "is damaged: it holds only blanks or NULs"
    value = files.parse_json(data)
    if value is None:
        return "is damaged: it is not valid JSON"
    return f"is damaged: expected an object, not {_kind(value)}"


def _describe(error: Exception) -> str:
    if isinstance(error, ValueError) and error.args:
        return f"is damaged: {error}"
    if isinstance(error, KeyError) and error.args:
        return f"is damaged: the field {error.args[0]!r} is missing"
    return f"is damaged: a field has the wrong type ({error})"


def _kind(value: object) -> str:
    return "a list" if isinstance(value, list) else f"the value {str(value)[:40]!r}"

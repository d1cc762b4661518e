"""Types for the runtime's annotations, for readers and type checkers only; never imported.

Annotations in the runtime are quoted, and their imports are below ``TYPE_CHECKING``, so that
starting a job loads neither ``typing`` nor ``__future__``, on Python 3.6 too.
"""

from os import PathLike
from typing import Any, Dict, Protocol, TypedDict, Union

#: a JSON object
Json = Dict[str, Any]
#: a path as a string or path object
StrPath = Union[str, "PathLike[str]"]
#: a single value in a line of metrics
Scalar = Union[int, float, str, None]


class Readable(Protocol):
    """An open stream: text or bytes."""

    def read(self, size: int, /) -> Union[str, bytes]:
        """Read at most ``size`` bytes or characters; empty at the end."""
        ...


#: what a script can store as an artifact
Source = Union[StrPath, Readable]


class Usage(TypedDict):
    """Resource usage of processes: CPU seconds and kilobytes of memory."""

    user_seconds: float
    system_seconds: float
    peak_memory_kb: int

"""The types that annotations of the runtime name: for readers and type checkers, loaded by nobody.

Annotations here are quoted, and what only they need is imported below ``TYPE_CHECKING``: a job's
start loads neither ``typing`` nor ``__future__``, and the files that run on Python 3.6 are no
exception.
"""

from os import PathLike
from typing import Any, Dict, Protocol, TypedDict, Union

#: a JSON object, as it was read or is to be written
Json = Dict[str, Any]
#: a path, however the caller has it
Place = Union[str, "PathLike[str]"]
#: what a line of metrics keeps of a value that is no list and no dict
Scalar = Union[int, float, str, None]


class Readable(Protocol):
    """An open stream: text or bytes."""

    def read(self, size: int, /) -> Union[str, bytes]:
        """At most ``size`` more of it; empty at its end."""
        ...


#: what a script may have kept as an artifact
Source = Union[Place, Readable]


class Usage(TypedDict):
    """What processes have used: seconds of the CPU, and kilobytes of memory."""

    user_seconds: float
    system_seconds: float
    peak_memory_kb: int

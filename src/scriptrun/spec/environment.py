"""What a job asks of its environment, as a value: the request, never the lock."""

from __future__ import annotations

from scriptrun.spec.digests import digest_of
from scriptrun.spec.values import Value, fresh, names_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: kinds of environment: an interpreter that is there, or packages to be built into one of our own
INTERPRETER = "interpreter"
PACKAGES = "packages"
#: a container's image: one that is there, or one that is built
IMAGE = "image"
#: packages of conda's channels, pip's on top, in a prefix of our own
CONDA = "conda"

#: what becomes of pins that can't be had: refused, or relaxed where they must be
EXACT, RELAX, AUTO = "exact", "relax", "auto"


class EnvironmentSpec(Value):
    """One environment request.

    ``kind`` is INTERPRETER (``interpreter`` is the path or name of an existing Python; nothing is
    installed) or PACKAGES (``python`` is a version such as "3.8" or None for "any", ``pip`` holds
    requirement lines, ``pip_options`` lines such as ``--index-url ...``, ``conda`` conda specs).
    CONDA is the same with the packages of ``conda`` taken from ``channels`` (names or addresses).
    IMAGE is a container: ``image``, or what ``docker`` says it is built from, and packages on top.
    ``pins`` is EXACT (what cannot be had is refused), RELAX or AUTO (it is relaxed as little as the
    resolver allows; AUTO is what old code gets by itself). ``local`` holds the digests of
    requirements that are directories or files of this machine, by their path. ``image`` holds the
    container image that was asked for and ``container`` whether a container is wanted at all.
    ``uv`` is a table as ``[tool.uv]`` of pyproject.toml has it: sources, indexes, constraints.
    ``locked``, of a project that is locked already, has by conda's name of each platform its
    ``conda`` records and ``pip`` lines: nothing is resolved then.
    ``name``, ``version`` and ``notes`` are for people and do not count as content.
    """

    kind: str = INTERPRETER
    name: str = ""
    version: str | None = None
    python: str | None = None
    interpreter: str | None = None
    pip: tuple[str, ...] = ()
    pip_options: tuple[str, ...] = ()
    conda: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    image: str | None = None
    container: bool = False
    docker: dict[str, Any] = fresh(default_factory=dict)
    pins: str = EXACT
    local: dict[str, str] = fresh(default_factory=dict)
    uv: dict[str, Any] = fresh(default_factory=dict)
    locked: dict[str, Any] = fresh(default_factory=dict)
    notes: tuple[str, ...] = ()

    def digest(self) -> str:
        """The request's digest: equal for equal content, whatever the name and version."""
        content = self.as_dict()
        for key in ("name", "version", "notes"):
            del content[key]
        for key in ("uv", "locked"):
            if not content[key]:
                del content[key]
        return digest_of(content)

    def to_dict(self) -> dict[str, Any]:
        """A JSON value; ``from_dict`` is the way back."""
        return self.as_dict()

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> EnvironmentSpec:
        """The request that ``to_dict`` wrote; unknown keys (a newer format) are ignored."""
        known = {name: data[name] for name in names_of(cls) if name in data}
        for name in ("pip", "pip_options", "conda", "channels", "notes"):
            if name in known:
                known[name] = tuple(known[name])
        return cls(**known)

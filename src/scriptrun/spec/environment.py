"""A job's environment as a value: the request, not the lockfile."""

from __future__ import annotations

from scriptrun.spec.digests import digest_of
from scriptrun.spec.values import Value, fresh, names_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: kinds of environment: an existing interpreter, or packages to install into a new one
INTERPRETER = "interpreter"
PACKAGES = "packages"
#: a container image: an existing one, or one to build
IMAGE = "image"
#: packages from conda channels, with pip packages on top, in a new prefix
CONDA = "conda"

#: how to treat unavailable pins: as an error, or relaxed as far as necessary
EXACT, RELAX, AUTO = "exact", "relax", "auto"


class EnvironmentSpec(Value):
    """One environment request.

    ``kind`` is INTERPRETER (``interpreter`` is the path or name of an existing Python; nothing is
    installed) or PACKAGES (``python`` is a version such as "3.8" or None for "any", ``pip`` holds
    requirement lines, ``pip_options`` lines such as ``--index-url ...``, ``conda`` conda specs).
    CONDA is the same with the packages of ``conda`` taken from ``channels`` (names or addresses).
    IMAGE is a container: ``image``, or one built from ``docker``, with packages on top.
    ``pins`` is EXACT (unavailable pins are errors), RELAX or AUTO (they are relaxed as little as
    possible; AUTO is the default for old code). ``local`` contains the digests of requirements
    that are local directories or files, by path. ``image`` is the requested container image and
    ``container`` whether a container is requested at all.
    ``uv`` is a table like ``[tool.uv]`` of pyproject.toml: sources, indexes, constraints.
    ``locked``, for a project with a lockfile, contains the ``conda`` records and ``pip`` lines by
    conda platform; then nothing is resolved.
    ``name``, ``version`` and ``notes`` are informational and not part of the content.
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
        """The digest of the content, independent of name, version and notes."""
        content = self.as_dict()
        for key in ("name", "version", "notes"):
            del content[key]
        for key in ("uv", "locked"):
            if not content[key]:
                del content[key]
        return digest_of(content)

    def to_dict(self) -> dict[str, Any]:
        """The request as a JSON value; the inverse of ``from_dict``."""
        return self.as_dict()

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> EnvironmentSpec:
        """The request that ``to_dict`` wrote; unknown keys (a newer format) are ignored."""
        fields = {name: data[name] for name in names_of(cls) if name in data}
        for name in ("pip", "pip_options", "conda", "channels", "notes"):
            if name in fields:
                fields[name] = tuple(fields[name])
        return cls(**fields)

"""A job's environment as a value: the request, not the lockfile."""

from __future__ import annotations

from scriptrun.spec.digests import digest_of
from scriptrun.spec.values import Value, as_list, as_object, fresh, nested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from scriptrun.runtime.hints import Json

#: kinds of environment: an existing interpreter, or packages to install into a new one
INTERPRETER = "interpreter"
PACKAGES = "packages"
#: a container image: an existing one, or one to build
IMAGE = "image"
#: packages from conda channels, with pip packages on top, in a new prefix
CONDA = "conda"

#: how to treat unavailable pins: as an error, or relaxed as far as necessary; AUTO is RELAX of old
#: code, whose jobs get the objects of the SDK v1
EXACT, RELAX, AUTO = "exact", "relax", "auto"

#: ``EnvironmentSpec.as_of``: what has no pin is resolved as of the newest pin's release
NEWEST_PIN = "newest pin"
#: packages that installs packages: they are always the newest
TOOLS = ("pip", "setuptools", "wheel")


def is_pin(as_of: str) -> bool:
    """Whether ``EnvironmentSpec.as_of`` is the day of a pin: "DAY PACKAGE==VERSION"."""
    return "==" in as_of


class BuildContext(Value):
    """What an image is built from: a folder (``type`` "local") or a git repository ("git")."""

    type: str = "local"
    path: str = ""
    dockerfile: str = "Dockerfile"


class ImageRegistry(Value):
    """The registry of an image and the user's name there; the password is a secret."""

    address: str | None = None
    username: str | None = None


class ImagePlatform(Value):
    """The platform of an image, as docker names it."""

    os: str | None = None
    architecture: str | None = None


class DockerOptions(Value):
    """How a container is made and started.

    ``own`` is whether the image is the user's choice. ``packages`` is CONDA if the packages on top
    come from conda channels; ``nodes`` is the container tool of the target's nodes, "" for this
    machine's.
    """

    own: bool = False
    shm_size: str | None = None
    shared_volumes: bool = True
    arguments: tuple[str, ...] = ()
    platform: ImagePlatform | None = None
    dockerfile: str | None = None
    build_context: BuildContext | None = None
    registry: ImageRegistry | None = None
    packages: str = ""
    nodes: str = ""

    @property
    def builds_image(self) -> bool:
        """Whether the image is built, from a Dockerfile or a build context."""
        return bool(self.dockerfile or self.build_context)

    def as_dict(self) -> Json:
        """As a JSON value: empty without a container, and without what is not set."""
        values = super().as_dict()
        if self == DockerOptions():
            return {}
        return {name: value for name, value in values.items() if name in _WRITTEN or value}

    @classmethod
    def from_dict(cls, data: Json) -> Self:
        """The options that ``as_dict`` wrote."""
        options = super().from_dict(data)
        return options.replace(
            arguments=tuple(options.arguments),
            platform=nested(ImagePlatform, data.get("platform")),
            build_context=nested(BuildContext, data.get("build_context")),
            registry=nested(ImageRegistry, data.get("registry")),
        )


#: the options that are written with their defaults, too
_WRITTEN = ("own", "shm_size", "shared_volumes", "arguments")


class EnvironmentSpec(Value):
    """One environment request.

    ``kind`` is INTERPRETER (``interpreter`` is the path or name of an existing Python; nothing is
    installed) or PACKAGES (``python`` is a version such as "3.8" or None for "any", ``pip`` holds
    requirement lines, ``pip_options`` lines such as ``--index-url ...``, ``conda`` conda specs).
    CONDA is the same with the packages of ``conda`` taken from ``channels`` (names or addresses).
    IMAGE is a container: ``image``, or one built from ``docker``, with packages on top.
    ``pins`` is EXACT (unavailable pins are errors), RELAX or AUTO (they are relaxed as little as
    possible, and a job finds the names that packages have removed; AUTO is the default for old
    code, and builds the same environments as RELAX). If ``as_of`` is set, packages without a pin
    are resolved as of the pins' time: it is NEWEST_PIN, "DAY PACKAGE==VERSION" (of a pin that is
    not among the packages) or "DAY PACKAGE VERSION" (the day to use where nothing is pinned).
    ``brought`` are requirement lines that nobody wrote: what the SDK's packages brought, and
    pip; they are left out where unavailable. ``local`` contains the digests of requirements
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
    brought: tuple[str, ...] = ()
    pip_options: tuple[str, ...] = ()
    conda: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    image: str | None = None
    container: bool = False
    docker: DockerOptions = fresh(default_factory=DockerOptions)
    pins: str = EXACT
    as_of: str = ""
    local: dict[str, str] = fresh(default_factory=dict)
    uv: Json = fresh(default_factory=dict)
    locked: Json = fresh(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def has_packages(self) -> bool:
        """Whether it names any package to install."""
        return bool(self.pip or self.conda or self.brought)

    def digest(self) -> str:
        """The digest of the content, independent of name, version and notes."""
        content = self.as_dict()
        for key in ("name", "version", "notes"):
            del content[key]
        for key in ("uv", "locked", "as_of", "brought"):
            if not content[key]:
                del content[key]
        if self.pins == AUTO:
            content["pins"] = RELAX
        return digest_of(content)

    def to_dict(self) -> Json:
        """The request as a JSON value; the inverse of ``from_dict``."""
        return self.as_dict()

    @classmethod
    def from_dict(cls, data: Json) -> Self:
        """The request that ``to_dict`` wrote; unknown keys (a newer format) are ignored."""
        lists: Json = {
            name: tuple(as_list(data[name], name))
            for name in ("pip", "brought", "pip_options", "conda", "channels", "notes")
            if name in data
        }
        docker = DockerOptions.from_dict(as_object(data.get("docker"), "docker"))
        return super().from_dict({**data, **lists, "docker": docker})

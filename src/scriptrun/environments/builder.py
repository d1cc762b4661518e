"""The interface that the builder of each kind of environment implements.

A builder is made for one request and one lockfile. ``ensure`` does the rest for all kinds: look up,
lock, look up again, build, check the build, and write the marker last.
"""

from __future__ import annotations

import importlib
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from scriptrun.spec.environment import CONDA, IMAGE, INTERPRETER, PACKAGES, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.later import later
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    from scriptrun.environments import health
    from scriptrun.environments.cache import limit as cache_limit
    from scriptrun.runtime.hints import Json
else:
    health = later("scriptrun.environments.health")
    cache_limit = later("scriptrun.environments.cache.limit")

Lockfile = dict[str, "Any"]
Log = Callable[[str], None]
#: polled during long work: true cancels it
Stop = Callable[[], bool]

#: where a workspace shares its images: ``address`` and optionally ``username``; may be empty
ImageRegistry = Mapping[str, str]

#: dotted names, so that a lookup imports only the builder that it needs
BUILDERS = {
    INTERPRETER: "scriptrun.environments.interpreter.existing:Existing",
    PACKAGES: "scriptrun.environments.uv.builder:Uv",
    IMAGE: "scriptrun.environments.image.builder:Image",
    CONDA: "scriptrun.environments.conda.builder:Conda",
}


class ReadyEnvironment(Value):
    """An environment that can be used now.

    ``python`` is the absolute path of its interpreter and ``bin`` the folder of that. ``place`` is
    the folder of the build (None for an existing interpreter), ``sites`` are its site-packages
    folders, ``lock`` is the lockfile as a JSON value. ``seconds`` is how long this call took.
    ``failed_imports`` are sentences about requested packages that fail to import.
    ``container`` holds the container settings of the launch order, None for processes.
    """

    key: str
    python: str
    place: str | None
    bin: str
    lock: Lockfile
    cached: bool = True
    seconds: float = 0.0
    sites: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    failed_imports: tuple[str, ...] = ()
    container: Json | None = None


class BuildCanceled(EnvironmentException):
    """The build was canceled: ``stop`` returned true."""


class Builder(ABC):
    """How to lock, build, check and use one kind of environment."""

    #: the ``EnvironmentSpec.kind`` that it builds
    kind: ClassVar[str]
    #: False if nothing is ever built (``folder`` is then unused)
    builds: ClassVar[bool] = True

    def __init__(
        self, spec: EnvironmentSpec, lockfile: Lockfile, registry: ImageRegistry | None = None
    ) -> None:
        self.spec = spec
        self.lockfile = lockfile
        self.registry = registry or {}

    @classmethod
    @abstractmethod
    def check(cls, spec: EnvironmentSpec) -> list[str]:
        """Problems with ``spec`` on this machine that are known without resolving it."""

    @classmethod
    def quick_lockfile(cls, spec: EnvironmentSpec) -> Lockfile | None:
        """The lockfile if it can be made without starting a process, else None."""
        return None

    @classmethod
    @abstractmethod
    def resolve(cls, spec: EnvironmentSpec, log: Log, stop: Stop) -> Lockfile:
        """Lock the request. Raises EnvironmentException with the package and the reason."""

    @abstractmethod
    def key(self) -> str:
        """A digest of exactly what the build depends on: equal keys may share one build."""

    @abstractmethod
    def build(self, folder: str, log: Log, stop: Stop) -> None:
        """Build into ``folder``, an empty directory. Raises EnvironmentException."""

    @abstractmethod
    def why_unhealthy(self, folder: str) -> str:
        """Why ``folder`` must be built again ("it is missing six"), or "".

        Starts no process.
        """

    @abstractmethod
    def python(self, folder: str) -> str:
        """The absolute path of the interpreter in ``folder``."""

    @abstractmethod
    def sites(self, folder: str) -> tuple[str, ...]:
        """The site-packages folders of ``folder``."""

    @classmethod
    def remove_external(cls, folder: str) -> None:
        """Remove what the build stored outside ``folder``, which is about to be removed.

        Raises EnvironmentException if it is still in use.
        """
        return None  # most kinds store nothing outside

    @classmethod
    def external_size(cls, folder: str) -> int | None:
        """The bytes that the build stored outside ``folder``; None if it stored nothing there."""
        return None

    def ready(self, folder: str | None, *, cached: bool, seconds: float) -> ReadyEnvironment:
        """The environment built in ``folder``, ready for use."""
        python = self.python(folder or "")
        return ReadyEnvironment(
            key=self.key(),
            python=python,
            place=folder,
            bin=os.path.dirname(python),
            lock=self.lockfile,
            cached=cached,
            seconds=seconds,
            sites=self.sites(folder or ""),
            notes=tuple(self.lockfile.get("notes", ())),
            failed_imports=health.failed_imports(folder) if folder else (),
        )


def builder_class(kind: str) -> type[Builder]:
    """The builder class of ``kind``. Raises EnvironmentException for an unknown kind."""
    if kind not in BUILDERS:
        raise EnvironmentException(
            f"Unknown environment kind {kind!r}.",
            "Valid kinds: " + ", ".join(sorted(BUILDERS)) + ".",
        )
    module, _, name = BUILDERS[kind].partition(":")
    cls: type[Builder] = getattr(importlib.import_module(module), name)
    return cls


def check(spec: EnvironmentSpec) -> list[str]:
    """All problems with ``spec`` on this machine that are known without resolving it."""
    cls = builder_class(spec.kind)
    size_problem = cache_limit.problem() if cls.builds else ""
    return [*cls.check(spec), *filter(None, [size_problem])]


def never() -> bool:
    """The ``stop`` of a build that cannot be canceled."""
    return False


def platform_tag() -> str:
    """The system and processor that lockfiles are made for, such as "linux-x86_64"."""
    machine = (
        os.uname().machine if hasattr(os, "uname") else os.environ.get("PROCESSOR_ARCHITECTURE", "")
    )
    return f"{sys.platform}-{machine.lower()}"

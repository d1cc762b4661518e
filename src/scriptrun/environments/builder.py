"""The builders' seam: what every kind of environment must be able to say and do.

A builder is made for one request and one lock. ``ensure`` does the rest for all kinds: look up,
lock, look up again, build, look at what was built, marker last.
"""

from __future__ import annotations

import importlib
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from scriptrun.environments.cache import limit as cache_limit
from scriptrun.spec.environment import CONDA, IMAGE, INTERPRETER, PACKAGES, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

Lock = dict[str, "Any"]
Log = Callable[[str], None]
#: asked now and then during long work: true means "give up"
Stop = Callable[[], bool]

#: where a workspace shares its images: ``address`` and perhaps ``username``; empty: nowhere
Registry = Mapping[str, str]

#: dotted names, so that looking an environment up loads no more than its own builder
BUILDERS = {
    INTERPRETER: "scriptrun.environments.interpreter.existing:Existing",
    PACKAGES: "scriptrun.environments.uv.builder:Uv",
    IMAGE: "scriptrun.environments.image.builder:Image",
    CONDA: "scriptrun.environments.conda.builder:Conda",
}


class Ready(Value):
    """An environment that can be used now.

    ``python`` is the absolute path of its interpreter and ``bin`` that one's directory. ``place``
    is what was built (None for an interpreter that is simply there), ``sites`` are the directories
    that hold its packages, ``lock`` is a JSON value. ``seconds`` is how long getting it took now.
    ``container`` is what an engine's Order says of containers, None for processes.
    """

    key: str
    python: str
    place: str | None
    bin: str
    lock: Lock
    cached: bool = True
    seconds: float = 0.0
    sites: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    container: dict[str, Any] | None = None


class Stopped(EnvironmentException):
    """The work was given up because ``stop`` said so."""


class Builder(ABC):
    """How one kind of environment is locked, built, judged and used."""

    #: what ``EnvironmentSpec.kind`` says
    kind: ClassVar[str]
    #: False where nothing is ever built (``place`` is then unused)
    builds: ClassVar[bool] = True

    def __init__(self, spec: EnvironmentSpec, lock: Lock, registry: Registry | None = None) -> None:
        self.spec = spec
        self.lock = lock
        self.registry = registry or {}

    @classmethod
    @abstractmethod
    def check(cls, spec: EnvironmentSpec) -> list[str]:
        """Why ``spec`` can't be had here, as far as that is known without resolving it."""

    @classmethod
    def known(cls, spec: EnvironmentSpec) -> Lock | None:
        """The lock where it can be told at once, starting no process; else None."""
        return None

    @classmethod
    @abstractmethod
    def resolve(cls, spec: EnvironmentSpec, log: Log, stop: Stop) -> Lock:
        """The request made exact. Raises EnvironmentException with the package and the reason."""

    @abstractmethod
    def key(self) -> str:
        """What the built thing depends on, and nothing else: equal keys may share one place."""

    @abstractmethod
    def build(self, place: str, log: Log, stop: Stop) -> None:
        """Build into ``place``, an empty directory. Raises EnvironmentException."""

    @abstractmethod
    def ill(self, place: str) -> str:
        """Why ``place`` must be built again ("it lacks six"); "" if it is well.

        Starts no process.
        """

    @abstractmethod
    def python(self, place: str) -> str:
        """The absolute path of the interpreter in ``place``."""

    @abstractmethod
    def sites(self, place: str) -> tuple[str, ...]:
        """The directories that hold the packages of ``place``."""

    @classmethod
    def let_go(cls, place: str) -> None:
        """Take away what lies elsewhere for ``place``, which is about to be removed.

        Raises EnvironmentException where something still uses it.
        """
        return None  # nothing does, for most kinds

    @classmethod
    def size(cls, place: str) -> int | None:
        """How many bytes lie elsewhere for ``place``; None where all lies in it."""
        return None

    def ready(self, place: str | None, *, cached: bool, seconds: float) -> Ready:
        """The value that is handed out for ``place``."""
        python = self.python(place or "")
        return Ready(
            key=self.key(),
            python=python,
            place=place,
            bin=os.path.dirname(python),
            lock=self.lock,
            cached=cached,
            seconds=seconds,
            sites=self.sites(place or ""),
            notes=tuple(self.lock.get("notes", ())),
        )


def builder_class(kind: str) -> type[Builder]:
    """The builder of ``kind``. Raises EnvironmentException for a kind that nobody builds."""
    if kind not in BUILDERS:
        raise EnvironmentException(
            f"Unknown environment kind {kind!r}.",
            "Valid kinds: " + ", ".join(sorted(BUILDERS)) + ".",
        )
    module, _, name = BUILDERS[kind].partition(":")
    found: type[Builder] = getattr(importlib.import_module(module), name)
    return found


def check(spec: EnvironmentSpec) -> list[str]:
    """Every reason, known without resolving anything, why ``spec`` can't be had on this machine."""
    cls = builder_class(spec.kind)
    size = cache_limit.trouble() if cls.builds else ""
    return [*cls.check(spec), *filter(None, [size])]


def never() -> bool:
    """The ``stop`` of those who never give up."""
    return False


def platform_tag() -> str:
    """The system and processor that locks are made for, such as "linux-x86_64"."""
    machine = (
        os.uname().machine if hasattr(os, "uname") else os.environ.get("PROCESSOR_ARCHITECTURE", "")
    )
    return f"{sys.platform}-{machine.lower()}"

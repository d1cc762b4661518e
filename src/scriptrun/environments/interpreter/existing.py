"""An existing interpreter: nothing is built or installed, its packages are only recorded."""

from __future__ import annotations

import os

from scriptrun.environments import site_packages
from scriptrun.environments.builder import Builder, Lock, Log, Stop, platform_tag
from scriptrun.environments.interpreter import facts as interpreter_facts
from scriptrun.environments.interpreter.facts import Facts
from scriptrun.environments.locks import FORMAT, content_key
from scriptrun.spec.environment import INTERPRETER, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException


class Existing(Builder):
    """The interpreter that the request names, by path or by name on PATH."""

    kind = INTERPRETER
    builds = False

    @classmethod
    def check(cls, spec: EnvironmentSpec) -> list[str]:
        """Report why the interpreter cannot be used."""
        reason = _trouble(spec)
        return [reason] if reason else []

    @classmethod
    def known(cls, spec: EnvironmentSpec) -> Lock | None:
        """The lockfile from files alone; None if the interpreter must be started."""
        python = locate(spec)
        facts = interpreter_facts.look(python) if python else None
        return _lock(facts) if facts else None

    @classmethod
    def resolve(cls, spec: EnvironmentSpec, log: Log, stop: Stop) -> Lock:
        """Record the version and the installed distributions of the interpreter."""
        python, trouble = locate(spec), _trouble(spec)
        if python is None or trouble:
            raise EnvironmentException(trouble)
        return _lock(interpreter_facts.ask(python))

    def key(self) -> str:
        """The digest of the interpreter and its installed distributions."""
        return content_key(self.lock)

    def build(self, place: str, log: Log, stop: Stop) -> None:
        """Nothing is built."""

    def ill(self, place: str) -> str:
        """Whether the interpreter is missing."""
        return "" if _runnable(self.lock["python"]) else f"{self.lock['python']} is missing"

    def python(self, place: str) -> str:
        """The interpreter's own path."""
        return str(self.lock["python"])

    def sites(self, place: str) -> tuple[str, ...]:
        """Its site-packages folders."""
        return tuple(self.lock["sites"])


def locate(spec: EnvironmentSpec) -> str | None:
    """The absolute path of the request's interpreter, links unresolved; None if missing."""
    name = os.path.expanduser(spec.interpreter or "")
    if os.sep not in name:
        import shutil

        found = shutil.which(name or "python3") or shutil.which(name or "python")
        return os.path.abspath(found) if found else None
    return os.path.abspath(name) if _runnable(name) else None


def _lock(facts: Facts) -> Lock:
    return {
        "format": FORMAT,
        "kind": INTERPRETER,
        "platform": platform_tag(),
        "python": facts.python,
        "version": facts.version,
        "prefix": facts.prefix,
        "sites": list(facts.sites),
        "distributions": site_packages.distributions(facts.sites),
    }


def _too_old(python: str) -> str:
    facts = interpreter_facts.look(python)
    version = facts.version.split(".") if facts else []
    if [int(part) for part in version[:2] if part.isdigit()] >= [3, 6] or len(version) < 2:
        return ""
    return (
        f"interpreter {python!r} is Python {'.'.join(version)}, but jobs require 3.6 or newer; "
        "use another interpreter"
    )


def _trouble(spec: EnvironmentSpec) -> str:
    python = locate(spec)
    if python is not None:
        return _too_old(python)
    name = spec.interpreter or "python3"
    asked = f"interpreter {name!r} of the environment "
    path = os.path.expanduser(name)
    if os.sep not in name:
        return f"{asked}is not on PATH; give the path of an existing interpreter"
    if os.path.isdir(path):
        return (
            f"{asked}is a directory; give the path of the interpreter in it, e.g. {path}/bin/python"
        )
    if os.path.exists(path):
        return f"{asked}is not executable; give the path of a Python interpreter"
    if os.path.lexists(path):
        return (
            f"{asked}is a link to {os.path.realpath(path)}, which is "
            "missing; recreate the environment"
        )
    return f"{asked}does not exist; give the path of a Python interpreter"


def _runnable(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)

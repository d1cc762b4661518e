"""An existing interpreter: nothing is built or installed, its packages are only recorded."""

from __future__ import annotations

import os

from scriptrun.environments import site_packages
from scriptrun.environments.builder import Builder, Lockfile, Log, Stop, platform_tag
from scriptrun.environments.interpreter import facts as interpreter_facts
from scriptrun.environments.interpreter.facts import InterpreterFacts
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
        problem = _problem(spec)
        return [problem] if problem else []

    @classmethod
    def quick_lockfile(cls, spec: EnvironmentSpec) -> Lockfile | None:
        """The lockfile from files alone; None if the interpreter must be started."""
        python = locate(spec)
        facts = interpreter_facts.from_files(python) if python else None
        return _make_lockfile(facts) if facts else None

    @classmethod
    def resolve(cls, spec: EnvironmentSpec, log: Log, stop: Stop) -> Lockfile:
        """Record the version and the installed distributions of the interpreter."""
        python, problem = locate(spec), _problem(spec)
        if python is None or problem:
            raise EnvironmentException(problem)
        return _make_lockfile(interpreter_facts.get(python))

    def key(self) -> str:
        """The digest of the interpreter and its installed distributions."""
        return content_key(self.lockfile)

    def build(self, folder: str, log: Log, stop: Stop) -> None:
        """Nothing is built."""

    def why_unhealthy(self, folder: str) -> str:
        """Whether the interpreter is missing."""
        return "" if _runnable(self.lockfile["python"]) else f"{self.lockfile['python']} is missing"

    def python(self, folder: str) -> str:
        """The interpreter's own path."""
        return str(self.lockfile["python"])

    def sites(self, folder: str) -> tuple[str, ...]:
        """Its site-packages folders."""
        return tuple(self.lockfile["sites"])


def locate(spec: EnvironmentSpec) -> str | None:
    """The absolute path of the request's interpreter, links unresolved; None if missing."""
    name = os.path.expanduser(spec.interpreter or "")
    if os.sep not in name:
        import shutil

        path = shutil.which(name or "python3") or shutil.which(name or "python")
        return os.path.abspath(path) if path else None
    return os.path.abspath(name) if _runnable(name) else None


def _make_lockfile(facts: InterpreterFacts) -> Lockfile:
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
    facts = interpreter_facts.from_files(python)
    version = facts.version.split(".") if facts else []
    if [int(part) for part in version[:2] if part.isdigit()] >= [3, 6] or len(version) < 2:
        return ""
    return (
        f"interpreter {python!r} is Python {'.'.join(version)}, but jobs require 3.6 or newer; "
        "use another interpreter"
    )


def _problem(spec: EnvironmentSpec) -> str:
    python = locate(spec)
    if python is not None:
        return _too_old(python)
    name = spec.interpreter or "python3"
    label = f"interpreter {name!r} of the environment "
    path = os.path.expanduser(name)
    if os.sep not in name:
        return f"{label}is not on PATH; give the path of an existing interpreter"
    if os.path.isdir(path):
        return (
            f"{label}is a directory; give the path of the interpreter in it, e.g. {path}/bin/python"
        )
    if os.path.exists(path):
        return f"{label}is not executable; give the path of a Python interpreter"
    if os.path.lexists(path):
        return (
            f"{label}is a link to {os.path.realpath(path)}, which is "
            "missing; recreate the environment"
        )
    return f"{label}does not exist; give the path of a Python interpreter"


def _runnable(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)

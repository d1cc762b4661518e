"""Whether conda installs a request, and what it is asked to solve."""

from __future__ import annotations

import importlib.util
import os

from scriptrun.environments.conda import channels as conda_channels
from scriptrun.environments.conda import pypi_names
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.environments.uv import requirements as uv_requirements
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.values import Value

#: the variable that chooses what installs conda packages
SETTING = "SCRIPTRUN_CONDA"
INSTALL = "`pip install 'scriptrun[conda]'`"
_WAYS = ("auto", "conda", "pypi")


class Wishes(Value):
    """A request for rattler: match specifications and channels (variables not filled in)."""

    specs: tuple[str, ...]
    channels: tuple[str, ...]
    python: str


def wanted(spec: EnvironmentSpec) -> bool:
    """Whether conda installs ``spec``: it names packages that are not known to be on PyPI.

    SCRIPTRUN_CONDA overrides this: "conda" installs every request that names conda packages or
    channels with conda, "pypi" installs none.
    """
    if not (spec.conda or spec.channels):
        return False
    way = os.environ.get(SETTING) or "auto"
    if way == "conda":
        return True
    if way not in _WAYS:
        return bool(spec.conda)  # ``problems`` reports it
    return way != "pypi" and bool(pypi_names.translate(spec.conda).unknown)


def is_here() -> bool:
    """Whether py-rattler is installed; does not import it."""
    return importlib.util.find_spec("rattler") is not None


def of(spec: EnvironmentSpec) -> Wishes:
    """The rattler request for ``spec``; Python is always in it, since jobs need one."""
    version = spec.python or ""
    python = f"python {version}" if version[:1] in "<>=!~" else f"python {version}.*"
    named = [each for each in spec.conda if pypi_names.name_of(each) == "python"]
    return Wishes(
        specs=tuple(each for each in spec.conda if each not in named),
        channels=conda_channels.of(spec.channels),
        python=named[0] if named else python if version else "",
    )


def troubles(spec: EnvironmentSpec) -> list[str]:
    """All problems with ``spec`` that are known without solving it."""
    found = []
    way = os.environ.get(SETTING) or "auto"
    if way not in _WAYS:
        found.append(f"invalid {SETTING}={way!r}; use {', '.join(_WAYS[:-1])} or {_WAYS[-1]}")
    if not is_here():
        found.append(_lacking(spec))
    found += [
        f"invalid conda requirement {each!r}; use e.g. numpy=1.16, numpy>=1.16,<2 "
        "or numpy=1.16.2=py37_0"
        for each in spec.conda
        if not pypi_names.name_of(each)
    ]
    if (
        spec.python
        and interpreter_discovery.parse(spec.python) is None
        and spec.python[0] not in "<>=!~"
    ):
        found.append(f"invalid Python version {spec.python!r}; use e.g. 3.8 or 3.8.13")
    found += conda_channels.troubles(spec.channels)
    found += uv_requirements.troubles(spec.replace(conda=(), python=None))
    return found


def _lacking(spec: EnvironmentSpec) -> str:
    unknown = pypi_names.translate(spec.conda).unknown or spec.conda
    names = ", ".join(f"'{each}'" for each in unknown) or "a conda Python"
    return (
        f"the environment requires {names}, which only conda channels provide; to install from "
        f"them, run {INSTALL}"
    )

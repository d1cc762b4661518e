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
_VALUES = ("auto", "conda", "pypi")


class CondaRequest(Value):
    """A request for rattler: match specifications and channels (variables not filled in)."""

    specs: tuple[str, ...]
    channels: tuple[str, ...]
    python: str


def uses_conda(spec: EnvironmentSpec) -> bool:
    """Whether conda installs ``spec``: it names packages that are not known to be on PyPI.

    SCRIPTRUN_CONDA overrides this: "conda" installs every request that names conda packages or
    channels with conda, "pypi" installs none.
    """
    if not (spec.conda or spec.channels):
        return False
    setting = os.environ.get(SETTING) or "auto"
    if setting == "conda":
        return True
    if setting not in _VALUES:
        return bool(spec.conda)  # ``problems`` reports it
    return setting != "pypi" and bool(pypi_names.translate(spec.conda).unknown)


def is_installed() -> bool:
    """Whether py-rattler is installed; does not import it."""
    return importlib.util.find_spec("rattler") is not None


def from_spec(spec: EnvironmentSpec) -> CondaRequest:
    """The rattler request for ``spec``; Python is always in it, since jobs need one."""
    version = spec.python or ""
    python = f"python {version}" if version[:1] in "<>=!~" else f"python {version}.*"
    python_specs = [
        requirement for requirement in spec.conda if pypi_names.name_of(requirement) == "python"
    ]
    return CondaRequest(
        specs=tuple(line for line in spec.conda if line not in python_specs),
        channels=conda_channels.normalize(spec.channels),
        python=python_specs[0] if python_specs else python if version else "",
    )


def problems(spec: EnvironmentSpec) -> list[str]:
    """All problems with ``spec`` that are known without solving it."""
    messages = []
    setting = os.environ.get(SETTING) or "auto"
    if setting not in _VALUES:
        messages.append(
            f"invalid {SETTING}={setting!r}; use {', '.join(_VALUES[:-1])} or {_VALUES[-1]}"
        )
    if not is_installed():
        messages.append(_not_installed_problem(spec))
    messages += [
        f"invalid conda requirement {requirement!r}; use e.g. numpy=1.16, numpy>=1.16,<2 "
        "or numpy=1.16.2=py37_0"
        for requirement in spec.conda
        if not pypi_names.name_of(requirement)
    ]
    if (
        spec.python
        and interpreter_discovery.parse(spec.python) is None
        and spec.python[0] not in "<>=!~"
    ):
        messages.append(f"invalid Python version {spec.python!r}; use e.g. 3.8 or 3.8.13")
    messages += conda_channels.problems(spec.channels)
    messages += uv_requirements.problems(spec.replace(conda=(), python=None))
    return messages


def _not_installed_problem(spec: EnvironmentSpec) -> str:
    unknown = pypi_names.translate(spec.conda).unknown or spec.conda
    names = ", ".join(f"'{package}'" for package in unknown) or "a conda Python"
    return (
        f"the environment requires {names}, which only conda channels provide; to install from "
        f"them, run {INSTALL}"
    )

"""Conda environments of this machine as dependencies: to be built again, or built upon."""

from __future__ import annotations

from scriptrun.config.environments.conda_dependencies import CondaDependencies, conda_name
from scriptrun.config.environments.requirements import is_option, requirement_name
from scriptrun.environments.conda import prefixes as conda_prefixes


def of_environment(name: str) -> CondaDependencies | None:
    """What the environment ``name`` (or at that path) holds; None where there is no such one."""
    prefix = conda_prefixes.find(name)
    return None if prefix is None else CondaDependencies.from_dict(conda_prefixes.content(prefix))


def upon(base: CondaDependencies, conda: CondaDependencies, python: bool) -> CondaDependencies:
    """``base`` with all of ``conda`` in it: of a package in both, the latter's wish counts.

    ``python``: whether the version of Python that ``conda`` names counts.
    """
    made = CondaDependencies.from_dict(base.as_dict())
    for channel in made.conda_channels:
        made.remove_channel(channel)
    for channel in (*conda.conda_channels, *base.conda_channels):
        made.add_channel(channel)
    for package in conda.conda_packages:
        if python or conda_name(package) != "python":
            made.add_conda_package(package)
    own = [*conda.pip_options, *conda.pip_packages]
    names = {requirement_name(each) for each in own if not is_option(each)}
    kept = [each for each in base.pip_packages if requirement_name(each) not in names]
    made.set_pip_requirements([*own, *kept])
    return made


def missing(name: str) -> str:
    """What is to be said of a base environment that is not there; "" for one that is."""
    if conda_prefixes.find(name) is not None:
        return ""
    return (
        f"conda environment {name!r} (environment.python.base_conda_environment) not found; give "
        "its path, or create it"
    )

"""Read conda environments of this machine as dependencies, to rebuild or extend them."""

from __future__ import annotations

from scriptrun.config.environments.conda_dependencies import CondaDependencies, conda_name
from scriptrun.config.environments.requirements import is_option, requirement_name
from scriptrun.environments.conda import prefixes as conda_prefixes


def of_environment(name: str) -> CondaDependencies | None:
    """The packages of the environment with this ``name`` or path; None if it does not exist."""
    prefix = conda_prefixes.find(name)
    return None if prefix is None else CondaDependencies.from_dict(conda_prefixes.content(prefix))


def upon(base: CondaDependencies, conda: CondaDependencies, python: bool) -> CondaDependencies:
    """Merge ``conda`` into ``base``; for a package in both, ``conda`` wins.

    ``python``: whether the Python version of ``conda`` is used too.
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
    """The problem with a base environment that does not exist; "" for one that does."""
    if conda_prefixes.find(name) is not None:
        return ""
    return (
        f"conda environment {name!r} (environment.python.base_conda_environment) not found; give "
        "its path, or create it"
    )

"""Read the dependencies of conda environments on this machine, to rebuild or extend them."""

from __future__ import annotations

from scriptrun.config.environments.conda_dependencies import CondaDependencies, conda_name
from scriptrun.config.environments.requirements import is_option, requirement_name
from scriptrun.environments.conda import prefixes as conda_prefixes


def read_environment(name: str) -> CondaDependencies | None:
    """The packages of the environment with this ``name`` or path; None if it does not exist."""
    prefix = conda_prefixes.find(name)
    return None if prefix is None else CondaDependencies.from_dict(conda_prefixes.content(prefix))


def merge_onto(
    base: CondaDependencies, conda: CondaDependencies, use_python: bool
) -> CondaDependencies:
    """Merge ``conda`` into ``base``; for a package in both, ``conda`` wins.

    With ``use_python``, the Python version of ``conda`` is used as well.
    """
    variables = {**base.variables, **conda.variables}
    merged = CondaDependencies.from_dict({**base.as_dict(), "variables": variables or None})
    for channel in merged.conda_channels:
        merged.remove_channel(channel)
    for channel in (*conda.conda_channels, *base.conda_channels):
        merged.add_channel(channel)
    for package in conda.conda_packages:
        if use_python or conda_name(package) != "python":
            merged.add_conda_package(package)
    pip_lines = [*conda.pip_options, *conda.pip_packages]
    names = {requirement_name(line) for line in pip_lines if not is_option(line)}
    kept_from_base = [
        requirement
        for requirement in base.pip_packages
        if requirement_name(requirement) not in names
    ]
    merged.set_pip_requirements([*pip_lines, *kept_from_base])
    return merged


def missing_base_problem(name: str) -> str:
    """A message if the base environment ``name`` does not exist, else ""."""
    if conda_prefixes.find(name) is not None:
        return ""
    return (
        f"conda environment {name!r} (environment.python.base_conda_environment) not found; give "
        "its path, or create it"
    )

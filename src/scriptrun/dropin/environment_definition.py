"""``azureml.core.runconfig.EnvironmentDefinition``: the environments of 2018, without a name."""

from __future__ import annotations

from scriptrun.config.environments.environment import Environment


class EnvironmentDefinition(Environment):
    """An Environment whose ``name`` may be left out."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name or "environment-definition")

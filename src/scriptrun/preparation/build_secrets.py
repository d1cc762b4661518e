"""Collect the secrets that an environment's build needs: only those that it references.

They are passed only to the process that builds, over a pipe or in a variable that no script
inherits, and are never stored: a job's record has only their names (``${secret:NAME}``) or hosts.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping

from scriptrun.environments.conda import channels as conda_channels
from scriptrun.environments.uv import index_credentials
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec import url_logins
from scriptrun.spec.environment import CONDA, EnvironmentSpec
from scriptrun.store import container_tool
from scriptrun.store.secrets import vault

#: the host of each URL in a text without logins, with its port
_HOST = re.compile(r"https?://([\w.:\[\]-]+)", re.IGNORECASE)


def find_secrets(
    spec: EnvironmentSpec, workspace: WorkspaceFiles, environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The values of the secrets that ``spec`` references and that exist here, by name.

    It references them as ``${secret:NAME}``, by the hosts of its indexes and channels
    (``index-HOST``) and by its image's registry. ``environ`` are the submitter's variables
    (default: this process's).
    """
    variables = os.environ if environ is None else environ
    secrets = {}
    with vault.for_workspace(workspace.id):
        for name in dict.fromkeys(_secret_names(spec)):
            value = variables.get(vault.variable(name))
            if not value and vault.exists(name):
                value = vault.find(name)
            if value:
                secrets[name] = value
    return secrets


def as_variables(secrets: Mapping[str, str]) -> dict[str, str]:
    """``secrets`` as the variables that other processes read them from."""
    return {vault.variable(name): value for name, value in secrets.items()}


def _secret_names(spec: EnvironmentSpec) -> Iterable[str]:
    channels = conda_channels.normalize(spec.channels) if spec.kind == CONDA else spec.channels
    text = json.dumps([spec.pip, spec.pip_options, channels, spec.uv], ensure_ascii=False)
    yield from index_credentials.secret_names(text)
    yield from map(index_credentials.host_secret_name, _HOST.findall(url_logins.remove(text)))
    registry = spec.docker.registry
    if registry is not None and registry.address:
        yield container_tool.registry_secret(registry.address)

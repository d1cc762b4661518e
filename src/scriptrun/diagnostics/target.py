"""Checks whether a compute target accepts jobs, with a hint for each failure."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

from scriptrun import remote
from scriptrun.diagnostics import machine
from scriptrun.engines.base import Engine
from scriptrun.engines.checks import Check, Site, guarded
from scriptrun.environments.uv import index_settings
from scriptrun.registry import compute_targets
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.job import Target
from scriptrun.spec.values import Value


def target_checks(workspace: WorkspaceFiles, engine: Engine) -> Iterator[Check]:
    """Run the target's checks one by one and yield each as it finishes."""
    target = compute_targets.target_of(engine)
    site: Site = remote.for_target(target) or _LocalSite(workspace, target)
    yield from engine.diagnose(site)
    if engine.traits.here:
        yield from guarded("this machine", lambda: machine.machine_checks(workspace))


class _LocalSite(Value):
    """The site of runs whose files are in the workspace itself."""

    workspace: WorkspaceFiles
    target: Target

    def root(self) -> str:
        """The target's root, else the workspace's."""
        return str(self.target.options.get("root") or self.workspace.root)

    def tool(self) -> list[Check]:
        """None: scriptrun runs here."""
        return []

    def python(self) -> str:
        """This process's own."""
        return sys.executable

    def index(self) -> tuple[str, str]:
        """The package index in this machine's pip settings."""
        parts = urlsplit(index_settings.settings().get("index-url", ""))
        if not parts.hostname:
            return "", ""
        return parts.hostname, str(parts.port or (443 if parts.scheme == "https" else 80))

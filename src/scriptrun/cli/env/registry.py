"""``scriptrun env registry``: the registry that a workspace pushes its built images to."""

from __future__ import annotations

import argparse

from scriptrun.cli import workspace_here
from scriptrun.core.workspace import Workspace
from scriptrun.registry import image_registries
from scriptrun.store import container_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.common_arguments import VerbResult


def registry(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Set, remove or show the registry."""
    workspace = workspace_here.create_if_missing(workspace)
    if args.remove or args.address:
        image_registries.set_registry(
            workspace, None if args.remove else args.address, args.username
        )
    settings = image_registries.workspace_registry(workspace)
    if not settings:
        text = "No registry configured: images stay on the machine that builds them."
        return {"registry": None}, text
    secret = container_tool.registry_secret(settings["address"])
    return {"registry": settings}, (
        f"Built images are pushed to {settings['address']}. The password comes from the secret set "
        f"with `scriptrun secret set {secret}`, or else from the container tool's login."
    )

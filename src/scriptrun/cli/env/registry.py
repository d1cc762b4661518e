"""``scriptrun env registry``: where the images that are built for a workspace are shared."""

from __future__ import annotations

import argparse

from scriptrun.cli import workspace_here
from scriptrun.core.workspace import Workspace
from scriptrun.registry import image_registries
from scriptrun.spec.hints import Any


def registry(workspace: Workspace, args: argparse.Namespace) -> tuple[Any, str]:
    """Name, forget or show the registry."""
    workspace = workspace_here.made(workspace)
    if args.remove or args.address:
        image_registries.name(workspace, None if args.remove else args.address, args.username)
    named = image_registries.named(workspace)
    if not named:
        return named, "The workspace names no registry: images stay where they were built."
    secret = image_registries.secret_of(named["address"])
    return named, (
        f"Images that are built go to {named['address']}. Its password is the secret of yours that "
        f"`scriptrun secret set {secret}` keeps, or else the container tool's login."
    )

"""The build context of an image: a folder on this machine or in a git repository."""

from __future__ import annotations

import os
import shutil

from scriptrun.environments.builder import Log, Stop
from scriptrun.environments.image import tool as image_tool
from scriptrun.runtime import foreign_names
from scriptrun.spec import url_logins
from scriptrun.spec.environment import BuildContext
from scriptrun.spec.errors import EnvironmentException


def fetch_context(context: BuildContext, folder: str, log: Log, stop: Stop) -> str:
    """The context's folder on this machine; a git repository is fetched into ``folder``.

    It is fetched by this machine's git with the user's credentials, not by the container tool.
    ``URL#REF:FOLDER`` is docker's notation. Raises EnvironmentException.
    """
    path = context.path
    if context.type != "git":
        return path
    shown = url_logins.mask(path)
    git = shutil.which("git")
    if git is None:
        raise EnvironmentException(
            f"Build context {shown!r} requires git, which is not installed.",
            "Install git, or use DockerBuildContext.from_local_directory.",
        )
    address, _, rest = path.partition("#")
    ref, _, subfolder = rest.partition(":")
    tree = os.path.join(folder, "tree")
    git_command = [git, "-C", tree]
    os.mkdir(tree)
    for arguments in (
        ["init", "--quiet"],
        ["fetch", "--quiet", "--depth", "1", "--", address, ref or "HEAD"],
        ["checkout", "--quiet", "FETCH_HEAD"],
        ["submodule", "--quiet", "update", "--init", "--recursive", "--depth", "1"],
        ["log", "-1", "--format=Build context commit: %H."],
    ):
        image_tool.execute(
            [*git_command, *arguments],
            "git",
            f"Fetching build context {shown}",
            log,
            stop,
            environ={"GIT_TERMINAL_PROMPT": "0"},
        )
    if not subfolder.strip("/"):
        return tree
    folder = foreign_names.join(
        tree, subfolder.strip("/"), f"Build context {url_logins.mask(address)!r}"
    )
    if os.path.islink(folder):
        raise EnvironmentException(
            f"The folder {subfolder!r} of build context {shown!r} is a symbolic link.",
            "Name the folder itself: links in a repository are not followed.",
        )
    return folder

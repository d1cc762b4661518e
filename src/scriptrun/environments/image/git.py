"""Git requirements of an image: fetched by this machine's git, mounted during installation.

So the image needs no git, and the credentials of private repositories never enter a container, its
command line, variables, files or layers.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping

from scriptrun.environments.builder import BuildCanceled, Log, Stop
from scriptrun.environments.image import tool as image_tool
from scriptrun.environments.uv import index_credentials
from scriptrun.spec.errors import EnvironmentException

#: a repository in uv's lockfile: URL, commit, and the package's folder in it
_LOCKED_REPOSITORY = re.compile(r"git\+(\S+?)@([0-9a-f]{40})(#[^\s;]*)?(?=[\s;]|$)")
_SUBDIRECTORY = re.compile(r"[#&]subdirectory=([^&\s]+)")


def fetch_repositories(
    text: str, secrets: Mapping[str, str], folder: str, mount_point: str, log: Log, stop: Stop
) -> tuple[str, dict[str, str]]:
    """Replace the repositories in the locked ``text`` by local folders, and return their mounts.

    Each is fetched into ``folder``, with the variables ``secrets`` for git, to be mounted below
    ``mount_point`` in the container, writable, since builds write next to their sources. Raises
    EnvironmentException.
    """
    trees: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        address, commit, fragment = match[1], match[2], match[3] or ""
        tree = os.path.join(folder, f"{len(trees)}-{commit}")
        _fetch(address, commit, tree, secrets, log, stop)
        trees[tree] = f"{mount_point}/{os.path.basename(tree)}"
        subdirectory = _SUBDIRECTORY.search(fragment)
        return f"file://{trees[tree]}{'/' + subdirectory[1].strip('/') if subdirectory else ''}"

    return _LOCKED_REPOSITORY.sub(replace, text), trees


def _fetch(
    address: str, commit: str, tree: str, secrets: Mapping[str, str], log: Log, stop: Stop
) -> None:
    git = shutil.which("git")
    if git is None:
        raise EnvironmentException(
            f"Requirement from git repository {address} requires git, which is not installed.",
            "Install git, or use a released version of the package.",
        )
    os.makedirs(tree)

    def run(*arguments: str) -> None:
        image_tool.execute(
            [git, "-C", tree, *arguments],
            "git",
            f"Fetching repository {address}",
            log,
            stop,
            environ={"GIT_TERMINAL_PROMPT": "0", **_git_variables(secrets)},
            masked=index_credentials.values_to_mask(secrets),
        )

    log(f"Fetching {address} at {commit}.")
    run("init", "--quiet")
    try:
        run("fetch", "--quiet", "--depth", "1", "--", address, commit)
    except BuildCanceled:
        raise
    except EnvironmentException:  # a server that serves only whole branches
        run("fetch", "--quiet", "--", address, "+refs/*:refs/fetched/*")
    run("checkout", "--quiet", "--detach", commit)
    run("submodule", "--quiet", "update", "--init", "--recursive")


def _git_variables(secrets: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in secrets.items() if name.startswith("GIT_CONFIG")}

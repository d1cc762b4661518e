"""conda's names of platforms."""

from __future__ import annotations

from scriptrun.environments.builder import platform_tag

_SUBDIRS = {
    "linux-x86_64": "linux-64",
    "linux-aarch64": "linux-aarch64",
    "linux-ppc64le": "linux-ppc64le",
    "darwin-x86_64": "osx-64",
    "darwin-arm64": "osx-arm64",
    "win32-amd64": "win-64",
}


def subdir() -> str:
    """conda's name of this machine's platform, such as "linux-64"."""
    return _SUBDIRS.get(platform_tag(), platform_tag())

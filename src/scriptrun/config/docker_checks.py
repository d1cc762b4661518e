"""Checks of a container's settings before anything is built or pulled."""

from __future__ import annotations

import os
import re

from scriptrun.config.environments.sections import DockerBuildContext, DockerSection
from scriptrun.config.sections import DockerConfiguration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: name, tag and digest of an image (https://pkg.go.dev/github.com/distribution/reference)
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:[A-Za-z0-9.\-\[\]:]+/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?(?:@\w+:[0-9a-fA-F]{{32,}})?"
)
_ID = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")
#: a size as docker takes it (https://docs.docker.com/reference/cli/docker/container/run/)
_SIZE = re.compile(r"\d+(?:\.\d+)?\s*(?:[bkmgt]|[kmgt]i?b)?", re.IGNORECASE)
_KINDS = ("local", "git")


def problems(section: DockerSection, job: DockerConfiguration | None = None) -> list[str]:
    """The problems with the container settings, as sentences."""
    found = [*_of_image(section.base_image), *_of_context(section.build_context)]
    for source in filter(None, (section, job)):
        found += _of_size(source.shm_size)
    return list(dict.fromkeys(found))


def _of_image(image: Any) -> list[str]:
    if not image or _REFERENCE.fullmatch(str(image)) or _ID.fullmatch(str(image)):
        return []
    return [
        f"invalid image name {str(image)!r}; "
        "use REGISTRY/NAME:TAG in lower case, e.g. docker.io/library/python:3.12"
    ]


def _of_size(size: Any) -> list[str]:
    if not size or _SIZE.fullmatch(str(size).strip()):
        return []
    return [f"invalid shm_size={str(size)!r}; use a number and a unit, e.g. '2g' or '512m'"]


def _of_context(context: DockerBuildContext | None) -> list[str]:
    if context is None:
        return []
    place, kind = str(context.location or ""), context.location_type
    if kind not in (None, *_KINDS) and not context.is_remote:
        return [f"invalid location_type={kind!r} of DockerBuildContext; use 'local' or 'git'"]
    if not place:
        return ["DockerBuildContext requires a location: a directory or a repository URL"]
    file = os.path.join(place, context.dockerfile_path or "Dockerfile")
    if not context.is_remote and os.path.isdir(place) and not os.path.isfile(file):
        return [
            f"build context {str(place)!r} has no {context.dockerfile_path or 'Dockerfile'}; "
            "set dockerfile_path, relative to the context"
        ]
    return []

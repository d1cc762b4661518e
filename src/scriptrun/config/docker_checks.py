"""Checks of a container's settings before anything is built or pulled."""

from __future__ import annotations

import os
import re

from scriptrun.config.environments.sections import DockerBuildContext, DockerSection
from scriptrun.config.sections import DockerConfiguration

# Patterns are compiled at their first use: a warm start needs none of them.
#: name, tag and digest of an image (https://pkg.go.dev/github.com/distribution/reference)
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = (
    rf"(?:[A-Za-z0-9.\-\[\]:]+/)?{_PART}(?:/{_PART})*"
    r"(?::\w[\w.-]{0,127})?(?:@\w+:[0-9a-fA-F]{32,})?"
)
_ID = r"(?:sha256:)?[0-9a-f]{12,64}"
#: a size as docker takes it (https://docs.docker.com/reference/cli/docker/container/run/)
_SIZE = r"\d+(?:\.\d+)?\s*(?:[bkmgt]|[kmgt]i?b)?"
_KINDS = ("local", "git")


def problems(section: DockerSection, job: DockerConfiguration | None = None) -> list[str]:
    """The problems with the container settings, as sentences."""
    messages = [*_image_problems(section.base_image), *_context_problems(section.build_context)]
    for settings in filter(None, (section, job)):
        messages += _size_problems(settings.shm_size)
    return list(dict.fromkeys(messages))


def _image_problems(image: object) -> list[str]:
    if not image or re.fullmatch(_REFERENCE, str(image)) or re.fullmatch(_ID, str(image)):
        return []
    return [
        f"invalid image name {str(image)!r}; "
        "use REGISTRY/NAME:TAG in lower case, e.g. docker.io/library/python:3.12"
    ]


def _size_problems(size: object) -> list[str]:
    if not size or re.fullmatch(_SIZE, str(size).strip(), re.IGNORECASE):
        return []
    return [f"invalid shm_size={str(size)!r}; use a number and a unit, e.g. '2g' or '512m'"]


def _context_problems(context: DockerBuildContext | None) -> list[str]:
    if context is None:
        return []
    location, kind = str(context.location or ""), context.location_type
    if kind not in (None, *_KINDS) and not context.is_remote:
        return [f"invalid location_type={kind!r} of DockerBuildContext; use 'local' or 'git'"]
    if not location:
        return ["DockerBuildContext requires a location: a directory or a repository URL"]
    dockerfile = os.path.join(location, context.dockerfile_path or "Dockerfile")
    if not context.is_remote and os.path.isdir(location) and not os.path.isfile(dockerfile):
        return [
            f"build context {str(location)!r} has no {context.dockerfile_path or 'Dockerfile'}; "
            "set dockerfile_path, relative to the context"
        ]
    return []

"""Put the comments of an Estimator's arguments to the lines that say the same."""

from __future__ import annotations

from collections.abc import Iterable

from scriptrun.migration.code.call_layout import ArgumentComment

#: part of the line that replaces an argument
_LINES = {
    "user_managed": ".user_managed_dependencies = ",
    "custom_docker_image": ".docker.base_image = ",
    "custom_docker_base_image": ".docker.base_image = ",
    "image_registry_details": ".docker.base_image_registry = ",
    "use_gpu": "DEFAULT_GPU_IMAGE",
    "shm_size": ".docker.shm_size = ",
    "environment_variables": ".environment_variables.update(",
    "pip_packages": "pip_package",
    "conda_packages": "conda_package",
    "conda_dependencies_file": ".from_conda_specification(",
    "pip_requirements_file": ".from_pip_requirements(",
}
#: the longest line that gets a comment behind it
_LONGEST = 100


def place(comments: Iterable[ArgumentComment], lines: list[str]) -> list[str]:
    """The ``lines`` with the comments; first come those of arguments that no line stands for."""
    first: list[str] = []
    above: dict[int, list[str]] = {}
    behind: dict[int, str] = {}
    for comment in comments:
        mark = _LINES.get(comment.keyword)
        index = next((number for number, line in enumerate(lines) if mark and mark in line), None)
        if index is None:
            first.append(comment.text)
        elif comment.is_behind and index not in behind and _fits(lines[index], comment.text):
            behind[index] = f"  {comment.text}"
        else:
            above.setdefault(index, []).append(comment.text)
    placed = list(first)
    for number, line in enumerate(lines):
        placed += [*above.get(number, ()), f"{line}{behind.get(number, '')}"]
    return placed


def _fits(line: str, comment: str) -> bool:
    return "\n" not in line and not line.endswith(":") and len(line + comment) < _LONGEST

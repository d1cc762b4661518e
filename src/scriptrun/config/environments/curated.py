"""Curated environments: predefined ones, read from ``curated_definitions/*.json``."""

from __future__ import annotations

import functools
import json
import os

from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.config.environments.environment import Environment, is_reserved
from scriptrun.config.environments.images import DEFAULT_CPU_IMAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

__all__ = [
    "get",
    "is_current",
    "is_reserved",
    "names",
    "nearest_current",
    "notes",
    "record",
    "unavailable_problem",
]


def get(name: str) -> Environment | None:
    """A new copy of the curated environment ``name`` (in any case), or None."""
    entry = record(name)
    if entry is None:
        return None
    environment = Environment(_names_by_lower()[name.lower()])
    environment.python.conda_dependencies = CondaDependencies.from_dict(_conda_content(entry))
    environment.python.user_managed_dependencies = bool(entry.get("user_managed"))
    environment.docker.base_image = entry.get("base_image") or DEFAULT_CPU_IMAGE
    return environment


def names() -> list[str]:
    """The names of all curated environments: the current ones first."""
    entries = _records()
    return sorted(entries, key=lambda name: (not is_current(name), name.lower()))


def is_current(name: str) -> bool:
    """Whether ``name`` is maintained, rather than one of Azure's old environments."""
    return name.lower().startswith("scriptrun-")


def nearest_current(name: str) -> str | None:
    """The current curated environment closest to the old one ``name``, or None."""
    entry = record(name)
    return entry.get("current") if entry else None


def notes(environment: Environment) -> list[str]:
    """Notes for the user about the definition of a curated environment."""
    entry = record(environment.name or "") or {}
    messages = []
    if entry.get("left_out"):
        messages.append(
            f"{environment.name} does not include {', '.join(entry['left_out'])}, which has no "
            "wheels; if the script requires it, clone the environment and add it."
        )
    if entry.get("derived"):
        messages.append(
            f"The exact packages of {environment.name} were never published; these match its name."
        )
    return messages


def unavailable_problem(environment: Environment) -> str:
    """Why the curated ``environment`` cannot be built anywhere but in Azure, or ""."""
    entry = record(environment.name or "") or {}
    if not (entry.get("user_managed") and environment.python.user_managed_dependencies):
        return ""
    nearest = entry.get("current")
    hint = f" The nearest available environment is {nearest!r}." if nearest else ""
    return f"Environment {environment.name!r} is unavailable: its image was never published.{hint}"


def record(name: str) -> Json | None:
    """The entry for ``name`` in the data files, or None.

    ``left_out`` are packages that have no wheels and require MPI and a compiler, ``added`` are
    constraints against later releases; ``derived`` marks a definition that was never published,
    and ``current`` is the closest current name.
    """
    full_name = _names_by_lower().get(str(name).lower())
    return None if full_name is None else _records()[full_name]


def _conda_content(entry: Json) -> Json:
    dependencies: list[object] = [f"python={entry['python']}", *entry.get("conda", ())]
    pip = [*entry.get("pip", ()), *entry.get("added", ())]
    if pip:
        dependencies.append({"pip": pip})
    channels = entry.get("channels") or ["conda-forge"]
    return {"name": "project_environment", "dependencies": dependencies, "channels": channels}


@functools.cache
def _records() -> dict[str, Json]:
    folder = os.path.join(os.path.dirname(__file__), "curated_definitions")
    records: dict[str, Json] = {}
    for file_name in sorted(os.listdir(folder)):
        if file_name.endswith(".json"):
            with open(os.path.join(folder, file_name), encoding="utf-8") as handle:
                content = json.load(handle)
            for name, entry in content["environments"].items():
                records[name] = {"source": content["source"], **entry}
    return records


@functools.cache
def _names_by_lower() -> dict[str, str]:
    return {name.lower(): name for name in _records()}

"""A registered model's metadata: tags, datasets, and the artifacts it is registered from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from scriptrun.runtime.injob import artifacts
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.values import Value
from scriptrun.store.versions import VersionRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.core.run import Run


class ResourceConfiguration(Value, frozen=False):
    """The resources for serving a model: CPUs, memory in GB, GPUs. Recorded, but not used."""

    cpu: float | None = None
    memory_in_gb: float | None = None
    gpu: int | None = None

    def serialize(self) -> dict[str, Any]:
        """The values with v1's keys."""
        return {"cpu": self.cpu, "memoryInGB": self.memory_in_gb, "gpu": self.gpu}

    @staticmethod
    def deserialize(payload_obj: Mapping[str, Any]) -> ResourceConfiguration:
        """The values that ``serialize`` returned."""
        return ResourceConfiguration(
            payload_obj.get("cpu"), payload_obj.get("memoryInGB"), payload_obj.get("gpu")
        )


def facts(given: Mapping[str, Any]) -> VersionRecord:
    """A version's record, from the arguments of ``Model.register``."""
    resource = given.get("resource_configuration")
    return {
        "description": given.get("description"),
        "tags": texts(given.get("tags")),
        "properties": texts(given.get("properties")),
        "datasets": pairs(given.get("datasets") or ()),
        "framework": given.get("model_framework"),
        "framework_version": given.get("model_framework_version"),
        "sample_input": getattr(given.get("sample_input_dataset"), "id", None),
        "sample_output": getattr(given.get("sample_output_dataset"), "id", None),
        "resource": resource.as_dict() if isinstance(resource, ResourceConfiguration) else None,
        "created_by": os.environ.get("USER") or os.environ.get("LOGNAME") or "",
    }


def changes(given: Mapping[str, Any]) -> VersionRecord:
    """The changes to a version's record, from the arguments of ``Model.update``."""
    kept = {
        "description": "description",
        "tags": "tags",
        "sample_input_dataset": "sample_input",
        "sample_output_dataset": "sample_output",
        "resource_configuration": "resource",
    }
    made = facts(given)
    return {word: made[word] for name, word in kept.items() if name in given}


def texts(given: Any) -> dict[str, str]:
    """Tags as strings by name. Raises UserErrorException if they are not a dict."""
    if not given:
        return {}
    if isinstance(given, Mapping):
        return {str(key): str(value) for key, value in given.items()}
    raise UserErrorException(f"Tags and properties must be a dict of strings, not {given!r}.")


def pairs(datasets: Iterable[tuple[str, Any]]) -> list[list[str]]:
    """Datasets as [label, id] pairs. Raises UserErrorException if one is not a dataset."""
    try:
        return [[str(word), str(dataset.id)] for word, dataset in datasets]
    except (TypeError, ValueError, AttributeError):
        raise UserErrorException(
            "A model's datasets must be (label, dataset) pairs.",
            "For example: datasets=[('training data', dataset)].",
        ) from None


def has(there: Mapping[str, str], wanted: Any) -> bool:
    """Whether the tags include ``wanted``: names, (name, value) pairs, or a dict."""
    if not wanted:
        return True
    if isinstance(wanted, Mapping):
        return all(there.get(str(key)) == str(value) for key, value in wanted.items())
    for each in [wanted] if isinstance(wanted, str) else wanted:
        name, value = (each, None) if isinstance(each, str) else (each[0], each[1])
        if name not in there or (value is not None and there[name] != str(value)):
            return False
    return True


def artifacts_of(run: Run, path: str) -> tuple[dict[str, Path], str]:
    """The artifacts of a run at ``path`` (a file or a folder), and the name of their root."""
    name = artifacts.normalize_name(path)
    run.bring_home(name)
    root = name.rpartition("/")[2]
    alone = artifacts.path_of(run.path, name)
    if alone is not None:
        return {root: Path(alone)}, root
    below = [each for each in run.get_file_names() if each.startswith(name + "/")]
    if not below:
        known = [each for each in run.get_file_names() if each.startswith("outputs/")]
        raise UserErrorException(
            f"Run {run.id!r} has no file or folder {path!r}.",
            f"Files: {', '.join(known[:10]) or 'none'}.",
        )
    cut = len(name) - len(root)
    return {each[cut:]: Path(artifacts.path_of(run.path, each) or "") for each in below}, root


def number(version: object) -> int | None:
    """A version as an integer; None stays None. Raises UserErrorException if it is invalid."""
    if version is None:
        return None
    text = str(version)
    if text.isascii() and text.isdigit():
        return int(text)
    raise UserErrorException(f"A model version must be a number, not {version!r}.")

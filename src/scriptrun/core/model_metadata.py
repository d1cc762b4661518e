"""A registered model's metadata: tags, datasets, and the artifacts it is registered from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from scriptrun.runs import results
from scriptrun.runtime.injob import artifacts
from scriptrun.spec import states
from scriptrun.spec.control_characters import one_line
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.values import Value
from scriptrun.store.versions import VersionRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.run import Run
    from scriptrun.data.datasets.base import AbstractDataset
    from scriptrun.runtime.hints import Json

    #: names that must be there, (name, value) pairs, or a dict of values
    Criteria = Mapping[str, object] | Iterable[str | tuple[str, object]] | None

#: the variable with the ID of the run whose script this process belongs to
_RUN_VARIABLE = "SCRIPTRUN_RUN_ID"


class ResourceConfiguration(Value, frozen=False):
    """The resources for serving a model: CPUs, memory in GB, GPUs. Recorded, but not used."""

    cpu: float | None = None
    memory_in_gb: float | None = None
    gpu: int | None = None

    def serialize(self) -> Json:
        """The values with v1's keys."""
        return {"cpu": self.cpu, "memoryInGB": self.memory_in_gb, "gpu": self.gpu}

    @staticmethod
    def deserialize(payload_obj: Json) -> ResourceConfiguration:
        """The values that ``serialize`` returned."""
        return ResourceConfiguration(
            payload_obj.get("cpu"), payload_obj.get("memoryInGB"), payload_obj.get("gpu")
        )


def facts(arguments: Json) -> VersionRecord:
    """A version's record, from the arguments of ``Model.register``."""
    resource = arguments.get("resource_configuration")
    return {
        "description": arguments.get("description"),
        "tags": texts(arguments.get("tags")),
        "properties": texts(arguments.get("properties")),
        "datasets": pairs(arguments.get("datasets") or ()),
        "framework": arguments.get("model_framework"),
        "framework_version": arguments.get("model_framework_version"),
        "sample_input": getattr(arguments.get("sample_input_dataset"), "id", None),
        "sample_output": getattr(arguments.get("sample_output_dataset"), "id", None),
        "resource": resource.as_dict() if isinstance(resource, ResourceConfiguration) else None,
        "created_by": os.environ.get("USER") or os.environ.get("LOGNAME") or "",
    }


def changes(arguments: Json) -> VersionRecord:
    """The changes to a version's record, from the arguments of ``Model.update``."""
    keys = {
        "description": "description",
        "tags": "tags",
        "sample_input_dataset": "sample_input",
        "sample_output_dataset": "sample_output",
        "resource_configuration": "resource",
    }
    values = facts(arguments)
    return {key: values[key] for name, key in keys.items() if name in arguments}


def texts(tags: object) -> dict[str, str]:
    """Tags as strings by name; a list of names, as in code of 2018, gives them empty values.

    Raises UserErrorException for anything else.
    """
    if not tags:
        return {}
    if isinstance(tags, list | tuple) and all(isinstance(name, str) for name in tags):
        return dict.fromkeys(tags, "")
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    raise UserErrorException(f"Tags and properties must be a dict of strings, not {tags!r}.")


def pairs(datasets: Iterable[tuple[str, AbstractDataset]]) -> list[list[str]]:
    """Datasets as [label, id] pairs. Raises UserErrorException if one is not a dataset."""
    try:
        return [[str(label), str(dataset.id)] for label, dataset in datasets]
    except (TypeError, ValueError, AttributeError):
        raise UserErrorException(
            "A model's datasets must be (label, dataset) pairs.",
            "For example: datasets=[('training data', dataset)].",
        ) from None


def has_tags(tags: Mapping[str, str], expected: Criteria) -> bool:
    """Whether the tags include ``expected``: names, (name, value) pairs, or a dict."""
    if not expected:
        return True
    if isinstance(expected, Mapping):
        return all(tags.get(str(key)) == str(value) for key, value in expected.items())
    for item in [expected] if isinstance(expected, str) else expected:
        name, value = (item, None) if isinstance(item, str) else (item[0], item[1])
        if name not in tags or (value is not None and tags[name] != str(value)):
            return False
    return True


def artifacts_of(run: Run, path: str) -> tuple[dict[str, Path], str]:
    """The artifacts of a run at ``path`` (a file or a folder), and the name of their root."""
    name = artifacts.normalize_name(path)
    run.bring_home(name)
    root = name.rpartition("/")[2]
    single = artifacts.path_of(run.path, name)
    if single is not None:
        return {root: Path(single)}, root
    names = [file_name for file_name in run.get_file_names() if file_name.startswith(name + "/")]
    if name not in artifacts.SCRIPT_AREAS:  # a model's folder is registered whole
        names += artifacts.unchanged_names(run.path, name)
    names = sorted(names) or artifacts.names_below(run.path, name)
    if not names:
        error = results.not_yet(run, path)
        if error is not None:
            raise error
        outputs = [output for output in run.get_file_names() if output.startswith("outputs/")]
        raise UserErrorException(
            f"Run {run.id!r} has no file or folder {path!r}.",
            f"Files: {', '.join(outputs[:10]) or 'none'}.",
        )
    prefix_length = len(name) - len(root)
    return {
        artifact[prefix_length:]: Path(artifacts.path_of(run.path, artifact) or "")
        for artifact in names
    }, root


def origin(run: Run, path: str, files: Mapping[str, Path]) -> Json:
    """The part of a version's record that says which run it comes from, and in which state.

    ``from_source`` names the model's files that the run found in its source and did not change.
    """
    name = artifacts.normalize_name(path)
    prefix_length = len(name) - len(name.rpartition("/")[2])
    unchanged = [each[prefix_length:] for each in artifacts.unchanged_names(run.path, name)]
    return {
        "run_id": run.id,
        "experiment": run.job.experiment,
        "run_state": run.standing.state,
        "from_source": [each for each in unchanged if each in files],
    }


def doubt(run: Run, path: str) -> str:
    """Why the files of ``run`` at ``path`` may be no model that it made; else ""."""
    status, job = run.standing, run.job
    if status.state == states.FAILED:
        reason = f": {one_line(status.reason).rstrip('.')}" if status.reason else ""
        return f"Run {run.id!r} failed{reason}. Its files may be incomplete."
    if status.state == states.CANCELED:
        return f"Run {run.id!r} was canceled. Its files may be incomplete."
    is_submitted = not job.is_interactive  # those are runs of the process that registers
    if not status.is_final and is_submitted and os.environ.get(_RUN_VARIABLE) != run.id:
        return f"Run {run.id!r} has not ended ({status.state}). Its files may be incomplete."
    name = artifacts.normalize_name(path)
    unchanged = set(artifacts.unchanged_names(run.path, name))
    written = [each for each in run.get_file_names() if each.startswith(name + "/")]
    if unchanged and not written:
        return f"Run {run.id!r} did not write {path!r}: it is unchanged from the source directory."
    return ""


def version_number(version: object) -> int | None:
    """A version as an integer; None stays None. Raises UserErrorException if it is invalid."""
    if version is None:
        return None
    text = str(version)
    if text.isascii() and text.isdigit():
        return int(text)
    raise UserErrorException(f"A model version must be a number, not {version!r}.")

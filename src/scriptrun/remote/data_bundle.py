"""What a job's data needs in the workspace where it runs, when that is another than where it was
submitted: the lists of files, and the settings of datastores. Secrets never travel.
"""

from __future__ import annotations

import base64
from pathlib import Path

from scriptrun.data.datasets import manifest
from scriptrun.data.datastores import records as datastore_records
from scriptrun.registry.workspace_files import Home
from scriptrun.runtime import files
from scriptrun.spec.job import JobSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def pack(home: Home, job: JobSpec) -> dict[str, Any]:
    """A JSON value for ``unpack``; empty for a job without data."""
    inputs = job.data.get("inputs") or []
    pins = [each["dataset"] for each in inputs if each.get("dataset")]
    digests = {pin["manifest"] for pin in pins}
    places = [place for pin in pins for place in (*pin["roots"], *pin["definition"]["sources"])]
    named = [*places, *inputs, *(job.data.get("outputs") or [])]
    names = sorted({each["datastore"] for each in named if each.get("datastore")})
    return {
        "manifests": {each: _text(_file(home, each)) for each in sorted(digests)},
        "datastores": {name: datastore_records.get(home, name) for name in names},
    }


def unpack(home: Home, value: dict[str, Any]) -> None:
    """Keep in the workspace what ``pack`` gave. A list that is there already stays."""
    for name, record in value["datastores"].items():
        datastore_records.put(home, name, record, overwrite=True)
    for digest, text in value["manifests"].items():
        path = _file(home, digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            files.write_atomic(str(path), base64.b64decode(text))


def _file(home: Home, digest: str) -> Path:
    return manifest.file_of(home.directory / "manifests", digest)


def _text(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")

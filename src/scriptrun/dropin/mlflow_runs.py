"""Imports what mlflow logged to the workspace outside of jobs, as runs of the experiment.

Old code sets mlflow's tracking URI to ``ws.get_mlflow_tracking_uri()``, starts runs with mlflow and
looks for them with ``experiment.get_runs()``. That URI is an mlflow file store: a folder per
experiment, in it a folder per run, each with a ``meta.yaml``
(https://mlflow.org/docs/latest/self-hosting/architecture/backend-store/).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from scriptrun.core import experiment
from scriptrun.runtime.injob.metrics import mlflow_reader
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import yaml
else:
    yaml = later("yaml")

#: mlflow's numbers for the state "finished", and for all final states
_FINISHED, _ENDED = 3, (3, 4, 5)
#: the mlflow tag of an imported run; its value is the scriptrun run ID
_MARK = "scriptrun.run"
#: prefixes of tags that the user did not set
_OWN = ("mlflow.", _MARK)


def adopt(owner: experiment.Experiment) -> None:
    """Import each finished run of mlflow's experiment of that name, once."""
    for place, facts in _ended(owner.workspace.directory / "mlflow", owner.name):
        mark = place / "tags" / _MARK
        try:
            mark.touch(exist_ok=False)
        except OSError:
            continue  # it is imported, or another process is importing it
        mark.write_text(_taken(owner, place, facts), "utf-8")


def names(root: Path) -> set[str]:
    """Return the experiments in mlflow's file store ``root``, except its default one."""
    made = {str(_facts(path).get("name") or "") for path in root.glob("*/meta.yaml")}
    return made - {"", "Default"}


def _ended(root: Path, name: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the folder and metadata of each finished run, oldest first."""
    mine = [path.parent for path in root.glob("*/meta.yaml") if _facts(path).get("name") == name]
    found = [(path.parent, _facts(path)) for each in mine for path in each.glob("*/meta.yaml")]
    found.sort(key=lambda each: each[1].get("start_time") or 0)
    return (each for each in found if each[1].get("status") in _ENDED)


def _facts(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}  # mlflow is still writing it
    return found if isinstance(found, dict) else {}


def _taken(owner: experiment.Experiment, place: Path, facts: dict[str, Any]) -> str:
    """Create a run from mlflow's run in ``place`` and return its ID."""
    title = str(facts.get("run_name") or "")
    run = experiment.Experiment.start_logging(owner, snapshot_directory=None, display_name=title)
    kept = run.path / mlflow_reader.ROOT / "0" / place.name
    shutil.copytree(place / "metrics", kept / "metrics", dirs_exist_ok=True)
    for path in sorted((place / "artifacts").rglob("*")):
        if path.is_file():
            run.upload_file(path.relative_to(place / "artifacts").as_posix(), str(path))
    tags = {path.name: path.read_text("utf-8") for path in (place / "tags").glob("*")}
    run.set_tags({key: value for key, value in tags.items() if not key.startswith(_OWN)})
    run.add_properties({"mlflow.runId": place.name})
    if facts["status"] == _FINISHED:
        run.complete()
    else:
        run.fail("marked as failed or killed by mlflow")
    return str(run.id)

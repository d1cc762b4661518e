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

from scriptrun.config.yaml_text import as_text
from scriptrun.core import experiment
from scriptrun.runtime import file_walk
from scriptrun.runtime.injob.metrics import mlflow_reader
from scriptrun.store import document_limits, yaml_reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: mlflow's numbers for the state "finished", and for all final states
_FINISHED, _ENDED = 3, (3, 4, 5)
#: the mlflow tag of an imported run; its value is the scriptrun run ID
_IMPORTED_TAG = "scriptrun.run"
#: prefixes of tags that the user did not set
_INTERNAL_TAGS = ("mlflow.", _IMPORTED_TAG)


def adopt(owner: experiment.Experiment) -> None:
    """Import each finished run of mlflow's experiment of that name, once."""
    for folder, facts in _ended_runs(owner.workspace.directory / "mlflow", owner.name):
        marker = folder / "tags" / _IMPORTED_TAG
        try:
            marker.touch(exist_ok=False)
        except OSError:
            continue  # it is imported, or another process is importing it
        marker.write_text(_import_run(owner, folder, facts), "utf-8")


def experiment_names(root: Path) -> set[str]:
    """Return the experiments in mlflow's file store ``root``, except its default one."""
    experiments = {_name(path) for path in root.glob("*/meta.yaml")}
    return experiments - {"", "Default"}


def _ended_runs(root: Path, name: str) -> Iterator[tuple[Path, Json]]:
    """Yield the folder and metadata of each finished run, oldest first."""
    experiment_folders = [path.parent for path in root.glob("*/meta.yaml") if _name(path) == name]
    runs = [
        (path.parent, _read_facts(path))
        for folder in experiment_folders
        for path in folder.glob("*/meta.yaml")
    ]
    runs.sort(key=lambda run: run[1].get("start_time") or 0)
    return (ended_run for ended_run in runs if ended_run[1].get("status") in _ENDED)


def _name(path: Path) -> str:
    return str(_read_facts(path).get("name") or "")


def _read_facts(path: Path) -> Json:
    try:
        content = as_text(yaml_reader.parse(document_limits.read_text(path), keep_text=True))
    except (OSError, ValueError):
        return {}  # mlflow is still writing it
    return content if isinstance(content, dict) else {}


def _import_run(owner: experiment.Experiment, folder: Path, facts: Json) -> str:
    """Create a run from mlflow's run in ``folder`` and return its ID."""
    title = str(facts.get("run_name") or "")
    run = experiment.Experiment.start_logging(owner, snapshot_directory=None, display_name=title)
    destination = run.path / mlflow_reader.ROOT / "0" / folder.name
    shutil.copytree(folder / "metrics", destination / "metrics", dirs_exist_ok=True)
    for name in sorted(file_walk.files_below(folder / "artifacts")):
        run.upload_file(name, str(folder / "artifacts" / name))
    tags = {path.name: path.read_text("utf-8") for path in (folder / "tags").glob("*")}
    run.set_tags({key: value for key, value in tags.items() if not key.startswith(_INTERNAL_TAGS)})
    run.add_properties({"mlflow.runId": folder.name})
    if facts["status"] == _FINISHED:
        run.complete()
    else:
        run.fail("marked as failed or killed by mlflow")
    return str(run.id)

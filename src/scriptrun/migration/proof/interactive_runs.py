"""What the runs that the code itself was (``start_logging``) have left, to be compared."""

from __future__ import annotations

from scriptrun.core.run import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.workspace import Workspace
    from scriptrun.runtime.hints import Json


def describe(workspace: Workspace) -> list[Json]:
    """The workspace's interactive runs, oldest first: names of metrics and files, not values."""
    records = [*workspace.runs_folder.glob("*/*/job.json")]
    records.sort(key=lambda path: path.stat().st_mtime_ns)
    runs = [Run.at(workspace, path.parent) for path in records]
    numbers = {run.id: number for number, run in enumerate(runs, 1)}
    return [
        {
            "id": run.id,
            "experiment": run.job.experiment,
            "display_name": "" if run.display_name == run.id else run.display_name,
            "child_of": numbers.get(run.job.parent or ""),
            "state": run.get_status(),
            "tags": run.get_tags(),
            "metrics": sorted(run.get_metrics()),
            "files": sorted(run.get_file_names()),
        }
        for run in runs
    ]

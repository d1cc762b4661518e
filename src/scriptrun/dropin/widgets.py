"""``azureml.widgets``: a run's state in one line."""

from __future__ import annotations

from scriptrun.run import Run
from scriptrun.spec.hints import Any


class RunDetails:
    """Shows ``run_instance``: a line with its state and where it lies."""

    def __init__(self, run_instance: Run) -> None:
        self.run = run_instance

    def show(self, render_lib: Any = None, widget_settings: Any = None) -> None:
        """Print the run's id, its state, and the link to its folder; nothing is waited for."""
        run = self.run
        print(f"{run.id}: {run.get_status()}  {run.get_portal_url()}", flush=True)

    def get_widget_data(self, widget_settings: Any = None) -> dict[str, Any]:
        """What is known of the run."""
        return self.run.get_details()

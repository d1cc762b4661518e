"""``azureml.widgets``: a live view of a run's state, metrics and last log lines."""

from __future__ import annotations

import sys
import threading
import time
from html import escape

from scriptrun.core.run import Run
from scriptrun.runs import follow
from scriptrun.spec import states
from scriptrun.spec.run_kinds import run_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Protocol

    from scriptrun.runtime.hints import Json

    class DisplayHandle(Protocol):
        """What ``IPython.display.display`` returns: an output that can be replaced."""

        def update(self, content: object, /) -> object:
            """Replace the output."""
            ...


#: seconds between updates, and the number of log lines shown
POLL_SECONDS, LOG_LINES = 1.0, 10


class RunDetails:
    """Shows ``run_instance``: a live box in a notebook, else one line."""

    def __init__(self, run_instance: Run) -> None:
        self.run = run_instance
        self._follower: threading.Thread | None = None

    def show(self, render_lib: object = None, widget_settings: object = None) -> None:
        """Show the run and return immediately, so that the kernel is not blocked.

        Where no one watches (no kernel, and output that is no terminal) it waits for the run: what
        follows is no next cell that a person runs later, but reads the results at once. A run of
        this process is only shown.
        """
        display = _display()
        if display is None:
            run = self.run
            if not sys.stdout.isatty() and not follow.is_own(run):
                follow.wait(run, show_output=False)
            print(f"{run.id}: {run.get_status()}  {run.get_portal_url()}", flush=True)
            return
        handle = display.display(display.HTML(render(self.run)), display_id=True)
        thread = threading.Thread(target=self._follow, args=(display, handle), daemon=True)
        self._follower = thread
        thread.start()

    def get_widget_data(self, widget_settings: object = None) -> Json:
        """Return the run's details."""
        return self.run.get_details()

    def _follow(self, display: ModuleType, handle: DisplayHandle) -> None:
        shown_html = ""
        while True:
            finished = states.is_terminal(self.run.get_status())
            html = render(self.run)
            if html != shown_html:
                handle.update(display.HTML(html))
                shown_html = html
            if finished:
                return
            time.sleep(POLL_SECONDS)


def render(run: Run) -> str:
    """Render the run as HTML: state, reason, latest metrics and the end of the log."""
    status = run.standing
    facts = {"Run": run.id, "Experiment": run.job.experiment, "Status": status.state}
    if status.reason:
        facts["Reason"] = status.reason
    metrics = _best(run) if run_kind(run.type).has_children else _metrics(run)
    log = follow.last_lines(run.path / follow.script_logs(run.job)[0], LOG_LINES)
    tables = _table(facts) + (_table(metrics) if metrics else "")
    return f"{tables}<pre>{escape(log)}</pre>" if log else tables


def _metrics(run: Run) -> dict[str, str]:
    return {name: _latest(value) for name, value in run.get_metrics().items()}


def _best(run: Run) -> dict[str, str]:
    """Return the best runs of a sweep, with their metric and parameters."""
    rows = run.get_children_sorted_by_primary_metric(top=5)
    return {
        row["run_id"]: f"{_latest(row['best_primary_metric'])}  {row['hyperparameters']}  "
        f"{row['status']}"
        for row in rows
    }


def _latest(value: object) -> str:
    latest = value[-1] if isinstance(value, list) and value else value
    return f"{latest:.6g}" if isinstance(latest, float) else str(latest)[:80]


def _table(rows: dict[str, str]) -> str:
    cells = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in rows.items()
    )
    return f"<table>{cells}</table>"


def _display() -> ModuleType | None:
    """Return ``IPython.display`` if this process is a notebook's kernel."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return sys.modules.get("IPython.display") if hasattr(shell, "kernel") else None

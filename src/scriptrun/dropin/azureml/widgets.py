"""``azureml.widgets``: a run's state, metrics and last lines, kept up to date in a notebook."""

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
    from typing import Any

#: seconds between two looks at a run, and how many lines of its log are shown
EVERY, LINES = 1.0, 10


class RunDetails:
    """Shows ``run_instance``: in a notebook a box that follows it, in a terminal one line."""

    def __init__(self, run_instance: Run) -> None:
        self.run = run_instance
        self._follower: threading.Thread | None = None

    def show(self, render_lib: Any = None, widget_settings: Any = None) -> None:
        """Show the run and return at once: the kernel is not blocked."""
        display = _display()
        if display is None:
            run = self.run
            print(f"{run.id}: {run.get_status()}  {run.get_portal_url()}", flush=True)
            return
        handle = display.display(display.HTML(box(self.run)), display_id=True)
        follow = threading.Thread(target=self._follow, args=(display, handle), daemon=True)
        self._follower = follow
        follow.start()

    def get_widget_data(self, widget_settings: Any = None) -> dict[str, Any]:
        """What is known of the run."""
        return self.run.get_details()

    def _follow(self, display: Any, handle: Any) -> None:
        shown = ""
        while True:
            over = states.is_terminal(self.run.get_status())
            now = box(self.run)
            if now != shown:
                handle.update(display.HTML(now))
                shown = now
            if over:
                return
            time.sleep(EVERY)


def box(run: Run) -> str:
    """The run as HTML: its state and reason, its metrics' latest values, the end of its log."""
    standing = run.standing
    facts = {"Run": run.id, "Experiment": run.job.experiment, "Status": standing.state}
    if standing.reason:
        facts["Reason"] = standing.reason
    metrics = _best(run) if run_kind(run.type).has_children else _metrics(run)
    log = follow.last_lines(run.path / follow.script_logs(run.job)[0], LINES)
    tables = _table(facts) + (_table(metrics) if metrics else "")
    return f"{tables}<pre>{escape(log)}</pre>" if log else tables


def _metrics(run: Run) -> dict[str, str]:
    return {name: _latest(value) for name, value in run.get_metrics().items()}


def _best(run: Any) -> dict[str, str]:
    """The best runs of a sweep, with what they were given."""
    rows = run.get_children_sorted_by_primary_metric(top=5)
    return {
        row["run_id"]: f"{_latest(row['best_primary_metric'])}  {row['hyperparameters']}  "
        f"{row['status']}"
        for row in rows
    }


def _latest(value: Any) -> str:
    last = value[-1] if isinstance(value, list) and value else value
    return f"{last:.6g}" if isinstance(last, float) else str(last)[:80]


def _table(rows: dict[str, str]) -> str:
    cells = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in rows.items()
    )
    return f"<table>{cells}</table>"


def _display() -> Any:
    """IPython's module for showing things, where this process is a notebook's kernel."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return sys.modules.get("IPython.display") if hasattr(shell, "kernel") else None

"""``azureml.widgets``: a live view of a run's state, metrics and last log lines."""

from __future__ import annotations

import sys
import threading
import time
from html import escape

from scriptrun.core.run import Run
from scriptrun.runs import details as run_details
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

        def update(self, content: object, /, *, raw: bool) -> object:
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

        Without a kernel and a terminal, it waits for the run, because the code that follows is not
        a cell that somebody runs later: it reads the results at once. For a run of this process,
        it never waits.
        """
        display = _display()
        if display is None:
            run = self.run
            if not sys.stdout.isatty() and not follow.is_own(run):
                follow.wait(run, show_output=False)
            print(f"{run.id}: {run.get_status()}  {run.get_portal_url()}", flush=True)
            return
        handle = display.display(_bundle(self.run), raw=True, display_id=True)
        thread = threading.Thread(target=self._follow, args=(handle,), daemon=True)
        self._follower = thread
        thread.start()

    def get_widget_data(self, widget_settings: object = None) -> Json:
        """Return the run's details."""
        return self.run.get_details()

    def __repr__(self) -> str:
        return render_text(self.run)

    def _repr_html_(self) -> str:
        return render(self.run)

    def _follow(self, handle: DisplayHandle) -> None:
        shown: dict[str, str] = {}
        while True:
            finished = states.is_terminal(self.run.get_status())
            bundle = _bundle(self.run)
            if bundle != shown:
                handle.update(bundle, raw=True)
                shown = bundle
            if finished:
                return
            time.sleep(POLL_SECONDS)


def render(run: Run) -> str:
    """Render the run as HTML: state, reason, latest metrics and the end of the log."""
    facts, metrics, log = _parts(run)
    tables = _table(facts) + (_table(metrics) if metrics else "")
    return f"{tables}<pre>{escape(log)}</pre>" if log else tables


def render_text(run: Run) -> str:
    """Render the same as text."""
    facts, metrics, log = _parts(run)
    blocks = [run_details.as_lines(facts), run_details.as_lines(metrics), log.rstrip("\n")]
    return "\n\n".join(filter(None, blocks))


def _bundle(run: Run) -> dict[str, str]:
    """What a notebook shows, by media type."""
    return {"text/html": render(run), "text/plain": render_text(run)}


def _parts(run: Run) -> tuple[dict[str, str], dict[str, str], str]:
    """The run's state, its latest metrics, and the end of its log."""
    status = run.standing
    facts = {"Run": run.id, "Experiment": run.job.experiment, "Status": status.state}
    if status.reason:
        facts["Reason"] = status.reason
    has_children = run_kind(run.type).has_children
    metrics = _best(run) if has_children else run_details.latest_metrics(run)
    log = follow.last_lines(run.path / follow.script_logs(run.job)[0], LOG_LINES)
    return facts, metrics, log


def _best(run: Run) -> dict[str, str]:
    """Return the best runs of a sweep, with their metric and parameters."""
    rows = run.get_children_sorted_by_primary_metric(top=5)
    latest = run_details.format_latest
    return {
        row["run_id"]: f"{latest(row['best_primary_metric'])}  {row['hyperparameters']}  "
        f"{row['status']}"
        for row in rows
    }


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

"""``azureml.tensorboard.export``: recorded metrics as event files for TensorBoard."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path

from scriptrun.core.experiment import Experiment
from scriptrun.core.run import Run
from scriptrun.dropin.azureml import tensorboard
from scriptrun.runs import metric_history

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence

    from scriptrun.runs.metric_history import MetricPoint

#: how the names of these files end: exporting again replaces them
_SUFFIX = ".scriptrun"


def export_to_tensorboard(
    run_data: Run | Sequence[Run] | Experiment,
    logsdir: str | os.PathLike[str],
    logger: logging.Logger | None = None,
    recursive: bool = True,
) -> None:
    """Write the metrics of runs to ``logsdir``, in one folder per run, named by the run's ID.

    ``run_data`` is a run, several, or an experiment with all its runs; ``recursive`` includes child
    runs. Numbers become scalars: a value without a step gets its place in the series, and a row's
    columns become ``NAME/COLUMN``. Other values are left out; ``logger`` lists their names.
    Exporting a run again replaces its files. Raises UserErrorException if TensorBoard is not
    installed.
    """
    tensorboard.require()
    listed = list(run_data.get_runs()) if isinstance(run_data, Experiment) else run_data
    runs = tensorboard.as_runs(listed, "export_to_tensorboard")
    for run in tensorboard.with_children(runs) if recursive else runs:
        skipped = _export(run, Path(logsdir) / run.id)
        if logger is not None:
            logger.info("Exported run %s to %s", run.id, Path(logsdir) / run.id)
            for name in skipped:
                logger.warning("Metric %s of run %s has no numbers", name, run.id)


def _export(run: Run, folder: Path) -> list[str]:
    """Write the run's numbers, and return the names of metrics without any."""
    names = list(run.get_metrics())
    scalars = {name: list(_scalars(name, metric_history.points(run.path, name))) for name in names}
    for old in folder.glob(f"events.out.tfevents.*{_SUFFIX}"):
        old.unlink()
    writer_module = importlib.import_module("tensorboard.summary.writer.event_file_writer")
    protos = importlib.import_module("tensorboard.compat.proto.event_pb2")
    summaries = importlib.import_module("tensorboard.compat.proto.summary_pb2")
    writer = writer_module.EventFileWriter(str(folder), filename_suffix=_SUFFIX)
    for found in scalars.values():
        for tag, step, value, seconds in found:
            entry = summaries.Summary.Value(tag=tag, simple_value=value)
            summary = summaries.Summary(value=[entry])
            writer.add_event(protos.Event(wall_time=seconds, step=step, summary=summary))
    writer.close()
    return [name for name, found in scalars.items() if not found]


def _scalars(name: str, points: Iterator[MetricPoint]) -> Iterator[tuple[str, int, float, float]]:
    """Each number of a metric: tag, step, value, and seconds since 1970."""
    for number, point in enumerate(points):
        step = number if point.step is None else int(point.step)
        row = point.value if isinstance(point.value, dict) else {"": point.value}
        for column, value in row.items():
            if isinstance(value, int | float):
                tag = f"{name}/{column}" if column else name
                yield tag, step, float(value), point.time.timestamp()

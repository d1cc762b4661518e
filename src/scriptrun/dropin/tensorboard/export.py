"""``azureml.tensorboard.export``: recorded metrics as event files of TensorBoard."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from numbers import Real

from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger

    from scriptrun.core.run import Run
    from scriptrun.runtime.hints import Json


def export_to_tensorboard(
    run_data: Run | Iterable[Run] | Json,
    logsdir: str | os.PathLike[str],
    logger: Logger | None = None,
    recursive: bool = True,
) -> None:
    """Write the metrics of runs below ``logsdir``, for ``tensorboard --logdir``.

    ``run_data`` is a run, several, or a dict of metrics by name. A number and each entry of a list
    become a scalar at its step, each column of a table a separate scalar, and anything else text.
    Several runs, and with ``recursive`` the children of a run, have a folder each, named after
    their IDs. Raises UserErrorException if tensorboard is not installed.
    """
    if isinstance(run_data, dict):
        return _write(str(logsdir), run_data)
    runs = list(run_data) if isinstance(run_data, Iterable) else [run_data]
    for run in runs:
        folder = str(logsdir) if len(runs) == 1 else os.path.join(logsdir, run.id)
        _export_run(run, folder, logger)
        for child in run.get_children(recursive=True) if recursive else ():
            _export_run(child, os.path.join(logsdir, child.id), logger)
    return None


def _export_run(run: Run, folder: str, logger: Logger | None) -> None:
    metrics = run.get_metrics()
    if logger is not None:
        logger.info("Exporting %d metrics of run %s", len(metrics), run.id)
    _write(folder, metrics)


def _write(folder: str, metrics: Json) -> None:
    """Write one event file with ``metrics`` into ``folder``."""
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
        from tensorboard.util.tensor_util import make_tensor_proto
    except ImportError:
        raise not_installed() from None
    os.makedirs(folder, exist_ok=True)
    writer = EventFileWriter(folder)
    text_plugin = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    for tag, step, value in _points(metrics):
        if isinstance(value, float):
            point = Summary.Value(tag=tag, simple_value=value)
        else:
            tensor = make_tensor_proto([value])
            point = Summary.Value(tag=tag, metadata=text_plugin, tensor=tensor)
        writer.add_event(Event(step=step, wall_time=time.time(), summary=Summary(value=[point])))
    writer.close()


def _points(metrics: Json) -> Iterator[tuple[str, int, float | str]]:
    """Each value of ``metrics`` with its tag and step."""
    for name, value in metrics.items():
        columns = value.items() if isinstance(value, dict) else [("", value)]
        for column, entries in columns:
            tag = f"{name}/{column}" if column else name
            for step, entry in enumerate(entries if isinstance(entries, list) else [entries]):
                yield tag, step, _plain(entry)


def _plain(value: object) -> float | str:
    if isinstance(value, Real):
        return float(value)
    return value if isinstance(value, str) else json.dumps(value, default=str)


def not_installed() -> UserErrorException:
    """The error where tensorboard is missing."""
    return UserErrorException(
        "TensorBoard is not installed in this environment.", "Run: pip install tensorboard"
    )

"""Read the metrics that MLflow logged in a run (Python 3.6+).

The layout is that of MLflow's file store; see scriptrun.runtime.mlflow_store.
"""

import os

from scriptrun.runtime.files import open_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriptrun.runtime.hints import Json, StrPath


ROOT = "mlflow"


def lines(folder: "StrPath") -> "Iterator[list[Json]]":
    """The metrics that MLflow logged in the run at ``folder``: a list of dicts per metric."""
    top = os.path.join(str(folder), ROOT)
    if not os.path.isdir(top):
        return
    for current, folders, names in os.walk(top):
        folders.sort()
        parts = os.path.relpath(current, top).split(os.sep)
        if len(parts) < 3 or parts[2] != "metrics":
            continue
        for name in sorted(names):
            yield _read_metric("/".join(parts[3:] + [name]), os.path.join(current, name))


def _read_metric(name: str, path: str) -> "list[Json]":
    """The values of one metric: each line has the time in milliseconds, value and step."""
    entries = []
    try:
        with open_record(path) as file:
            for line in file:
                words = line.decode("utf-8", "replace").split()
                try:
                    if len(words) >= 2:
                        entries.append(_line(float(words[0]) / 1000, name, words[1], words[2:3]))
                except (ValueError, OverflowError):
                    continue  # half written: the other lines still count
    except OSError:
        pass
    return entries


def _line(seconds: float, name: str, value: str, step: "list[str]") -> "Json":
    number = float(value)
    finite = number - number == 0
    line = {
        "t": seconds,
        "m": name,
        "k": "scalar",
        "v": number if finite else _special_name(number),
    }
    if not finite:
        line["f"] = 1
    if step and step[0] != "0":
        line["s"] = int(step[0])
    return line


def _special_name(number: float) -> str:
    if number in (float("inf"), float("-inf")):
        return "Infinity" if number > 0 else "-Infinity"
    return "NaN"

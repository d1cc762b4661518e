"""Read the metrics that MLflow logged in a run (Python 3.6+).

The layout is that of MLflow's file store; see scriptrun.runtime.mlflow_store.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriptrun.runtime.hints import Json, Place


ROOT = "mlflow"


def lines(folder: "Place") -> "Iterator[list[Json]]":
    """The metrics that MLflow logged in the run at ``folder``: a list of dicts per metric."""
    top = os.path.join(str(folder), ROOT)
    if not os.path.isdir(top):
        return
    for place, folders, names in os.walk(top):
        folders.sort()
        inside = os.path.relpath(place, top).split(os.sep)
        if len(inside) < 3 or inside[2] != "metrics":
            continue
        for name in sorted(names):
            yield _of("/".join(inside[3:] + [name]), os.path.join(place, name))


def _of(name: str, path: str) -> "list[Json]":
    """The values of one metric: each line has the time in milliseconds, value and step."""
    found = []
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                words = line.split()
                if len(words) >= 2:
                    found.append((float(words[0]) / 1000, name, words[1], words[2:3]))
    except (OSError, ValueError):
        pass  # still being written
    return [_line(*each) for each in found]


def _line(when: float, name: str, value: str, step: "list[str]") -> "Json":
    number = float(value)
    finite = number - number == 0
    made = {"t": when, "m": name, "k": "scalar", "v": number if finite else _word(number)}
    if not finite:
        made["f"] = 1
    if step and step[0] != "0":
        made["s"] = int(step[0])
    return made


def _word(number: float) -> str:
    if number in (float("inf"), float("-inf")):
        return "Infinity" if number > 0 else "-Infinity"
    return "NaN"

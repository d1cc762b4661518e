"""Solve conda packages without a pin as of the newest pin's release, by the channels' timestamps.

A package's timestamp is when it was built
(https://github.com/conda/schemas/blob/main/repodata-record-1.schema.json).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from scriptrun.environments.conda import relax_pins as conda_relax_pins
from scriptrun.environments.conda.errors import Unsolvable
from scriptrun.spec.environment import TOOLS, is_pin
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: solves specifications as of the end of a day
Solve = Callable[[Sequence[str], str], "Json"]


class DatedSolution(Value):
    """rattler's answer, the day as of which it was solved ("" for none) and notes about it.

    ``release`` is what the day is the date of: "DAY NAME==VERSION".
    """

    answer: Json
    as_of: str = ""
    release: str = ""
    notes: tuple[str, ...] = ()


def resolve(specs: Sequence[str], undated: Json, solve: Solve, other: str = "") -> DatedSolution:
    """Solve ``specs`` again as of the newest pin's day; ``undated`` is their solution now.

    ``other`` is a pin that is not among ``specs``, like ``DatedSolution.release``.
    """
    records = {record["name"]: record for record in undated["records"]}
    release = max([*_releases(specs, records), *([other] if is_pin(other) else ())], default="")
    if not release:
        return DatedSolution(undated)
    first, pin = release.split(" ")
    label = pin.replace("==", " ")
    fixed = [_fixed(spec, records) for spec in specs]
    for day in _days(datetime.date.fromisoformat(first)):
        try:
            answer = solve(fixed, f"{day + datetime.timedelta(days=1)}T00:00:00+00:00")
        except Unsolvable:
            continue
        note = f"packages without a pin are resolved as of {day}"
        if str(day) == first:
            note += f", the date of {label}."
        else:
            note += f": as of {first}, the date of {label}, they have no solution."
        is_same = _names(answer) == _names(undated)
        return DatedSolution(answer, str(day), release, () if is_same else (note,))
    note = f"packages without a pin are the newest: as of {first}, the date of {label}, "
    return DatedSolution(undated, "", release, (f"{note}they have no solution.",))


def _releases(specs: Iterable[str], records: dict[str, Json]) -> Iterator[str]:
    """The days of the pinned packages with their names and versions."""
    for spec in specs:
        pin = _exact_pin(spec)
        record = records.get(pin.name) if pin is not None else None
        if record is not None and record.get("timestamp"):
            seconds = record["timestamp"] / 1000
            day = datetime.datetime.fromtimestamp(seconds, datetime.UTC).date()
            yield f"{day} {record['name']}=={record['version']}"


def _exact_pin(spec: str) -> conda_relax_pins.CondaPin | None:
    pin = None if re.search(r"[<>~]", spec) else conda_relax_pins.parse_pin(spec)
    return None if pin is None or pin.name in ("python", *TOOLS) else pin


def _fixed(spec: str, records: dict[str, Json]) -> str:
    """``spec`` with the version that was found: pins and Python stay as they are."""
    pin = _exact_pin(spec)
    if pin is not None and pin.name in records:
        return f"{pin.name} =={records[pin.name]['version']}"
    if re.match(r"python(?![\w-])", spec):
        return "python {}.{}.*".format(*str(records["python"]["version"]).split("."))
    return spec


def _days(first: datetime.date) -> Iterator[datetime.date]:
    """``first``, and later days at growing distances until today."""
    today = datetime.datetime.now(datetime.UTC).date()
    day, step = first, datetime.timedelta(days=30)
    while day < today:
        yield day
        day, step = day + step, step * 2


def _names(answer: Json) -> set[tuple[str, str, str]]:
    return {(each["name"], each["version"], each["build"]) for each in answer["records"]}

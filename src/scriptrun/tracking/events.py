"""Read a run's events, merged from all writers, and write further ones."""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun.runtime import events as runtime_events
from scriptrun.runtime import files, identity
from scriptrun.spec import states
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from scriptrun.runtime.hints import Json


def later_writer(folder: Path, who: str = "user") -> runtime_events.EventWriter:
    """An event writer for a process that is neither submitter nor launcher."""
    return runtime_events.EventWriter(
        folder, f"{who}-{identity.host()}-{os.getpid()}-{files.unique(8)}"
    )


def read(folder: Path) -> list[Json]:
    """All events of the run, by time, then writer, then position in the file."""
    merged: list[Json] = runtime_events.read_all(folder)
    return merged


class RunFacts(Value, frozen=False):
    """The combined content of a run's events."""

    state: str | None = None
    state_reason: str = ""
    tags: dict[str, str | None] = fresh(default_factory=dict)
    properties: dict[str, str] = fresh(default_factory=dict)
    display_name: str | None = None
    description: str | None = None
    failure: Json | None = None
    completed: float | None = None
    uncaught: str = ""
    began: Json | None = None
    running: float | None = None
    environment: Json | None = None
    marks: dict[str, float] = fresh(default_factory=dict)
    messages: list[Json] = fresh(default_factory=list)


def collect_facts(events: list[Json]) -> RunFacts:
    """Combine ``events``, in order, into RunFacts."""
    result = RunFacts()
    for event in events:
        fold = _FOLDS.get(event["kind"])
        if fold is not None:
            fold(result, event)
    return result


def _state(result: RunFacts, event: Json) -> None:
    """Keep the most advanced state, not the latest by time, as a clock may have been set back."""
    if _state_rank(event["state"]) >= max(0, _state_rank(result.state)):
        result.state = event["state"]
        result.state_reason = event.get("reason", "")
    if event["state"] == "Running":
        result.running = event.get("t")


def _state_rank(state: str | None) -> int:
    return states.ORDER.index(state) if state in states.ORDER else -1


def _began(result: RunFacts, event: Json) -> None:
    result.began = event


def _tag(result: RunFacts, event: Json) -> None:
    result.tags.update(event.get("set") or {})
    for name in event.get("remove") or ():
        result.tags.pop(name, None)


def _properties(result: RunFacts, event: Json) -> None:
    for name, value in (event.get("set") or {}).items():
        result.properties.setdefault(name, value)


def _fold_value(attribute: str) -> Callable[[RunFacts, Json], None]:
    def fold(result: RunFacts, event: Json) -> None:
        setattr(result, attribute, event.get("value"))

    return fold


def _fail(result: RunFacts, event: Json) -> None:
    message = event.get("message")
    result.failure = event if message is None else {**event, "message": str(message)}


def _complete(result: RunFacts, event: Json) -> None:
    result.completed = event.get("t")


def _uncaught(result: RunFacts, event: Json) -> None:
    result.uncaught = str(event.get("message") or "")


def _mark(result: RunFacts, event: Json) -> None:
    """Note since when the run has a mark; see ``run_marks``. A damaged event changes nothing."""
    name, moment = event.get("name"), event.get("t")
    if not isinstance(name, str):
        return
    if not event.get("on"):
        result.marks.pop(name, None)
    elif isinstance(moment, int | float):
        result.marks.pop(name, None)
        result.marks[name] = moment


def _environment(result: RunFacts, event: Json) -> None:
    result.environment = event


def _message(result: RunFacts, event: Json) -> None:
    result.messages.append({**event, "message": str(event.get("message", ""))})


_FOLDS = {
    "state": _state,
    "began": _began,
    "tag": _tag,
    "properties": _properties,
    "display_name": _fold_value("display_name"),
    "description": _fold_value("description"),
    "fail": _fail,
    "complete": _complete,
    "uncaught": _uncaught,
    "environment": _environment,
    "mark": _mark,
    "note": _message,
    "warning": _message,
    "late": _message,
}

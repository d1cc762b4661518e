"""Where a run's time went: the phases of each attempt, from the run's events and results."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence

from scriptrun.query import moments
from scriptrun.runtime import events as runtime_events
from scriptrun.runtime import results
from scriptrun.spec import states
from scriptrun.spec.values import Value
from scriptrun.tracking import run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from scriptrun.runtime.hints import Json
    from scriptrun.spec.job import JobSpec
    from scriptrun.tracking.run_state import RunState

    #: when a phase began, and its name
    Mark = tuple[float, str]

SUBMITTING, QUEUED, ENVIRONMENT, SNAPSHOT = "submitting", "queued", "environment", "snapshot"
DATA, NODES, SCRIPT, UPLOAD, FINALIZING = "data", "nodes", "script", "upload", "finalizing"
#: the phases in their order, and what people read
LABELS = {
    SUBMITTING: "submitting",
    QUEUED: "waiting in the queue",
    ENVIRONMENT: "building the environment",
    SNAPSHOT: "copying the snapshot",
    DATA: "preparing the data",
    NODES: "waiting for other nodes",
    SCRIPT: "running the script",
    UPLOAD: "uploading the outputs",
    FINALIZING: "finalizing",
}


class Attempt(Value):
    """An attempt of a run: how it ended ("" while it is active), and the seconds of its phases.

    ``current`` is the phase that an active attempt is in.
    """

    number: int
    state: str
    seconds: dict[str, float]
    current: str = ""

    @property
    def total(self) -> float:
        """The seconds from submission, or from the end of the attempt before, to the end."""
        return sum(self.seconds.values())

    def as_dict(self) -> Json:
        """The attempt for JSON."""
        seconds = {name: round(value, 3) for name, value in self.seconds.items()}
        return {"attempt": self.number, "state": self.state or None, "seconds": seconds}


def attempts(
    folder: Path, job: JobSpec, all_events: Sequence[Json], status: RunState
) -> list[Attempt]:
    """The attempts of the run in ``folder``; the last one may be active, or queued again."""
    submitted = _at_submission(job, all_events)
    start = submitted[0][0] if submitted else None
    if start is None:
        return []  # a damaged record
    found: list[Attempt] = []
    numbers = run_folder.attempts(folder) or [1]
    for number in numbers:
        is_last = number == numbers[-1]
        result = _result(folder, number, not is_last or status.state == states.QUEUED)
        end = _end(result, status if is_last else None)
        is_lost = end is None and not is_last  # as its node was: nothing says when
        if is_lost:
            following = _began(folder, all_events, numbers[numbers.index(number) + 1])
            end = max(start, submitted[-1][0]) if following is None else following
        until = time.time() if end is None else end
        within = [event for event in all_events if "t" in event and start <= event["t"] <= until]
        marks = [*(submitted if not found else [(start, QUEUED)]), *_preparation(within)]
        marks += _on_node(within, job, number, result)
        ended = states.FAILED if is_lost else status.state if end is not None else ""
        state = str(result["state"]) if result else ended
        found.append(_attempt(number, state, marks, until))
        start = max(start, until)
        if end is not None and is_last and not status.is_final:
            found.append(_attempt(number + 1, "", [(start, QUEUED)], time.time()))
    return found


def _attempt(number: int, state: str, marks: list[Mark], until: float) -> Attempt:
    """An attempt whose phases begin at ``marks``; a clock that differs makes none negative."""
    seconds = dict.fromkeys(LABELS, 0.0)
    latest = marks[0][0]
    ends = [*(begins for begins, _ in marks[1:]), until]
    for (_, phase), end in zip(marks, ends, strict=True):
        seconds[phase] += max(0.0, end - latest)
        latest = max(latest, end)
    passed = {phase for _, phase in marks}
    current = "" if state else marks[-1][1]
    return Attempt(number, state, {k: v for k, v in seconds.items() if k in passed}, current)


def _at_submission(job: JobSpec, all_events: Sequence[Json]) -> list[Mark]:
    created = moments.epoch_seconds(job.created)
    queued = next((event["t"] for event in all_events if _is_state(event, states.QUEUED)), None)
    marks = [(created, SUBMITTING)] if created else []
    return marks if queued is None else [*marks, (queued, QUEUED)]


def _preparation(within: Sequence[Json]) -> Iterator[Mark]:
    """The build of the environment before the run is handed to its target."""
    is_building = False
    for event in within:
        reason = event.get("reason", "")
        if _is_state(event, states.PREPARING) and reason == "building its environment":
            is_building = True
            yield event["t"], ENVIRONMENT
        elif is_building and event["kind"] == "environment":
            is_building = False
            yield event["t"], QUEUED


def _on_node(
    within: Sequence[Json], job: JobSpec, number: int, result: Json | None
) -> Iterator[Mark]:
    """The phases that the launcher logs; records of older versions lack some."""
    is_gang = job.distribution.nodes > 1
    result = result or {}
    launched = [e for e in within if e["kind"] == "launched" and e.get("attempt") == number]
    began = _time(launched[-1] if launched else result, "began")
    if began is not None:
        yield began, SNAPSHOT
    if launched and is_gang:
        yield launched[-1]["t"], NODES
    yield from _before_script(within, is_gang)
    ended, script_ended = _time(result, "ended"), _time(result, "script_ended")
    finalizing = next((e["t"] for e in within if _is_state(e, states.FINALIZING)), None)
    after_script = finalizing if script_ended is None else script_ended
    if after_script is not None:
        yield after_script, UPLOAD if job.data.outputs else NODES if is_gang else FINALIZING
        if ended is not None:
            yield ended, FINALIZING


def _before_script(within: Sequence[Json], is_gang: bool) -> Iterator[Mark]:
    for event in within:
        reason = event.get("reason", "")
        if _is_state(event, states.PREPARING) and reason.startswith("building its environment on"):
            yield event["t"], ENVIRONMENT
        elif _is_state(event, states.PREPARING) and reason.startswith("delivering"):
            yield event["t"], DATA
        elif is_gang and event["kind"] == "data" and "input" in event:
            yield event["t"], NODES
        elif _is_state(event, states.RUNNING):
            yield event["t"], SCRIPT


def _is_state(event: Json, state: str) -> bool:
    return event["kind"] == "state" and event.get("state") == state and "t" in event


def _result(folder: Path, number: int, is_retried: bool) -> Json | None:
    """The result of an attempt; that of a retried one is its node's."""
    found = run_folder.read_result(folder, number)
    if found is not None or not is_retried:
        return found
    attempt_folder = results.attempt_folder(str(folder), number)
    return results.read_at(os.path.join(attempt_folder, "node-0.json"))


def _end(result: Json | None, status: RunState | None) -> float | None:
    """When an attempt ended; ``status`` is the run's, if it is the last."""
    times = [_time(result or {}, name) for name in ("ended", "finalized")]
    known = [each for each in times if each is not None]
    if known:
        return max(known)
    return status.ended if status is not None and status.is_final else None


def _began(folder: Path, all_events: Sequence[Json], number: int) -> float | None:
    """When an attempt began: as an event says, or else when it left its first file."""
    for kind, field in (("launched", "began"), ("began", "t")):
        for event in all_events:
            if event["kind"] == kind and event.get("attempt") == number:
                moment = _time(event, field)
                if moment is not None:
                    return moment
    attempt_folder = results.attempt_folder(str(folder), number)
    try:
        return os.stat(os.path.join(attempt_folder, "node-0.start.json")).st_mtime
    except OSError:
        return None


def _time(record: Json, name: str) -> float | None:
    """A time in a record, which may be damaged."""
    value = record.get(name)
    if isinstance(value, int | float) and 0 < value < runtime_events.END_OF_TIME:
        return float(value)
    return None

"""Derive a run's state from its result, else from its events; record the result of a lost run."""

from __future__ import annotations

from pathlib import Path

from scriptrun.runtime import results
from scriptrun.spec import states
from scriptrun.spec.values import Value
from scriptrun.tracking import events, run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


class RunState(Value):
    """A run's state, with its reason and times (seconds since 1970, None if unknown)."""

    state: str
    reason: str = ""
    began: float | None = None
    ended: float | None = None
    exit_code: int | None = None
    result: Json | None = None

    @property
    def is_final(self) -> bool:
        """Whether the run has ended."""
        return states.is_terminal(self.state)


def read_status(folder: Path, facts: events.RunFacts | None = None) -> RunState:
    """The state according to the run's own files: the final one, or the last one reached."""
    facts = events.collect_facts(events.read(folder)) if facts is None else facts
    result = run_folder.read_result(folder)
    status = _by_result(result, facts) if result else _by_events(facts)
    if facts.failure is not None and (result is not None or status.is_final):
        return _marked_as_failed(status, facts.failure)
    return status


def _by_result(result: Json, facts: events.RunFacts) -> RunState:
    return RunState(
        state=result["state"],
        reason=result.get("reason") or "",
        began=facts.running or result.get("began"),
        ended=result.get("ended"),
        exit_code=result.get("exit_code"),
        result=result,
    )


def _by_events(facts: events.RunFacts) -> RunState:
    state = facts.state or states.NOT_STARTED
    return RunState(state=state, reason=facts.state_reason, began=facts.running)


def _marked_as_failed(status: RunState, failure: Json) -> RunState:
    reason = failure.get("message") or status.reason or "marked as failed"
    ended = status.ended or failure.get("t")
    return RunState(states.FAILED, reason, status.began, ended, status.exit_code, status.result)


def record_lost(folder: Path, evidence: str, state: str = states.FAILED) -> RunState:
    """Publish a result for a run that ended without one, with the evidence; return its state.

    A result that was published in the meantime wins.
    """
    attempt = (run_folder.attempts(folder) or [1])[-1]
    value = _result_without_one(folder, attempt, evidence, state)
    try:
        if not folder.is_dir():
            raise FileNotFoundError  # removed meanwhile: nothing of it comes back
        Path(results.attempt_folder(str(folder), attempt)).mkdir(parents=True, exist_ok=True)
        results.publish(str(folder), attempt, value)
        run_folder.touch(folder)
    except OSError:
        pass  # reported, though not written
    status = read_status(folder)
    return status if status.is_final else _by_result(value, events.RunFacts())


def _result_without_one(folder: Path, attempt: int, evidence: str, state: str) -> Json:
    """The result of a run that has none: according to its nodes, if its own cannot be read."""
    if not results.is_damaged(str(folder), attempt):
        return results.result(state, evidence, by="settle")
    note = f"attempts/{attempt}/result.json was damaged"
    value = results.of_nodes(str(folder), attempt)
    if value is None:
        return results.result(state, f"{evidence}; {note}", by="settle")
    reason = f"{value.get('reason') or ''}; {note}; the result is that of its node"
    return {**value, "reason": reason.removeprefix("; ")}

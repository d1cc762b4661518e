"""Rewrite many files: inspect each, write the changes if requested, and report."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from scriptrun.migration import candidates, rewrite_file
from scriptrun.migration.code import files
from scriptrun.migration.estimators.call import Refused
from scriptrun.migration.findings import LEFT, LOOK, REWRITTEN, Finding
from scriptrun.migration.proof import prove as proof
from scriptrun.migration.rewrite_file import Alternative, Outcome
from scriptrun.spec.values import Value, fresh

Step = Callable[[int, int], None]
#: the number of files that justifies starting another process
_EACH = 8


class Report(Value, frozen=False):
    """The outcomes for all files; ``looked_at`` counts the inspected files."""

    outcomes: list[Outcome] = fresh(default_factory=list)
    looked_at: int = 0
    proofs: list[proof.Proof] = fresh(default_factory=list)

    def prove(self, words: Sequence[str] = ()) -> None:
        """Run both versions of each changed file with ``words``, and compare what they submit.

        Nothing is really submitted.
        """
        files = self.changed
        self.proofs = [proof.prove(each.path, each.old, each.new, words) for each in files]

    @property
    def changed(self) -> list[Outcome]:
        """The files that change."""
        return [each for each in self.outcomes if each.is_changed]

    @property
    def findings(self) -> list[Finding]:
        """The findings, file by file."""
        return [finding for each in self.outcomes for finding in each.findings]

    def summary(self, written: bool) -> str:
        """Summarize the report in one line."""
        kinds = [each.kind for each in self.findings]
        done = "changed" if written else "would change"
        return (
            f"{len(self.changed)} of {self.looked_at} files {done}; "
            f"{kinds.count(REWRITTEN)} places rewritten, {kinds.count(LEFT)} left alone, "
            f"{kinds.count(LOOK)} need a look"
        )

    def as_dict(self) -> dict[str, Any]:
        """The report as a JSON value."""
        return {
            "looked_at": self.looked_at,
            "changed": [each.path for each in self.changed],
            "findings": [each.as_dict() for each in self.findings],
            "proofs": [each.as_dict() for each in self.proofs],
            "diffs": {each.path: "\n".join(each.diff) for each in self.changed},
        }


def look(
    paths: list[str], to: str, alternative: Alternative, step: Step, write: bool = False
) -> Report:
    """Inspect all files below ``paths``, and rewrite them with ``write``.

    Calls ``step`` with the progress. Raises UserErrorException if a path does not exist.
    """
    found = list(candidates.files(paths))
    report = Report(looked_at=len(found))
    wanted = []
    for number, path in enumerate(found, 1):
        if candidates.may_matter(path):
            wanted.append(path)
        step(number, len(found))
    for number, outcome in enumerate(_outcomes(wanted, to, alternative), 1):
        if outcome is not None:
            report.outcomes.append(outcome)
            if write and outcome.is_changed:
                _write(outcome)
        step(number, len(wanted))
    return report


def _outcomes(paths: list[str], to: str, alternative: Alternative) -> Iterator[Outcome | None]:
    """The outcome of each file, computed in parallel if there are many."""
    look_at = functools.partial(rewrite_file.look_at, to=to, alternative=alternative)
    workers = min(len(paths) // _EACH, os.cpu_count() or 1)
    if workers < 2:
        yield from map(look_at, paths)
        return
    from concurrent import futures

    with futures.ProcessPoolExecutor(workers) as pool:
        yield from pool.map(look_at, paths, chunksize=4)


def _write(outcome: Outcome) -> None:
    try:
        files.write(outcome.path, outcome.old, outcome.new)
    except Refused as problem:
        outcome.findings = [
            Finding(outcome.path, 0, 1, LOOK, "the file", problem.reason, problem.advice)
        ]
        outcome.new = outcome.old

"""Rewrite many files: inspect each, write the changes if requested, and report."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence

from scriptrun.migration import candidates, rewrite_file
from scriptrun.migration.code import files
from scriptrun.migration.estimators.call import CannotRewrite
from scriptrun.migration.findings import LEFT_ALONE, NEEDS_REVIEW, REWRITTEN, Finding
from scriptrun.migration.proof import prove as proof
from scriptrun.migration.rewrite_file import Alternative, Outcome
from scriptrun.runtime import identity
from scriptrun.spec.values import Value, fresh
from scriptrun.store import dependents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

Step = Callable[[int, int], None]
#: the number of files that justifies starting another process
_FILES_PER_WORKER = 8


class Report(Value, frozen=False):
    """The outcomes for all files; ``looked_at`` counts the inspected files."""

    outcomes: list[Outcome] = fresh(default_factory=list)
    looked_at: int = 0
    proofs: list[proof.Proof] = fresh(default_factory=list)

    def prove(self, arguments: Sequence[str] = ()) -> None:
        """Run both versions of each changed file with ``arguments``, and compare what they submit.

        Nothing is really submitted.
        """
        versions = [(outcome.path, outcome.old, outcome.new) for outcome in self.changed]
        self.proofs = [proof.prove(*each, arguments, versions) for each in versions]

    @property
    def changed(self) -> list[Outcome]:
        """The files that change."""
        return [outcome for outcome in self.outcomes if outcome.is_changed]

    @property
    def findings(self) -> list[Finding]:
        """The findings, file by file."""
        return [finding for outcome in self.outcomes for finding in outcome.findings]

    def summary(self, written: bool) -> str:
        """Summarize the report in one line."""
        kinds = [finding.kind for finding in self.findings]
        verb = "changed" if written else "would change"
        return (
            f"{len(self.changed)} of {self.looked_at} files {verb}; "
            f"{kinds.count(REWRITTEN)} places rewritten, {kinds.count(LEFT_ALONE)} left alone, "
            f"{kinds.count(NEEDS_REVIEW)} need a look"
        )

    def as_dict(self) -> Json:
        """The report as a JSON value."""
        return {
            "looked_at": self.looked_at,
            "changed": [outcome.path for outcome in self.changed],
            "findings": [finding.as_dict() for finding in self.findings],
            "proofs": [file_proof.as_dict() for file_proof in self.proofs],
            "diffs": {file.path: "\n".join(file.diff) for file in self.changed},
        }


def look(
    paths: list[str], to: str, alternative: Alternative, step: Step, write: bool = False
) -> Report:
    """Inspect all files below ``paths``, and rewrite them with ``write``.

    Calls ``step`` with the progress. Raises UserErrorException if a path does not exist.
    """
    links_out: list[str] = []
    candidate_paths = list(candidates.files(paths, links_out.append))
    report = Report(looked_at=len(candidate_paths))
    report.outcomes += map(_link_outcome, links_out)
    relevant_paths = []
    for number, path in enumerate(candidate_paths, 1):
        if candidates.may_matter(path):
            relevant_paths.append(path)
        step(number, len(candidate_paths))
    for number, outcome in enumerate(_outcomes(relevant_paths, to, alternative), 1):
        if outcome is not None:
            report.outcomes.append(outcome)
            if write and outcome.is_changed:
                _write(outcome)
        step(number, len(relevant_paths))
    return report


def _link_outcome(path: str) -> Outcome:
    reason = "it is a link that leads out of the directory: neither read nor written"
    advice = f"To include it, also give: {os.path.realpath(path)}"
    finding = Finding(path, 0, 1, LEFT_ALONE, os.path.basename(path), reason, advice)
    return Outcome(path, b"", b"", [finding])


def _outcomes(paths: list[str], to: str, alternative: Alternative) -> Iterator[Outcome | None]:
    """The outcome of each file, computed in parallel if there are many."""
    look_at = functools.partial(rewrite_file.compute_outcome, to=to, alternative=alternative)
    workers = min(len(paths) // _FILES_PER_WORKER, os.cpu_count() or 1)
    if workers < 2:
        yield from map(look_at, paths)
        return
    from concurrent import futures

    owner = (identity.identify(),)
    with futures.ProcessPoolExecutor(
        workers, initializer=dependents.end_with, initargs=owner
    ) as pool:
        yield from pool.map(look_at, paths, chunksize=4)


def _write(outcome: Outcome) -> None:
    try:
        files.write(outcome.path, outcome.old, outcome.new)
    except CannotRewrite as problem:
        outcome.findings = [
            Finding(outcome.path, 0, 1, NEEDS_REVIEW, "the file", problem.reason, problem.advice)
        ]
        outcome.new = outcome.old

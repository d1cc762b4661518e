"""Rewrite many files: inspect each, write the changes if requested, and report."""

from __future__ import annotations

import collections
import functools
import gc
import itertools
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from pathlib import Path

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
#: the files that wait for each process; their contents are in memory when they are done
_QUEUED_PER_WORKER = 16
#: the objects that a process creates before it collects those of earlier files
_OBJECTS_LEFT = 300_000


class Report(Value, frozen=False):
    """The outcomes for all files; ``looked_at`` counts the inspected files.

    Of them, ``completed`` have been dealt with so far. ``roots`` are the given paths.
    """

    outcomes: list[Outcome] = fresh(default_factory=list)
    looked_at: int = 0
    completed: int = 0
    proofs: list[proof.Proof] = fresh(default_factory=list)
    roots: list[str] = fresh(default_factory=list)

    def prove(self, arguments: Sequence[str] = ()) -> None:
        """Run both versions of each changed file with ``arguments``, and compare what they submit.

        Nothing is really submitted.
        """
        versions = [(outcome.path, outcome.old, outcome.new) for outcome in self.changed]
        self.proofs = [
            proof.prove(*each, arguments, versions, self._root_of(each[0])) for each in versions
        ]

    def _root_of(self, path: str) -> str:
        """The given directory that contains the file, or ""."""
        parents = {str(parent) for parent in Path(path).absolute().parents}
        return next((root for root in self.roots if os.path.abspath(root) in parents), "")

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
    paths: list[str],
    to: str,
    alternative: Alternative,
    step: Step,
    write: bool = False,
    keep_contents: bool = False,
) -> Report:
    """Inspect all files below ``paths``, and rewrite them with ``write``.

    Calls ``step`` with the progress. The outcomes hold the files' contents only with
    ``keep_contents``, as a proof needs them. Raises UserErrorException if a path does not exist.
    """
    left_out: list[Outcome] = []
    candidate_paths = list(
        candidates.files(
            paths,
            lambda path: left_out.append(_link_outcome(path)),
            lambda error: left_out.append(_unreadable_outcome(error)),
        )
    )
    total = len(candidate_paths)
    report = Report(outcomes=left_out, looked_at=total, roots=list(paths))
    relevant_paths = _relevant(candidate_paths, report, step)
    for outcome in _outcomes(relevant_paths, to, alternative, write or keep_contents):
        if outcome is not None:
            if write and outcome.is_changed:
                _write(outcome)
            report.outcomes.append(outcome if keep_contents else outcome.without_contents())
        report.completed += 1
        step(report.completed, total)
    return report


def _relevant(paths: list[str], report: Report, step: Step) -> Iterator[str]:
    """The paths of files that may need rewriting; the others are completed when they are read."""
    for path in paths:
        if candidates.may_matter(path):
            yield path
        else:
            report.completed += 1
            step(report.completed, report.looked_at)


def _link_outcome(path: str) -> Outcome:
    reason = "it is a link that leads out of the directory: neither read nor written"
    advice = f"To include it, also give: {os.path.realpath(path)}"
    finding = Finding(path, 0, 1, LEFT_ALONE, os.path.basename(path), reason, advice)
    return Outcome(path, b"", b"", [finding])


def _unreadable_outcome(error: OSError) -> Outcome:
    path = str(error.filename)
    reason = f"cannot read it: {error.strerror}"
    return Outcome(path, b"", b"", [Finding(path, 0, 1, NEEDS_REVIEW, "the directory", reason)])


def _outcomes(
    paths: Iterator[str], to: str, alternative: Alternative, keep_contents: bool
) -> Iterator[Outcome | None]:
    """The outcome of each file, computed in parallel if there are many.

    The next paths are taken while other processes compute: to find them, files are read.
    """
    look_at = functools.partial(_outcome, to=to, alternative=alternative, keep=keep_contents)
    first = list(itertools.islice(paths, _FILES_PER_WORKER * _cores()))
    workers = min(len(first) // _FILES_PER_WORKER, _cores())
    if workers < 2:
        yield from map(look_at, first)
        return
    owner = identity.identify()
    pool = futures.ProcessPoolExecutor(workers, initializer=_begin_worker, initargs=(owner,))
    try:
        pending: collections.deque[futures.Future[Outcome | None]] = collections.deque()
        for path in itertools.chain(first, paths):
            pending.append(pool.submit(_collected, look_at, path))
            if len(pending) > workers * _QUEUED_PER_WORKER:
                yield pending.popleft().result()
        for future in pending:
            yield future.result()
    except BaseException:  # Ctrl-C must not wait for what the workers are doing
        _end_workers(pool)
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _outcome(path: str, to: str, alternative: Alternative, keep: bool) -> Outcome | None:
    outcome = rewrite_file.compute_outcome(path, to, alternative)
    if outcome is None or (keep and outcome.is_changed):
        return outcome
    return outcome.without_contents()


def _collected(look_at: Callable[[str], Outcome | None], path: str) -> Outcome | None:
    """The outcome; the syntax trees of several files are collected at once, between two files."""
    outcome = look_at(path)
    if gc.get_count()[0] > _OBJECTS_LEFT:
        gc.collect()
    return outcome


def _cores() -> int:
    return os.cpu_count() or 1


def _begin_worker(owner: Json) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # its owner ends it
    gc.freeze()
    gc.disable()  # see _collected
    dependents.end_with(owner)


def _end_workers(pool: futures.ProcessPoolExecutor) -> None:
    """Kill the workers, and let the pool notice it even if one had sent half of a result."""
    for worker in multiprocessing.active_children():
        worker.kill()
    results = getattr(pool, "_result_queue", None)
    writer = getattr(results, "_writer", None)
    if writer is not None:
        writer.close()  # while this process has it open too, reading the other half never ends


def _write(outcome: Outcome) -> None:
    try:
        files.write(outcome.path, outcome.old, outcome.new)
    except CannotRewrite as problem:
        outcome.findings = [
            Finding(outcome.path, 0, 1, NEEDS_REVIEW, "the file", problem.reason, problem.advice)
        ]
        outcome.new, outcome.diff = outcome.old, []

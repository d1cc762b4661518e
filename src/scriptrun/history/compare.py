"""Compare two runs: code, arguments, data, environment, metrics, outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from scriptrun.data import summary
from scriptrun.environments import site_packages
from scriptrun.preparation import environment_record
from scriptrun.spec.values import Value, fresh
from scriptrun.store.snapshots import contents, snapshots
from scriptrun.tracking import artifacts, metrics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.core.run import Run

#: bytes above which a file's text is not compared line by line
TEXT = 1_000_000

Pair = tuple["Any", "Any"]


class Change(Value):
    """A file that differs: ``how`` is added, removed or changed; ``diff`` is a unified diff."""

    path: str
    how: str
    diff: str = ""


class Comparison(Value):
    """All differences; each pair is the first run's value and the second's."""

    code: list[Change] = fresh(default_factory=list)
    job: dict[str, Pair] = fresh(default_factory=dict)
    arguments: Pair | None = None
    data: dict[str, Pair] = fresh(default_factory=dict)
    packages: dict[str, Pair] = fresh(default_factory=dict)
    variables: dict[str, Pair] = fresh(default_factory=dict)
    metrics: dict[str, Pair] = fresh(default_factory=dict)
    outputs: dict[str, Pair] = fresh(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return any(vars(self).values())


def compare(first: Run, second: Run) -> Comparison:
    """Compare two runs. Raises SnapshotException if a snapshot is damaged."""
    one, two = first.job, second.job
    facts = ("experiment", "script", "command", "max_run_duration_seconds")
    job = {name: (getattr(one, name), getattr(two, name)) for name in facts}
    job["compute_target"] = (one.target.name, two.target.name)
    job["state"] = (first.get_status(), second.get_status())
    arguments = summary.readable_arguments(one), summary.readable_arguments(two)
    return Comparison(
        code=list(code_changes(first, second)),
        job={name: pair for name, pair in job.items() if pair[0] != pair[1]},
        arguments=None if arguments[0] == arguments[1] else arguments,
        data=differing(summary.describe_data(one), summary.describe_data(two)),
        packages=differing(packages(lock_of(first)), packages(lock_of(second))),
        variables=_variables(one, two),
        metrics=differing(metrics.read(first.path), metrics.read(second.path)),
        outputs=differing(digests(first.path), digests(second.path)),
    )


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Pair]:
    """The names whose values differ, with both values; None for a missing one."""
    return {
        name: (first.get(name), second.get(name))
        for name in sorted({*first, *second})
        if name not in first or name not in second or not _equal(first[name], second[name])
    }


def _equal(one: Any, two: Any) -> bool:
    """Whether the contents are equal; NaN equals NaN."""
    if isinstance(one, float) and isinstance(two, float):
        return one == two or (one != one and two != two)  # noqa: PLR0124
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(_equal, one, two))
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_equal(one[key], two[key]) for key in one)
    return bool(one == two)


def lock_of(run: Run) -> dict[str, Any]:
    """The lockfile of the run's environment; {} if it was never locked."""
    return environment_record.read_lock(run.path) or {}


def packages(lock: Mapping[str, Any]) -> dict[str, str]:
    """The versions of a lockfile's packages by name, including ``python``."""
    found: dict[str, str] = {}
    python = lock.get("version") or lock.get("python")
    if python:
        found["python"] = str(python)
    lines = [*lock.get("distributions", ()), *str(lock.get("requirements", "")).splitlines()]
    for line in lines:
        text = line.partition(" ")[0].rstrip("\\")
        name, mark, version = text.partition("==")
        if text and not text.startswith(("#", "-")):
            found[site_packages.normal(name.partition("[")[0])] = version if mark else line.strip()
    for each in lock.get("conda", ()):
        found[site_packages.normal(each["name"])] = f"{each['version']}={each['build']}"
    return found


def _variables(one: Any, two: Any) -> dict[str, Pair]:
    """The variables that differ; the values of passed-through ones are unknown."""
    return differing(
        {**dict.fromkeys(one.passed, "(passed through)"), **one.variables},
        {**dict.fromkeys(two.passed, "(passed through)"), **two.variables},
    )


def code_changes(first: Run, second: Run) -> Iterator[Change]:
    """The files that differ between the two snapshots, with diffs of text files."""
    one, two = first.job.snapshot, second.job.snapshot
    if one == two:
        return
    before, after = _manifest(first), _manifest(second)
    changed = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    old = contents.read(first.workspace.snapshots_folder, one, changed, TEXT) if one else {}
    new = contents.read(second.workspace.snapshots_folder, two, changed, TEXT) if two else {}
    for path in changed:
        how = "added" if path not in before else "removed" if path not in after else "changed"
        yield Change(path, how, unified(path, old.get(path, b""), new.get(path, b"")))


def _manifest(run: Run) -> dict[str, tuple[str, str, str]]:
    """The files of the run's snapshot: path to kind, digest and link target."""
    if run.job.snapshot is None:
        return {}
    entries = snapshots.manifest(run.workspace.snapshots_folder, run.job.snapshot)
    return {
        each.path: (each.kind, each.digest, each.target)
        for each in entries
        if each.kind != "folder"
    }


def unified(path: str, old: bytes | None, new: bytes | None) -> str:
    """The unified diff of two texts; "" if one is too large or binary."""
    if old is None or new is None or b"\0" in old or b"\0" in new:
        return ""
    import difflib

    before, after = (
        part.decode("utf-8", "replace").splitlines(keepends=True) for part in (old, new)
    )
    lines = difflib.unified_diff(before, after, f"a/{path}", f"b/{path}")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file in the run's outputs/."""
    found = {}
    for name in artifacts.names(folder):
        place = artifacts.path_of(folder, name) if name.startswith("outputs/") else None
        if place is not None:
            found[name] = _digest(place)
    return found


def _digest(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

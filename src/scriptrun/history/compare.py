"""Compare two runs: code, arguments, data, environment, metrics, outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from scriptrun.data import summary
from scriptrun.environments import site_packages
from scriptrun.preparation import environment_record
from scriptrun.runs import service_facts
from scriptrun.runtime import files
from scriptrun.spec.values import Value, fresh
from scriptrun.store.snapshots import contents, snapshots
from scriptrun.tracking import artifacts, metric_series, parameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from scriptrun.core.run import Run

    T = TypeVar("T")
    #: the first run's value and the second's; None for a missing one
    Pair = tuple[T | None, T | None]
    from scriptrun.runtime.hints import Json
    from scriptrun.spec.job import JobSpec

#: bytes above which a file's text is not compared line by line
MAX_TEXT_SIZE = 1_000_000


class Change(Value):
    """A file that differs: ``how`` is added, removed or changed; ``diff`` is a unified diff."""

    path: str
    how: str
    diff: str = ""


class Comparison(Value):
    """All differences; each pair is the first run's value and the second's.

    Secrets in arguments and variables are masked.
    """

    code: list[Change] = fresh(default_factory=list)
    job: dict[str, Pair[object]] = fresh(default_factory=dict)
    arguments: tuple[list[str], list[str]] | None = None
    data: dict[str, Pair[str]] = fresh(default_factory=dict)
    packages: dict[str, Pair[str]] = fresh(default_factory=dict)
    variables: dict[str, Pair[str]] = fresh(default_factory=dict)
    metrics: dict[str, Pair[object]] = fresh(default_factory=dict)
    outputs: dict[str, Pair[str]] = fresh(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return any(vars(self).values())


def compare(first: Run, second: Run) -> Comparison:
    """Compare two runs. Raises SnapshotException if a snapshot is damaged."""
    first_job, second_job = first.job, second.job
    fields = ("experiment", "script", "command", "max_run_duration_seconds")
    job: dict[str, Pair[object]] = {
        name: (getattr(first_job, name), getattr(second_job, name)) for name in fields
    }
    job["compute_target"] = (first_job.target.name, second_job.target.name)
    first_target, second_target = first_job.target, second_job.target
    for name in sorted({*first_target.run_options, *second_target.run_options}):
        job[name] = (first_target.shown(name), second_target.shown(name))
    services = service_facts.settings(first), service_facts.settings(second)
    for name in {**services[0], **services[1]}:
        job[name] = (services[0].get(name), services[1].get(name))
    job["state"] = (first.get_status(), second.get_status())
    arguments = summary.readable_arguments(first_job), summary.readable_arguments(second_job)
    differing = {name: pair for name, pair in job.items() if pair[0] != pair[1]}
    if "command" in differing:
        lines = [
            each and parameters.masked_command(each)
            for each in (first_job.command, second_job.command)
        ]
        differing["command"] = (lines[0], lines[1])
    return Comparison(
        code=list(code_changes(first, second)),
        job=differing,
        arguments=None if arguments[0] == arguments[1] else _masked(*arguments),
        data=differences(summary.describe_data(first_job), summary.describe_data(second_job)),
        packages=differences(packages(lockfile_of(first)), packages(lockfile_of(second))),
        variables=_variable_differences(first_job, second_job),
        metrics=differences(metrics(first.path), metrics(second.path)),
        outputs=_output_differences(first.path, second.path),
    )


def differences(first: Mapping[str, T], second: Mapping[str, T]) -> dict[str, Pair[T]]:
    """The names whose values differ, with both values; None for a missing one."""
    return {
        name: (first.get(name), second.get(name))
        for name in sorted({*first, *second})
        if name not in first or name not in second or not _equal(first[name], second[name])
    }


def _equal(first: object, second: object) -> bool:
    """Whether the contents are equal; NaN equals NaN."""
    if isinstance(first, float) and isinstance(second, float):
        return first == second or (first != first and second != second)  # noqa: PLR0124
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_equal, first, second))
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(
            _equal(first[key], second[key]) for key in first
        )
    return bool(first == second)


def lockfile_of(run: Run) -> Json:
    """The lockfile of the run's environment; {} if it was never locked."""
    return environment_record.read_recorded_lockfile(run.path) or {}


def packages(lockfile: Json) -> dict[str, str]:
    """The versions of a lockfile's packages by name, including ``python``."""
    versions: dict[str, str] = {}
    python = lockfile.get("version") or lockfile.get("python")
    if python:
        versions["python"] = str(python)
    lines = [
        *lockfile.get("distributions", ()),
        *str(lockfile.get("requirements", "")).splitlines(),
    ]
    for line in lines:
        text = line.partition(" ")[0].rstrip("\\")
        name, mark, version = text.partition("==")
        if text and not text.startswith(("#", "-")):
            versions[site_packages.normal(name.partition("[")[0])] = (
                version if mark else line.strip()
            )
    for package in lockfile.get("conda", ()):
        versions[site_packages.normal(package["name"])] = f"{package['version']}={package['build']}"
    return versions


def _masked(first: list[str], second: list[str]) -> tuple[list[str], list[str]]:
    return parameters.masked_arguments(first), parameters.masked_arguments(second)


def _variable_differences(first_job: JobSpec, second_job: JobSpec) -> dict[str, Pair[str]]:
    """The variables that differ; the values of passed-through ones are unknown."""
    found = differences(
        {**dict.fromkeys(first_job.passed, "(passed through)"), **first_job.variables},
        {**dict.fromkeys(second_job.passed, "(passed through)"), **second_job.variables},
    )
    return {name: (_shown(name, old), _shown(name, new)) for name, (old, new) in found.items()}


def _shown(name: str, value: str | None) -> str | None:
    if value in (None, "(passed through)"):
        return value
    return parameters.masked_value(name, value or "")


def code_changes(first: Run, second: Run) -> Iterator[Change]:
    """The files that differ between the two snapshots, with diffs of text files."""
    first_digest, second_digest = first.job.snapshot, second.job.snapshot
    if first_digest == second_digest:
        return
    before, after = _manifest(first), _manifest(second)
    changed = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    old = (
        contents.read(first.workspace.snapshots_folder, first_digest, changed, MAX_TEXT_SIZE)
        if first_digest
        else {}
    )
    new = (
        contents.read(second.workspace.snapshots_folder, second_digest, changed, MAX_TEXT_SIZE)
        if second_digest
        else {}
    )
    for path in changed:
        kind = "added" if path not in before else "removed" if path not in after else "changed"
        yield Change(path, kind, unified_diff(path, old.get(path, b""), new.get(path, b"")))


def _manifest(run: Run) -> dict[str, tuple[str, str, str]]:
    """The files of the run's snapshot: path to kind, digest and link target."""
    if run.job.snapshot is None:
        return {}
    entries = snapshots.manifest(run.workspace.snapshots_folder, run.job.snapshot)
    return {
        entry.path: (entry.kind, entry.digest, entry.target)
        for entry in entries
        if entry.kind != "folder"
    }


def metrics(folder: Path) -> Json:
    """The run's metrics; an image is its content's SHA-256, as its file's name holds a time."""
    values = metric_series.read(folder)
    images: dict[str, list[str]] = {}
    for point in metric_series.points(folder):
        if point.kind == "image":
            path = artifacts.path_of(folder, str(point.value))
            content = f"sha256:{_digest(path)}" if path is not None else "missing"
            images.setdefault(point.name, []).append(f"image {content}")
    replaced = {name: each[0] if len(each) == 1 else each for name, each in images.items()}
    return {**values, **replaced}


def unified_diff(path: str, old: bytes | None, new: bytes | None) -> str:
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
    hashes = {}
    for name in artifacts.names(folder):
        path = artifacts.path_of(folder, name) if name.startswith("outputs/") else None
        if path is not None:
            hashes[name] = _digest(path)
    return hashes


def _output_differences(first: Path, second: Path) -> dict[str, Pair[str]]:
    """The outputs that differ.

    Older runs also list files that the source had: one that the other run has with the same
    content, but does not list, is not a difference.
    """
    found = differences(digests(first), digests(second))
    for folder, number in ((first, 0), (second, 1)):
        unlisted = {name for name, pair in found.items() if pair[number] is None}
        for name in unlisted.intersection(artifacts.unchanged_names(folder)):
            path = artifacts.path_of(folder, name)
            if path is not None and _digest(path) == found[name][1 - number]:
                del found[name]
    return found


def _digest(path: Path) -> str:
    with files.open_record(path) as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

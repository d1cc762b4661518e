"""Prove that two versions of a file submit the same jobs, without submitting any."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scriptrun.config.environments.images import is_azure_image
from scriptrun.core.workspace import Workspace
from scriptrun.migration.proof.missing_modules import MARK
from scriptrun.registry.workspace_files import DIRECTORY
from scriptrun.spec.values import Value, fresh

SAME, DIFFERS, CANNOT = "the same", "differs", "cannot be proved"
#: fields that differ between any two submissions, or repeat another field
_NOT_COMPARED = frozenset(
    ("id", "created", "display_name", "root", "submitted_by", "properties", "snapshot", "workspace")
)
#: names that are random
_RANDOM = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])|input__[0-9a-f]{8}\b|(?<=output_)[0-9a-f]{8}\b"
)
#: what a proof's workspace copies from the user's: not the datastores, so that nothing is
#: written to them
_TARGETS = ("compute", os.path.join("azureml", "compute"))
_KNOWN = (*_TARGETS, "environments", "datasets")
_LARGEST = 300_000_000
#: code that accesses files above its own directory
_ABOVE = re.compile(rb"""["']\.\.["'/\\]|\.parents?\b|dirname\(""")
#: how often to rerun a file that needs another missing name
_ROUNDS = 6
_SECONDS = 300


class Proof(Value):
    """The result of comparing two versions of ``path``: ``standing``, and the ``reasons``.

    ``stopped`` are the errors that ended both versions (or cells of both) after the last
    submission. ``assumed`` lists missing things that were replaced by stand-ins for both.
    """

    path: str
    standing: str
    jobs: int = 0
    reasons: list[str] = fresh(default_factory=list)
    stopped: list[str] = fresh(default_factory=list)
    assumed: list[str] = fresh(default_factory=list)

    def __str__(self) -> str:
        if self.standing == SAME:
            jobs = "1 job is" if self.jobs == 1 else f"{self.jobs} jobs are"
            lines = [f"{self.path}: proved: {jobs} the same before and after"]
        else:
            lines = [f"{self.path}: {self.standing}:", *self.reasons]
        if self.assumed and self.jobs:
            lines.append(f"assumed: {'; '.join(self.assumed)}")
        lines += [f"both stop: {each}" for each in self.stopped]
        return "\n    ".join(lines)


class Unprovable(Exception):
    """The file cannot be run, so nothing can be proved."""


def prove(path: str, old: bytes, new: bytes, words: Sequence[str] = ()) -> Proof:
    """Run both versions of the file ``path`` with ``words``, and compare the jobs they submit.

    Each runs in a copy of the file's directory (of the whole project if the code looks above it),
    in a new workspace with the compute targets, environments and datasets of the file's workspace.
    If the file needs another one that is missing, both run again with a stand-in of that name.
    """
    granted: list[list[str]] = []
    for _ in range(_ROUNDS):
        try:
            before, after = _both(path, old, new, [json.dumps(granted), *words])
        except Unprovable as problem:
            return Proof(path, CANNOT, reasons=[str(problem)])
        told = "\n".join(before["stopped"])
        lacked = [each for each in before["lacked"] if each not in granted]
        if before["jobs"] or not told:  # else any of them may be the cause
            lacked = [each for each in lacked if repr(each[1]) in told]
        if not lacked:
            break
        granted = [*granted, *lacked]
    return _compared(path, before, after)


def _both(
    path: str, old: bytes, new: bytes, words: list[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Record what both versions submit; ``words`` are further arguments of the recorder."""
    with tempfile.TemporaryDirectory(prefix="scriptrun-prove-") as scratch:
        own = _own_workspace(path)
        first = Workspace.create("prove", path=Path(scratch, "first"))
        _tell(own, first, _KNOWN)
        before = _record(path, old, Path(scratch, "before"), first, words)
        second = Workspace.create("prove", path=Path(scratch, "second"))
        _tell(own, second, _KNOWN)
        _tell(first.directory, second, _TARGETS)
        return before, _record(path, new, Path(scratch, "after"), second, words)


def _record(
    path: str, content: bytes, place: Path, home: Workspace, words: list[str]
) -> dict[str, Any]:
    root, file = _root(path, content), Path(path).absolute()
    _check_size(root)
    ignored = shutil.ignore_patterns(".git", ".scriptrun", "__pycache__", ".venv", "venv")
    try:
        shutil.copytree(root, place, symlinks=True, ignore=ignored)
    except (OSError, shutil.Error) as error:
        raise Unprovable(f"cannot copy {root}: {error}") from None
    file = place / file.relative_to(root)
    file.unlink(missing_ok=True)  # it may be a link, or read-only
    file.write_bytes(content)
    result = place.with_suffix(".json")
    workspace = str(home.root)
    told = _run([str(file), str(result), *words], file.parent, workspace)
    if not result.exists():
        raise Unprovable(f"cannot run it: {told}")
    text = result.read_text("utf-8").replace(str(place), ".").replace(workspace, "WORKSPACE")
    found: dict[str, Any] = json.loads(text)
    found["told"] = told
    return found


def _root(path: str, content: bytes) -> Path:
    """The directory to copy: the file's, or the project's if the code looks above that."""
    folder = Path(path).absolute().parent
    if not _ABOVE.search(content):
        return folder
    above = [folder, *folder.parents]
    project = next((each for each in above if (each / ".git").exists()), Path.cwd())
    root = project if project in above else folder
    try:
        _check_size(root)
    except Unprovable:
        return folder
    return root


def _own_workspace(path: str) -> Path | None:
    """The metadata folder of the workspace that contains the file, or None."""
    named = os.environ.get("SCRIPTRUN_WORKSPACE")
    here = Path(path).absolute().parent
    for place in [Path(named)] if named else [here, *here.parents]:
        if (place / DIRECTORY / "workspace.json").exists():
            return place / DIRECTORY
    return None


def _tell(source: Path | None, home: Workspace, known: tuple[str, ...]) -> None:
    """Copy the folders ``known`` of the workspace folder ``source`` to ``home``."""
    for folder in known if source is not None else ():
        if source is not None and (source / folder).is_dir():
            shutil.copytree(source / folder, home.directory / folder, dirs_exist_ok=True)


def _check_size(folder: Path) -> None:
    size = 0
    for root, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if each not in (".git", ".scriptrun", ".venv")]
        for name in names:
            try:
                size += os.lstat(os.path.join(root, name)).st_size
            except OSError:
                continue
        if size > _LARGEST:
            raise Unprovable(f"{folder} is larger than 300 MB, too large to copy")


def _run(words: list[str], folder: Path, workspace: str) -> str:
    """Run the recorder; return the last line of its error output."""
    command = [sys.executable, "-P", "-W", "ignore", "-m", "scriptrun.migration.proof.recorder"]
    variables = {**os.environ, "SCRIPTRUN_WORKSPACE": workspace, "MPLBACKEND": "Agg"}
    try:
        done = subprocess.run(
            [*command, *words],
            cwd=folder,
            env=variables,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise Unprovable(f"it timed out after {_SECONDS} s") from None
    return (done.stderr.strip().splitlines() or [""])[-1]


def _compared(path: str, before: dict[str, Any], after: dict[str, Any]) -> Proof:
    old, new = before["jobs"], after["jobs"]
    stopped: list[str] = before["stopped"]
    if stopped and not old:
        reasons = [f"before: {each}" for each in stopped]
        if before["told"].startswith("usage") or stopped[-1].endswith("exited with code 2"):
            reasons.append(f"{before['told']} (set its arguments with --args)")
        return Proof(path, CANNOT, reasons=reasons)
    if stopped != after["stopped"]:
        reasons = [each for each in after["stopped"] if each not in stopped]
        gone = ["it no longer stops where it stopped before"]
        return Proof(path, DIFFERS, reasons=[f"after: {each}" for each in reasons or gone])
    if not old and not new:
        return Proof(path, CANNOT, reasons=["it does not submit any job"])
    if len(old) != len(new):
        return Proof(path, DIFFERS, reasons=[f"{len(old)} jobs before, {len(new)} after"])
    unsure = _unsure(old)
    if unsure:
        return Proof(path, CANNOT, reasons=[unsure])
    reasons = [
        reason
        for number, (one, other) in enumerate(zip(old, new, strict=True), 1)
        for reason in differences(one, other, f"job {number}: " if len(old) > 1 else "")
    ]
    standing = DIFFERS if reasons else SAME
    return Proof(path, standing, len(old), reasons, stopped, before["assumed"])


def _unsure(jobs: list[dict[str, Any]]) -> str:
    """Why the jobs cannot be compared, or ""."""
    refused = [each["refused"] for each in jobs if "refused" in each]
    if refused:
        return f"the job is also rejected before the rewrite: {refused[0]}"
    if MARK in json.dumps(jobs):
        return "a job depends on a module that is not installed"
    return ""


def differences(old: dict[str, Any], new: dict[str, Any], lead: str = "") -> list[str]:
    """The differences between two jobs (``JobSpec.to_dict``), one sentence per field."""
    if "refused" in old or "refused" in new:
        told = [
            f"{when} it is rejected: {job['refused']}"
            for when, job in (("before", old), ("after", new))
            if "refused" in job
        ]
        return [] if old == new else [f"{lead}{'; '.join(told)}"]
    return [f"{lead}{each}" for each in _unlike(comparable(old), comparable(new), "")]


def _unlike(one: Any, other: Any, name: str) -> list[str]:
    """The differences between two values, by innermost field."""
    if one == other:
        return []
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [
            reason
            for key in keys
            for reason in _unlike(one.get(key), other.get(key), f"{name}.{key}".lstrip("."))
        ]
    return [f"{name} changed from {one!r} to {other!r}"]


def comparable(job: dict[str, Any]) -> dict[str, Any]:
    """The parts of a job that must be equal: all but IDs, times and random names."""
    names: dict[str, str] = {}
    text = json.dumps(job, sort_keys=True, default=str).replace(job["id"], "RUN")

    def named(found: re.Match[str]) -> str:
        return names.setdefault(found[0], f"drawn{len(names)}")

    made: dict[str, Any] = json.loads(_RANDOM.sub(named, text))
    made = {key: value for key, value in made.items() if key not in _NOT_COMPARED}
    definition = made.get("run_definition") or {}
    # variables and data also have top-level fields, wherever they were set
    for name in ("environmentVariables", "data", "dataReferences", "outputData"):
        definition.pop(name, None)
    data = made.get("data") or {}
    for name in ("inputs", "outputs"):
        if isinstance(data.get(name), list):
            data[name].sort(key=lambda each: str(each.get("name")))
    for each in data.get("inputs") or ():
        if each.get("name") in names.values() and each.get("found_by"):
            _only_what_is_got(each)
    definition["framework"] = str(definition.get("framework")).lower()
    _environment(definition.get("environment") or {})
    return made


def _only_what_is_got(wanted: dict[str, Any]) -> None:
    """Keep only what determines the delivered files of an unnamed downloaded input.

    Data references and datasets are delivered alike, but described differently.
    """
    for name in ("kind", "what", "datastore", "path"):
        wanted.pop(name, None)


def _environment(section: dict[str, Any]) -> None:
    """Keep only those fields that the job's ``environment`` field does not repeat."""
    for name in ("environmentVariables", "version"):
        section.pop(name, None)
    docker = section.get("docker") or {}
    if is_azure_image(docker.get("baseImage")):
        docker.pop("baseImage", None)
    python = section.get("python") or {}
    for name in ("condaDependencies", "condaDependenciesFile"):
        python.pop(name, None)

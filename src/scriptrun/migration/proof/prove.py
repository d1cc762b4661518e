"""Prove that two versions of a file submit the same jobs, without submitting any."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scriptrun.config.environments.images import is_azure_image
from scriptrun.config.run_configuration import DEFAULT_ENVIRONMENT
from scriptrun.core.workspace import Workspace
from scriptrun.migration import azureml_imports
from scriptrun.migration.proof import fake_runs, missing_modules, plain_files
from scriptrun.registry import trust
from scriptrun.registry.workspace_files import DIRECTORY
from scriptrun.spec.environment import AUTO, RELAX
from scriptrun.spec.values import Value, fresh
from scriptrun.store import dependents, scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

SAME, DIFFERS, CANNOT = "the same", "differs", "cannot be proved"
#: both versions stop at the same error, so that what follows it is not compared
PARTLY = "the same as far as both run"
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
_COPIED_FOLDERS = (*_TARGETS, "environments", "datasets")
_MAX_BYTES = 300_000_000
#: code that accesses files above its own directory
_LOOKS_ABOVE = re.compile(rb"""["']\.\.["'/\\]|\.parents?\b|dirname\(""")
#: code of a job, and code that may submit one
_RUNS_IN_JOB = re.compile(rb"\bRun\.get_context\(")
_MAY_SUBMIT = re.compile(
    rb"submit|start_logging|Experiment\b|ScriptRunConfig|Estimator|HyperDrive|deploy"
)
#: the top-level package or module of an import
_IMPORTED = re.compile(rb"^[ \t]*(?:from|import)[ \t]+(\w+)", re.MULTILINE)
#: how often to rerun a file that needs another missing name
_MAX_RUNS = 6
_TIMEOUT = 300


#: a file's content before and after
BothVersions = tuple[bytes, bytes]
#: a file's path, and its content before and after
Versions = tuple[str, bytes, bytes]


class Proof(Value):
    """The result of comparing two versions of ``path``: ``standing``, and the ``reasons``.

    ``jobs`` counts what is submitted, and so ``services`` of it.
    ``stopped`` are the errors that ended both versions (or cells of both); what would have followed
    is not compared. ``assumed`` lists missing things that were replaced by stand-ins for both.
    """

    path: str
    standing: str
    jobs: int = 0
    reasons: list[str] = fresh(default_factory=list)
    stopped: list[str] = fresh(default_factory=list)
    assumed: list[str] = fresh(default_factory=list)
    services: int = 0

    def __str__(self) -> str:
        counted = [_count(self.jobs - self.services, "job"), _count(self.services, "service")]
        jobs = " and ".join(filter(None, counted))
        if self.standing == SAME:
            verb = "is" if self.jobs == 1 else "are"
            lines = [f"{self.path}: proved: {jobs} {verb} the same before and after"]
        elif self.standing == PARTLY:
            lines = [f"{self.path}: not proved: {self.standing} ({jobs})"]
        else:
            lines = [f"{self.path}: {self.standing}:", *self.reasons]
        if self.assumed and self.jobs:
            lines.append(f"assumed: {'; '.join(self.assumed)}")
        lines += [f"not reached: what follows {error}" for error in self.stopped]
        return "\n    ".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}" if number else ""


class Unprovable(Exception):
    """The file cannot be run, so nothing can be proved."""


def prove(
    path: str,
    old: bytes,
    new: bytes,
    arguments: Sequence[str] = (),
    others: Sequence[Versions] = (),
    root: str = "",
) -> Proof:
    """Run both versions of the file ``path`` with ``arguments``, and compare the jobs they submit.

    The old one runs under ``scriptrun exec``, and so does the new one while it imports azureml
    without ``scriptrun.dropin``; else Python alone runs it. ``others`` are the files that are
    rewritten with it. Modules are also found in the directory ``root`` above the file, as with
    PYTHONPATH. Each version runs in a copy of the file's directory (of the whole project if
    the code looks above it), in a new workspace with the compute targets, environments and datasets
    of the file's workspace. If the file needs another one that is missing, both run again with a
    stand-in of that name.
    """
    if not _MAY_SUBMIT.search(old):
        if _RUNS_IN_JOB.search(old):
            return Proof(path, CANNOT, reasons=["it is the script of a job, and submits none"])
        if azureml_imports.is_entry_script(old.decode("utf-8", "replace")):
            return Proof(path, CANNOT, reasons=["it is the entry script of a service"])
    granted: list[list[str]] = []
    versions = {Path(other).absolute(): (before, after) for other, before, after in others}
    versions[Path(path).absolute()] = (old, new)
    library = library_folder(path, root)
    for _ in range(_MAX_RUNS):
        try:
            words = [json.dumps(granted), *arguments]
            before, after = _record_both(path, versions, library, words)
        except Unprovable as problem:
            return Proof(path, CANNOT, reasons=[str(problem)])
        messages = "\n".join(before["stopped"])
        missing = [item for item in before["lacked"] if item not in granted]
        if before["jobs"] or not messages:  # else any of them may be the cause
            missing = [entry for entry in missing if repr(entry[1]) in messages]
        if not missing:
            break
        granted = [*granted, *missing]
    before["assumed"] += [
        *_plain_python_notes(path, new, before["adopted"], after["adopted"]),
        *([f"that {root} is on Python's path (PYTHONPATH)"] if library is not None else []),
        *_rewritten_scripts(path, before["jobs"], versions),
        *_reference_note(before["jobs"], after["jobs"]),
    ]
    return _compare(path, before, after)


def _plain_python_notes(path: str, new: bytes, adopted: Json, still_adopted: Json) -> list[str]:
    """What must be there for Python to run the new version, and was there for the old one."""
    notes = []
    if plain_files.suits(path, new):
        notes += [
            f"the compute target {name!r} ({command})"
            for name, command in adopted.items()
            if name not in still_adopted
        ]
        if b"get_ipython()" in new and not path.endswith(".ipynb"):
            notes.append("that IPython or scriptrun exec runs it: it uses get_ipython()")
    return notes


def _reference_note(old: list[Json], new: list[Json]) -> list[str]:
    """A note if data references became datasets, which a script can tell apart."""

    def count(jobs: list[Json]) -> int:
        inputs = [item for job in jobs for item in (job.get("data") or {}).get("inputs") or ()]
        return sum(item.get("kind") == "reference" for item in inputs)

    is_same = count(old) == count(new)
    return [] if is_same else ["that no script lists run.input_datasets, which has more datasets"]


def _rewritten_scripts(
    path: str, jobs: list[Json], versions: dict[Path, BothVersions]
) -> list[str]:
    """Notes on the scripts of jobs that are rewritten, too: a proof does not run them."""
    folder = Path(path).absolute().parent
    notes = []
    for job in jobs:
        script = folder / str(job.get("source_directory") or "") / str(job.get("script") or "")
        if Path(os.path.normpath(script)) in versions:
            notes.append(f"what {job['script']} does, which is rewritten, too")
    return list(dict.fromkeys(notes))


def _record_both(
    path: str, versions: dict[Path, BothVersions], library: Path | None, words: list[str]
) -> tuple[Json, Json]:
    """Record what both versions submit; ``words`` are what is granted, and their arguments."""
    old = {file: before for file, (before, _) in versions.items()}
    new = {file: after for file, (_, after) in versions.items()}
    plain = "plain" if plain_files.suits(path, new[Path(path).absolute()]) else ""
    with scratch.Scratch("prove") as folder:
        known = _find_workspace_folder(path)
        first = Workspace.create("prove", path=Path(folder, "first"))
        _copy_records(known, first, _COPIED_FOLDERS)
        granted, *arguments = words
        words = [granted, "", *arguments]
        before = _record(path, old, Path(folder, "before"), first, library, words)
        second = Workspace.create("prove", path=Path(folder, "second"))
        _copy_records(known, second, _COPIED_FOLDERS)
        _copy_records(first.directory, second, _TARGETS)
        words = [granted, plain, *arguments]
        return before, _record(path, new, Path(folder, "after"), second, library, words)


def _record(
    path: str,
    contents: dict[Path, bytes],
    folder: Path,
    workspace: Workspace,
    library: Path | None,
    arguments: list[str],
) -> Json:
    file = Path(path).absolute()
    package_root = None if library else _package_root(file, contents[file])
    root = library or package_root or _root(path, contents[file])
    _check_size(root)
    ignored = shutil.ignore_patterns(".git", ".scriptrun", "__pycache__", ".venv", "venv")
    try:
        shutil.copytree(root, folder, symlinks=True, ignore=ignored)
    except (OSError, shutil.Error) as error:
        raise Unprovable(f"cannot copy {root}: {error}") from None
    for original, content in contents.items():
        copied = folder / os.path.relpath(original, root)
        if root in original.parents and (original == file or os.path.lexists(copied)):
            copied.unlink(missing_ok=True)  # it may be a link, or read-only
            copied.write_bytes(content)
    file = folder / file.relative_to(root)
    result = folder.with_suffix(".json")
    workspace_path = str(workspace.root)
    top = folder if library or package_root else file.parent
    words = [str(file), str(result), str(top), *arguments]
    place = folder if package_root else file.parent
    last_line = _run_recorder(words, place, workspace_path, top)
    if not result.exists():
        raise Unprovable(f"cannot run it: {last_line}")
    text = result.read_text("utf-8").replace(str(folder), ".").replace(workspace_path, "WORKSPACE")
    recording: Json = json.loads(text)
    recording["told"] = last_line
    return recording


def library_folder(path: str, root: str) -> Path | None:
    """The directory ``root`` if modules in it are imported from the file's own directory."""
    folder, library = Path(path).absolute().parent, Path(root or path).absolute()
    if library not in folder.parents:
        return None
    names = {
        name
        for file in folder.iterdir()
        if file.suffix in (".py", ".ipynb") and file.is_file()
        for name in re.findall(
            rb"""(?:^|[\n"])[ \t]*(?:from|import)[ \t]+(\w+)""", file.read_bytes()
        )
    }
    found = [
        name
        for name in map(bytes.decode, names)
        if not (folder / name).exists()
        and not (folder / f"{name}.py").exists()
        and ((library / name).is_dir() or (library / f"{name}.py").is_file())
    ]
    try:
        _check_size(library)
    except Unprovable:
        return None
    return library if found else None


def _root(path: str, content: bytes) -> Path:
    """The directory to copy: the file's, or the project's if the code looks above that."""
    folder = Path(path).absolute().parent
    if not _LOOKS_ABOVE.search(content):
        return folder
    root = _project(folder)
    try:
        _check_size(root)
    except Unprovable:
        return folder
    return root


def _project(folder: Path) -> Path:
    """The git repository around ``folder``, else the directory that one is in; else ``folder``."""
    folders = [folder, *folder.parents]
    project = next(
        (candidate for candidate in folders if (candidate / ".git").exists()), Path.cwd()
    )
    return project if project in folders else folder


def _package_root(file: Path, content: bytes) -> Path | None:
    """The directory above a file's own that has packages it imports, as for ``python -m``."""
    if b"sys.path" in content:
        return None
    own, project = file.parent, _project(file.parent)
    names = {name.decode() for name in _IMPORTED.findall(content)}
    names = {name for name in names if not _has_module(own, name)} - sys.stdlib_module_names
    for folder in own.parents if own != project else ():
        if any(_has_module(folder, name) for name in names):
            return folder
        if folder == project:
            break
    return None


def _has_module(folder: Path, name: str) -> bool:
    return (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file()


def _find_workspace_folder(path: str) -> Path | None:
    """The metadata folder of the workspace that contains the file, or None."""
    configured = os.environ.get("SCRIPTRUN_WORKSPACE")
    folder = Path(path).absolute().parent
    for candidate in [Path(configured)] if configured else [folder, *folder.parents]:
        if (candidate / DIRECTORY / "workspace.json").exists():
            trust.require(candidate)
            return candidate / DIRECTORY
    return None


def _copy_records(source: Path | None, workspace: Workspace, folders: tuple[str, ...]) -> None:
    """Copy the folders ``folders`` of the workspace folder ``source`` to ``workspace``."""
    for folder in folders if source is not None else ():
        if source is not None and (source / folder).is_dir():
            shutil.copytree(source / folder, workspace.directory / folder, dirs_exist_ok=True)


def _check_size(folder: Path) -> None:
    size = 0
    for root, folders, names in os.walk(folder):
        folders[:] = [child for child in folders if child not in (".git", ".scriptrun", ".venv")]
        for name in names:
            try:
                size += os.lstat(os.path.join(root, name)).st_size
            except OSError:
                continue
        if size > _MAX_BYTES:
            raise Unprovable(f"{folder} is larger than 300 MB, too large to copy")


def _run_recorder(arguments: list[str], folder: Path, workspace: str, library: Path) -> str:
    """Run the recorder; return the last line of its error output.

    Modules are also found in ``library``.
    """
    command = [sys.executable, "-P", "-W", "ignore", "-m", "scriptrun.migration.proof.recorder"]
    variables = {**os.environ, "SCRIPTRUN_WORKSPACE": workspace, "MPLBACKEND": "Agg"}
    paths = [str(library), os.environ.get("PYTHONPATH", "")]
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    try:
        result = dependents.run(
            [*command, *arguments], cwd=folder, environ=variables, timeout=_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise Unprovable(f"it timed out after {_TIMEOUT} s") from None
    lines = result.stderr.decode("utf-8", "replace").strip().splitlines()
    return (lines or [""])[-1]


def _compare(path: str, before: Json, after: Json) -> Proof:
    old, new = before["jobs"], after["jobs"]
    stopped: list[str] = before["stopped"]
    if stopped and not old:
        reasons = [f"before: {error}" for error in stopped]
        if before["told"].startswith("usage") or stopped[-1].endswith("exited with code 2"):
            reasons.append(f"{before['told']} (set its arguments with --args)")
        return Proof(path, CANNOT, reasons=reasons)
    if stopped != after["stopped"]:
        reasons = [message for message in after["stopped"] if message not in stopped]
        no_stop = ["it no longer stops where it stopped before"]
        return Proof(path, DIFFERS, reasons=[f"after: {text}" for text in reasons or no_stop])
    if not old and not new:
        return Proof(path, CANNOT, reasons=["it submits no job and deploys no service"])
    if len(old) != len(new):
        return Proof(path, DIFFERS, reasons=[f"{len(old)} jobs before, {len(new)} after"])
    problem = _find_problem(old)
    if problem:
        return Proof(path, CANNOT, reasons=[problem])
    reasons = [
        reason
        for number, (old_job, new_job) in enumerate(zip(old, new, strict=True), 1)
        for reason in differences(old_job, new_job, f"job {number}: " if len(old) > 1 else "")
    ]
    if sorted(map(_sort_key, old)) == sorted(map(_sort_key, new)):
        reasons = []  # threads submit in any order
    status = DIFFERS if reasons else PARTLY if stopped else SAME
    services = sum("service" in job for job in old)
    return Proof(path, status, len(old), reasons, before["stopped_at"], before["assumed"], services)


def _sort_key(job: Json) -> str:
    return json.dumps(job if "refused" in job else comparable(job), sort_keys=True)


def _find_problem(jobs: list[Json]) -> str:
    """Why the jobs cannot be compared, or ""."""
    rejections = [job["refused"] for job in jobs if "refused" in job]
    if rejections:
        return f"the job is also rejected before the rewrite: {rejections[0]}"
    text = json.dumps(jobs)
    if missing_modules.MARK in text:
        return "a job depends on a module that is not installed"
    if fake_runs.MARK in text or repr(fake_runs.VALUE) in text:
        return "a job depends on the results of another, and no job is run"
    return ""


def differences(old: Json, new: Json, prefix: str = "") -> list[str]:
    """The differences between two jobs (``JobSpec.to_dict``), one sentence per field."""
    if "refused" in old or "refused" in new:
        rejections = [
            f"{when} it is rejected: {job['refused']}"
            for when, job in (("before", old), ("after", new))
            if "refused" in job
        ]
        return [] if old == new else [f"{prefix}{'; '.join(rejections)}"]
    return [
        f"{prefix}{difference}"
        for difference in _field_differences(comparable(old), comparable(new), "")
    ]


def _field_differences(old: object, new: object, name: str) -> list[str]:
    """The differences between two values, by innermost field."""
    if old == new:
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted({*old, *new})
        return [
            reason
            for key in keys
            for reason in _field_differences(
                old.get(key), new.get(key), f"{name}.{key}".lstrip(".")
            )
        ]
    return [f"{name} changed from {old!r} to {new!r}"]


def comparable(job: Json) -> Json:
    """The parts of a job that must be equal: all but IDs, times and random names."""
    names: dict[str, str] = {}
    text = json.dumps(job, sort_keys=True, default=str).replace(job["id"], "RUN")

    def placeholder(match: re.Match[str]) -> str:
        return names.setdefault(match[0], f"drawn{len(names)}")

    fields: Json = json.loads(_RANDOM.sub(placeholder, text))
    fields = {key: value for key, value in fields.items() if key not in _NOT_COMPARED}
    definition = fields.get("run_definition") or {}
    # variables and data also have top-level fields, wherever they were set
    for name in ("environmentVariables", "data", "dataReferences", "outputData"):
        definition.pop(name, None)
    data = fields.get("data") or {}
    for name in ("inputs", "outputs"):
        if isinstance(data.get(name), list):
            data[name].sort(key=lambda item: str(item.get("name")))
    for record in data.get("inputs") or ():
        if record.get("name") in names.values() and record.get("found_by"):
            _keep_delivery_fields(record)
    definition["framework"] = str(definition.get("framework")).lower()
    _strip_environment(definition.get("environment") or {})
    environment = fields.get("environment") or {}
    for section in (environment, definition.get("environment") or {}):
        if section.get("name") in (None, DEFAULT_ENVIRONMENT):  # a file that names none means it
            section["name"] = ""
    if environment.get("pins") == AUTO:  # RELAX, in all that a job has of it
        environment["pins"] = RELAX
    return fields


def _keep_delivery_fields(record: Json) -> None:
    """Keep only what determines the delivered files of an unnamed downloaded input.

    Data references and datasets are delivered alike, but described differently.
    """
    for name in ("kind", "what", "datastore", "path"):
        record.pop(name, None)


def _strip_environment(section: Json) -> None:
    """Keep only those fields that the job's ``environment`` field does not repeat."""
    for name in ("environmentVariables", "version"):
        section.pop(name, None)
    docker = section.get("docker") or {}
    if is_azure_image(docker.get("baseImage")):
        docker.pop("baseImage", None)
    python = section.get("python") or {}
    for name in ("condaDependencies", "condaDependenciesFile"):
        python.pop(name, None)

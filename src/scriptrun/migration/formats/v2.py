"""Export jobs as Azure ML v2 command jobs.

The schema: https://learn.microsoft.com/azure/machine-learning/reference-yaml-job-command
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from scriptrun.config.environments.images import DEFAULT_CPU_IMAGE
from scriptrun.migration.formats.facts import (
    Exported,
    Packages,
    data_of,
    line_of,
    name_of,
    packages,
    referred,
    variable,
)
from scriptrun.registry import compute_targets
from scriptrun.spec.job import JobSpec

SCHEMA = "https://azuremlschemas.azureedge.net/latest/commandJob.schema.json"
_MODES = {"mount": "ro_mount", "download": "download", "upload": "upload", "direct": "direct"}
_KINDS = {"pytorch": "pytorch", "mpi": "mpi", "tensorflow": "tensorflow"}


def command_job(job: JobSpec, lock: dict[str, Any] | None) -> Exported:
    """Export the job as ``job.yml``, with ``conda.yml`` if it has packages."""
    found = packages(job, lock)
    lost = [f"{name}: the value comes from the submitting shell" for name in job.passed]
    files: dict[str, str] = {}
    made: dict[str, Any] = {"$schema": SCHEMA, "type": "command"}
    made["experiment_name"] = job.experiment or name_of(job)
    if job.display_name and job.display_name != job.id:
        made["display_name"] = job.display_name
    if job.source_directory:
        made["code"] = job.source_directory
    made["command"] = _line(job, lost)
    made.update(_data(job, lost))
    made["environment"] = _environment(job, found, files, lost)
    made["compute"] = (
        "local"
        if compute_targets.engine_of(job.target).traits.is_local
        else f"azureml:{job.target.name}"
    )
    made.update(_rest(job, lost))
    text = yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=100)
    return Exported({"job.yml": text, **files}, lost)


def _line(job: JobSpec, lost: list[str]) -> str:
    line = line_of(job, "<%s>")
    if "${{" in line:
        lost.append("${{...}} in its command line: v2 treats it as a placeholder")
    for each in data_of(job):
        side = "inputs" if each["input"] else "outputs"
        line = line.replace(f"<{variable(each['name'])}>", f"${{{{{side}.{each['name']}}}}}")
    return line


def _data(job: JobSpec, lost: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for each in data_of(job):
        side = "inputs" if each["input"] else "outputs"
        made.setdefault(side, {})[each["name"]] = _piece(each, lost)
    return made


def _piece(each: dict[str, Any], lost: list[str]) -> dict[str, Any]:
    pin = each.get("dataset") or {}
    place, path = each.get("datastore"), each.get("path")
    if place is None and pin.get("roots"):
        root = pin["roots"][0]
        place, path = root.get("datastore"), root.get("folder") or root.get("under")
        if len(pin["roots"]) > 1:
            lost.append(
                f"the input {each['name']!r} has several sources: only the first is exported"
            )
    mode = _MODES.get(each["mode"], "ro_mount")
    if not each["input"]:
        mode = "upload" if each["mode"] == "upload" else "rw_mount"
    made = {"type": "uri_folder", "mode": mode}
    if place:
        made["path"] = f"azureml://datastores/{place}/paths/{(path or '').strip('/')}"
    elif each["input"]:
        made["path"] = f"./{each['name']}"
        lost.append(f"the location of input {each['name']!r}: set its path")
    if pin.get("name"):
        lost.append(f"input {each['name']!r} is version {pin['version']} of {pin['name']!r}: "
                    "v2 reads the current files at the path")  # fmt: skip
    return made


def _environment(
    job: JobSpec, found: Packages, files: dict[str, str], lost: list[str]
) -> dict[str, Any]:
    made: dict[str, Any] = {"image": job.environment.image or DEFAULT_CPU_IMAGE}
    if found.interpreter:
        lost.append(f"the interpreter {found.interpreter}: the image's Python is used")
        return made
    if found.is_hashed:
        lost.append("the digests of its packages: conda.yml has only versions")
    lines = [*found.options, *(re.sub(r"\s+--hash=\S+", "", each) for each in found.requirements)]
    dependencies: list[Any] = [f"python={found.python or '3.10'}", "pip", *found.conda]
    if lines:
        dependencies.append({"pip": lines})
    channels = found.channels or ["conda-forge"]
    conda = {"name": name_of(job), "channels": channels, "dependencies": dependencies}
    files["conda.yml"] = yaml.safe_dump(conda, sort_keys=False, allow_unicode=True)
    return {**made, "conda_file": "./conda.yml"}


def _rest(job: JobSpec, lost: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if job.variables:
        made["environment_variables"] = {
            name: referred(value, "$%s") for name, value in job.variables.items()
        }
    spread, settings = job.distribution, job.environment.docker
    resources: dict[str, Any] = {"instance_count": spread.nodes}
    if settings.get("shm_size"):
        resources["shm_size"] = settings["shm_size"]
    if settings.get("arguments"):
        resources["docker_args"] = " ".join(map(str, settings["arguments"]))
    if spread.nodes > 1 or len(resources) > 1:
        made["resources"] = resources
    if spread.kind in _KINDS:
        made["distribution"] = _distribution(job)
    if job.max_run_duration_seconds is not None:
        made["limits"] = {"timeout": max(1, round(job.max_run_duration_seconds))}
    tags = {key: value or "" for key, value in job.tags.items()}
    if tags:
        made["tags"] = tags
    for what in ("cpus", "memory", "gpus"):
        if job.resources.get(what):
            lost.append(f"{what} per node: v2 derives them from the compute's VM size")
    return made


def _distribution(job: JobSpec) -> dict[str, Any]:
    spread = job.distribution
    if spread.kind == "tensorflow":
        servers = int(spread.settings.get("parameter_server_count") or 0)
        workers = spread.settings.get("worker_count") or max(1, (spread.processes or 1) - servers)
        return {"type": "tensorflow", "worker_count": workers, "parameter_server_count": servers}
    return {"type": spread.kind, "process_count_per_instance": spread.processes_per_node}

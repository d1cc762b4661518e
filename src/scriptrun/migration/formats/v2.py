"""Export jobs as Azure ML v2 command jobs.

The schema: https://learn.microsoft.com/azure/machine-learning/reference-yaml-job-command
"""

from __future__ import annotations

import re

from scriptrun.config.environments.images import DEFAULT_CPU_IMAGE
from scriptrun.migration.formats.facts import (
    ExportedJob,
    Packages,
    data_variable,
    job_name,
    read_packages,
    replace_references,
    shell_line,
)
from scriptrun.registry import compute_targets
from scriptrun.spec.job import JobSpec
from scriptrun.spec.job_data import JobInput, JobOutput
from scriptrun.store import yaml_writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

SCHEMA = "https://azuremlschemas.azureedge.net/latest/commandJob.schema.json"
_MODES = {"mount": "ro_mount", "download": "download", "upload": "upload", "direct": "direct"}
_KINDS = {"pytorch": "pytorch", "mpi": "mpi", "tensorflow": "tensorflow"}


def command_job(job: JobSpec, lockfile: Json | None) -> ExportedJob:
    """Export the job as ``job.yml``, with ``conda.yml`` if it has packages."""
    packages = read_packages(job, lockfile)
    lost = [f"{name}: the value comes from the submitting shell" for name in job.passed]
    files: dict[str, str] = {}
    document: Json = {"$schema": SCHEMA, "type": "command"}
    document["experiment_name"] = job.experiment or job_name(job)
    if job.display_name and job.display_name != job.id:
        document["display_name"] = job.display_name
    if job.source_directory:
        document["code"] = job.source_directory
    document["command"] = _line(job, lost)
    document.update(_data(job, lost))
    document["environment"] = _environment(job, packages, files, lost)
    document["compute"] = (
        "local"
        if compute_targets.engine_of(job.target).traits.here
        else f"azureml:{job.target.name}"
    )
    document.update(_other_fields(job, lost))
    text = yaml_writer.dump(document)
    return ExportedJob({"job.yml": text, **files}, lost)


def _line(job: JobSpec, lost: list[str]) -> str:
    line = shell_line(job, "<%s>")
    if "${{" in line:
        lost.append("${{...}} in its command line: v2 treats it as a placeholder")
    for item in job.data.items:
        side = "inputs" if isinstance(item, JobInput) else "outputs"
        line = line.replace(f"<{data_variable(item.name)}>", f"${{{{{side}.{item.name}}}}}")
    return line


def _data(job: JobSpec, lost: list[str]) -> Json:
    data: Json = {}
    for item in job.data.items:
        side = "inputs" if isinstance(item, JobInput) else "outputs"
        data.setdefault(side, {})[item.name] = _data_entry(item, lost)
    return data


def _data_entry(item: JobInput | JobOutput, lost: list[str]) -> Json:
    pin = item.dataset if isinstance(item, JobInput) else None
    datastore, path = item.datastore, item.path
    if datastore is None and pin is not None and pin.roots:
        root = pin.roots[0]
        datastore, path = root.get("datastore"), root.get("folder") or root.get("under")
        if len(pin.roots) > 1:
            lost.append(f"the input {item.name!r} has several sources: only the first is exported")
    mode = _MODES.get(item.mode, "ro_mount")
    if isinstance(item, JobOutput):
        mode = "upload" if item.mode == "upload" else "rw_mount"
    entry = {"type": "uri_folder", "mode": mode}
    if datastore:
        entry["path"] = f"azureml://datastores/{datastore}/paths/{(path or '').strip('/')}"
    elif isinstance(item, JobInput):
        entry["path"] = f"./{item.name}"
        lost.append(f"the location of input {item.name!r}: set its path")
    if pin is not None and pin.name:
        lost.append(f"input {item.name!r} is version {pin.version} of {pin.name!r}: "
                    "v2 reads the current files at the path")  # fmt: skip
    return entry


def _environment(job: JobSpec, packages: Packages, files: dict[str, str], lost: list[str]) -> Json:
    environment: Json = {"image": job.environment.image or DEFAULT_CPU_IMAGE}
    if packages.interpreter:
        lost.append(f"the interpreter {packages.interpreter}: the image's Python is used")
        return environment
    if packages.is_hashed:
        lost.append("the digests of its packages: conda.yml has only versions")
    lines = [
        *packages.options,
        *(re.sub(r"\s+--hash=\S+", "", requirement) for requirement in packages.requirements),
    ]
    dependencies: list[str | dict[str, list[str]]] = [
        f"python={packages.python or '3.10'}",
        "pip",
        *packages.conda,
    ]
    if lines:
        dependencies.append({"pip": lines})
    channels = packages.channels or ["conda-forge"]
    conda = {"name": job_name(job), "channels": channels, "dependencies": dependencies}
    files["conda.yml"] = yaml_writer.dump(conda)
    return {**environment, "conda_file": "./conda.yml"}


def _other_fields(job: JobSpec, lost: list[str]) -> Json:
    fields: Json = {}
    if job.variables:
        fields["environment_variables"] = {
            name: replace_references(value, "$%s") for name, value in job.variables.items()
        }
    distribution, settings = job.distribution, job.environment.docker
    resources: Json = {"instance_count": distribution.nodes}
    if settings.shm_size:
        resources["shm_size"] = settings.shm_size
    if settings.arguments:
        resources["docker_args"] = " ".join(map(str, settings.arguments))
    if distribution.nodes > 1 or len(resources) > 1:
        fields["resources"] = resources
    if distribution.kind in _KINDS:
        fields["distribution"] = _distribution(job)
    if job.max_run_duration_seconds is not None:
        fields["limits"] = {"timeout": max(1, round(job.max_run_duration_seconds))}
    tags = {key: value or "" for key, value in job.tags.items()}
    if tags:
        fields["tags"] = tags
    for resource in ("cpus", "memory", "gpus"):
        if getattr(job.resources, resource):
            lost.append(f"{resource} per node: v2 derives them from the compute's VM size")
    return fields


def _distribution(job: JobSpec) -> Json:
    distribution = job.distribution
    if distribution.kind == "tensorflow":
        servers = int(distribution.settings.get("parameter_server_count") or 0)
        workers = distribution.settings.get("worker_count") or max(
            1, (distribution.processes or 1) - servers
        )
        return {"type": "tensorflow", "worker_count": workers, "parameter_server_count": servers}
    return {
        "type": distribution.kind,
        "process_count_per_instance": distribution.processes_per_node,
    }

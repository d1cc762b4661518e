"""Export jobs as shell and sbatch scripts that only need uv, not scriptrun."""

from __future__ import annotations

import shlex

from scriptrun.engines import time_limits
from scriptrun.migration.formats.facts import (
    ExportedJob,
    Packages,
    data_losses,
    data_variable,
    duration,
    job_name,
    losses,
    read_packages,
    shell_line,
)
from scriptrun.spec.job import JobSpec
from scriptrun.spec.job_data import JobInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: how a shell line refers to a path in a variable
_QUOTED = '"$%s"'
_RANKS = {
    "pytorch": "RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID WORLD_SIZE=$SLURM_NTASKS",
    "mpi": "",
    "nodes": "",
}


def shell(job: JobSpec, lockfile: Json | None) -> ExportedJob:
    """Export the job as a script for ``sh``: uv creates the environment, then the job runs."""
    packages = read_packages(job, lockfile)
    lost = [*losses(job), *data_losses(job), *_environment_losses(job, packages)]
    if job.distribution.kind:
        lost.append(
            f"the {job.distribution.kind} distribution: this script starts a single process"
        )
    if job.max_run_duration_seconds is not None:
        lost.append("the time limit: run it with `timeout`")
    lines = ["#!/bin/sh", f"# {job.display_name or job.id}", "set -eu", *_source(job)]
    lines += [*_variables(job), *_environment(packages), "", "exec " + shell_line(job, _QUOTED)]
    return ExportedJob({f"{job_name(job)}.sh": "\n".join(lines) + "\n"}, lost)


def sbatch(job: JobSpec, lockfile: Json | None) -> ExportedJob:
    """Export the job for ``sbatch``: uv creates the environment, then srun starts the job."""
    packages = read_packages(job, lockfile)
    lost = [*losses(job), *data_losses(job), *_environment_losses(job, packages)]
    lines = ["#!/bin/bash", *_header(job), "", "set -eu", *_source(job), *_variables(job)]
    lines += [*_environment(packages), *_rendezvous(job), "", _start_line(job, lost)]
    if job.distribution.nodes > 1:
        lost.append("the environment's .venv folder: it must be on storage that all nodes share")
    return ExportedJob({f"{job_name(job)}.sbatch": "\n".join(lines) + "\n"}, lost)


def _source(job: JobSpec) -> list[str]:
    return [f"cd {shlex.quote(job.source_directory or '.')}"]


def _variables(job: JobSpec) -> list[str]:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(job.variables.items())]
    lines += [f': "${{{name}:?set it in the submitting shell}}"' for name in job.passed]
    for item in job.data.items:
        purpose = "of an input" if isinstance(item, JobInput) else "for an output"
        lines.append(f': "${{{data_variable(item.name)}:?set it to the path {purpose}}}"')
    return lines


def _environment(packages: Packages) -> list[str]:
    if packages.interpreter:
        return [f'PATH="$(dirname {shlex.quote(packages.interpreter)}):$PATH"', "export PATH"]
    python = f" --python {packages.python}" if packages.python else ""
    lines = ["", "if [ ! -x .venv/bin/python ]; then", f"  uv venv --quiet{python} .venv"]
    if packages.requirements:
        hashes = " --require-hashes" if packages.is_hashed else ""
        lines.append(f"  uv pip install --quiet --python .venv/bin/python{hashes} -r - <<'END'")
        lines += [*packages.options, *packages.requirements, "END"]
    return [*lines, "fi", 'PATH="$PWD/.venv/bin:$PATH"', "export PATH"]


def _environment_losses(job: JobSpec, packages: Packages) -> list[str]:
    lost = []
    if packages.conda:
        lost.append(f"conda packages that PyPI lacks: {', '.join(packages.conda)}")
    if job.environment.container:
        lost.append(f"the container of {job.environment.image or 'its own Dockerfile'}")
    return lost


def _header(job: JobSpec) -> list[str]:
    distribution, options = job.distribution, job.target.options
    ranks = distribution.processes_per_node if distribution.kind else 1
    settings: Json = {
        "job-name": job_name(job),
        "nodes": distribution.nodes,
        "ntasks-per-node": ranks,
        "cpus-per-task": ((job.resources.cpus or 0) // ranks) or None,
        "gpus-per-node": job.resources.gpus,
        "mem": f"{job.resources.memory >> 20}M" if job.resources.memory else None,
        "time": duration(job.max_run_duration_seconds) if job.max_run_duration_seconds else None,
    }
    if not settings["time"] and options.get("time"):
        settings["time"] = time_limits.slurm_text(options["time"])
    for name in ("partition", "account", "qos", "constraint", "gres"):
        settings[name] = options.get(name)
    return [f"#SBATCH --{name}={value}" for name, value in settings.items() if value]


def _rendezvous(job: JobSpec) -> list[str]:
    if job.distribution.kind != "pytorch":
        return []
    return [
        "",
        'MASTER_ADDR="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"',
        "MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))",
        "export MASTER_ADDR MASTER_PORT",
    ]


def _start_line(job: JobSpec, lost: list[str]) -> str:
    kind = job.distribution.kind
    line = shell_line(job, _QUOTED)
    if kind == "tensorflow":
        lost.append("TF_CONFIG: each task must derive it from SLURM_PROCID")
    extra = "--mpi=pmix " if kind == "mpi" else ""
    if kind == "pytorch":
        return f"srun bash -c {shlex.quote(f'{_RANKS[kind]} exec {line}')}"
    return (
        f"srun {extra}bash -c {shlex.quote(f'exec {line}')}"
        if job.command
        else f"srun {extra}{line}"
    )

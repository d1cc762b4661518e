"""The batch script of a job for Slurm: pure text, without secrets (man sbatch, srun)."""

from __future__ import annotations

import math
import re
import shlex
import sys
from pathlib import Path

from scriptrun.engines.slurm.options import SlurmOptions
from scriptrun.engines.time_limits import minutes_of, slurm_text
from scriptrun.runtime.injob.short_names import short_name
from scriptrun.runtime.schedulers import slurm_launch
from scriptrun.spec.job import JobSpec
from scriptrun.spec.run_kinds import SERVICE

#: what starts on each node: the launcher stored in the workspace, with the order's path
PROGRAM = (
    "import json, sys; order = json.load(open(sys.argv[1], encoding='utf-8')); "
    "sys.path.insert(0, order['runtime']); "
    "from scriptrun.runtime.schedulers import slurm_launch; slurm_launch.main(order)"
)
#: how the comment of a job in Slurm begins; the run's ID follows, or an array's digest
COMMENT = "scriptrun"
_LONGEST_NAME = 64
#: the run's file for Slurm's own output
LOG = "system_logs/slurm.txt"
#: seconds that a job may take beyond its own time limit, to save and to report
MARGIN = 60.0


def attempt_folder(folder: Path, attempt: int = 1) -> Path:
    """The folder for an attempt's batch script, order and handle."""
    return folder / "slurm" / str(attempt)


def script(
    target: SlurmOptions,
    job: JobSpec,
    slurm_folder: Path,
    log: Path | None,
    array: int = 0,
    comment: str = "",
    name: str = "",
) -> str:
    """The batch script; ``slurm_folder`` holds the order, ``array`` is the number of tasks.

    ``comment`` and ``name`` are those of an array; else they name the run.
    """
    options = [*_options(target, job, log, array, comment, name), *target.extra]
    lines = ["#!/bin/bash", *(f"#SBATCH {option}" for option in options), ""]
    lines += [f"# {comment}" for comment in _header_lines(job, array)]
    if target.own_environments:
        lines.append(
            f"# environment: built once on each node, below {_one_line(str(target.scratch))}"
        )
    lines += target.setup
    lines += [f"order={shlex.quote(str(slurm_folder / 'order.json'))}", *_start(target, job)]
    return "\n".join(lines) + "\n"


def _start(target: SlurmOptions, job: JobSpec) -> list[str]:
    """Start one launcher per node: by this shell for one node, by srun for several.

    An srun that is signaled while its job runs kills its step at once, and on preemption Slurm
    signals only the steps. The launcher that starts MPI ranks by srun is therefore in no step: it
    is a child of this shell, and what it starts lives on.
    """
    python = shlex.quote(target.python or sys.executable)
    program = f'{python} -I -S -c "$program" "$order"'
    nodes, launcher = job.distribution.nodes, program
    stop_command, others = 'kill -USR1 "$launcher"', []
    if nodes > 1 and job.distribution.kind == "mpi":
        srun = _srun_command(target, job, nodes - 1, "--relative=1")
        on_failure = 'kill -USR1 "$launcher"'  # the other nodes failed: node 0 need not wait
        others = [f"(trap '' USR1; {slurm_launch.FIRST_NODE}=1 {srun} {program} || {on_failure}) &"]
    elif nodes > 1:
        launcher = f"{_srun_command(target, job, nodes)} {program}"
        # signals the job's steps, not this shell; ranks get it from their launchers
        stop_command = 'scancel --signal=URG "$SLURM_JOB_ID"'
    lines = [f"program={shlex.quote(PROGRAM)}"]
    if not target.warn and not job.retry.limit:
        lines += ["launcher=$$", *others] if others else []
        return [*lines, f"exec {launcher}"]
    return [
        *lines,
        f"(trap '' USR1; exec {launcher}) &",
        "launcher=$!",
        *others,
        *_wait_lines(stop_command),
    ]


def _srun_command(target: SlurmOptions, job: JobSpec, nodes: int, *options: str) -> str:
    """The srun command that starts a program once on each of ``nodes``."""
    words = [f"--nodes={nodes}", *options, f"--ntasks={nodes}", "--ntasks-per-node=1"]
    words += [f"--cpus-per-task={cpus(target, job)}", "--mpi=none", "--kill-on-bad-exit=0"]
    return " ".join(["srun", *words, "--export=ALL"])


def _wait_lines(stop_command: str) -> list[str]:
    """Wait for the launcher, forward Slurm's warning by ``stop_command``, requeue on request."""
    return [
        # sbatch --signal wakes this shell alone: it signals the launchers to stop and to save
        f"trap 'touch \"${{order%/*}}/warned.${{SLURM_RESTART_COUNT:-0}}\"; {stop_command}' USR1",
        "trap : TERM",  # it goes to the launchers as well, and this shell waits for them
        "wait $launcher; code=$?",
        "while kill -0 $launcher 2>/dev/null; do wait $launcher; code=$?; done",
        'if [ -e "${order%/*}/again" ]; then',  # the launcher asks for it
        '  rm -f "${order%/*}/again"',
        # a busy controller may not answer at once; where it has, this shell is ended
        "  for _ in 1 2 3 4 5 6 7 8 9 10; do",
        '    scontrol requeue "$SLURM_JOB_ID" && break; sleep 2',
        "  done",
        "  sleep 60",
        "fi",
        "exit $code",
    ]


def _options(
    target: SlurmOptions, job: JobSpec, log: Path | None, array: int, comment: str, name: str
) -> list[str]:
    nodes = job.distribution.nodes
    values = {
        "job-name": valid_name(name or job.experiment, COMMENT) if array else job_name(job),
        "comment": comment or comment_of(job.id),
        "array": f"0-{array - 1}" if array else None,
        "nodes": str(nodes),
        "ntasks-per-node": "1",
        "cpus-per-task": str(cpus(target, job)),
        "mem": _memory(target, job),
        "gres": gres(target, job),
        "time": _time(target, job),
        "partition": target.partition,
        "account": target.account,
        "qos": target.qos,
        "constraint": target.constraint,
        "chdir": "/",
        "output": _output_pattern(log),
        "open-mode": "append",
        "signal": f"B:USR1@{target.warn}" if target.warn else None,
    }
    options = [f"--{name}={quoted(value)}" for name, value in values.items() if value]
    return [*options, "--requeue" if target.requeue else "--no-requeue"]


def job_name(job: JobSpec) -> str:
    """The name of the run's job in squeue: its display name, else its short name."""
    default = short_name(job.id)
    return valid_name(default if job.display_name == job.id else job.display_name, default)


def valid_name(name: str, default: str) -> str:
    """``name`` as a job name: one word without commas, which squeue and scancel take for several.

    ``default`` if nothing is left of it.
    """
    return re.sub(r"[^\w.+:@=-]+", "_", name).strip("_-")[:_LONGEST_NAME] or default


def comment_of(run_id: str) -> str:
    """The comment of the run's job, which identifies it: names need not be unique."""
    return f"{COMMENT}:{run_id}"


def quoted(value: str) -> str:
    """``value`` quoted for an ``#SBATCH`` line: sbatch knows quotes and backslashes."""
    if all(char.isalnum() or char in "_-+./:=@,%[]()&|*!" for char in value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _output_pattern(log: Path | None) -> str:
    """The log's path as an sbatch filename pattern; /dev/null if no pattern can express it."""
    text = str(log) if log is not None else ""
    if not text or "\\" in text or not text.isprintable():
        return "/dev/null"
    return text.replace("%", "%%")


def cpus(target: SlurmOptions, job: JobSpec) -> int:
    """CPUs per node: as the job requests, else the target's, but at least one per rank."""
    requested = job.resources.cpus
    return int(requested or max(target.cpus or 1, job.distribution.processes_per_node))


def _memory(target: SlurmOptions, job: JobSpec) -> str | None:
    requested = job.resources.memory
    return f"{math.ceil(requested / 2**20)}M" if requested else target.memory


def gres(target: SlurmOptions, job: JobSpec) -> str | None:
    """Generic resources per node: the target's, with the GPUs that the job requests."""
    requested = job.resources.gpus
    if not requested:
        return target.gres
    entries = [entry for entry in (target.gres or "").split(",") if entry]
    gpus = [entry for entry in entries if entry.isdigit() or entry.split(":")[0] == "gpu"]
    words = gpus[0].partition("(")[0].split(":") if gpus else []
    kind = [word for word in words if word and not word.isdigit()]
    others = [entry for entry in entries if entry not in gpus]
    return ",".join([*others, ":".join([*(kind or ["gpu"]), str(requested)])])


def _time(target: SlurmOptions, job: JobSpec) -> str | None:
    """The smaller of the target's limit and the job's own, which the launcher keeps exactly."""
    limit = job.max_run_duration_seconds
    own = slurm_text(target.time) if target.time else None
    if limit is None:
        return own
    minutes = math.ceil((limit + job.grace_seconds + MARGIN) / 60)
    target_minutes = minutes_of(target.time) if target.time else None
    return own if target_minutes is not None and target_minutes <= minutes else str(minutes)


def final_limit(target: SlurmOptions, job: JobSpec) -> float | None:
    """Seconds after which Slurm ends a job for good, unless its launcher ends it first."""
    if target.warn or not target.time or _time(target, job) != slurm_text(target.time):
        return None
    minutes = minutes_of(target.time)
    return minutes * 60 if minutes else None


def _header_lines(job: JobSpec, array: int) -> list[str]:
    """Comments at the top of the script that say what it runs."""
    if array:
        return [f"scriptrun: {array} runs of the experiment {_one_line(job.experiment)}"]
    line = job.command or " ".join(
        ["python", *(shlex.quote(word) for word in (job.script or "", *job.arguments))]
    )
    if job.kind == SERVICE:
        line = f"a server of {job.script or 'models'}"
    names = ", ".join(sorted({*job.variables, *job.passed})) or "none"
    return [
        f"scriptrun: the run {job.id}",
        f"in its environment, on each node: {_one_line(line)}",
        f"variables: {_one_line(names)}",
    ]


def _one_line(text: str) -> str:
    """``text`` on one line."""
    return text.encode("unicode_escape").decode() if not text.isprintable() else text

"""The exit codes of the command line."""

from __future__ import annotations

from scriptrun.cli.errors import BUG, INTERRUPTED, PIPE, TIMED_OUT, USAGE_ERROR

#: codes of all commands
GENERAL = {
    0: "done",
    USAGE_ERROR: "invalid usage, or a request that was refused before anything started",
    BUG: "a bug in scriptrun; the output names a report to attach to an issue",
    INTERRUPTED: "interrupted with Ctrl-C",
    PIPE: "the reader of the output has closed it",
}
#: codes of some commands
FURTHER = {
    1: "the run failed or was canceled, or a check found something",
    3: "the compute target or the datastore refused, or was unreachable",
    TIMED_OUT: "the time limit of the command has passed",
}
REFUSED = "the compute target refused or lost the job"
_RUN = {
    0: "the run completed; with `--detach`, it was submitted",
    1: "the run failed or was canceled",
    3: REFUSED,
    INTERRUPTED: "Ctrl-C: the run continues unless you pressed it twice",
}
#: codes of one command, or what a general code means there
SPECIAL: dict[str, dict[int, str]] = {
    "run": _RUN,
    "sweep": {**_RUN, 0: "the sweep completed; with `--detach`, it was submitted"},
    "rerun": {
        **_RUN,
        0: "the run completed; with `--verify`, its results are the same",
        1: "the run failed or was canceled; with `--verify`, its results drifted",
        2: "invalid usage; with `--verify`, the results could not be compared",
    },
    "best": {1: "no run that matches logged the metric"},
    "wait": {
        0: "all runs completed; with `--any`, the first one to end",
        1: "a run failed or was canceled",
        TIMED_OUT: "the time of `--timeout` passed",
        INTERRUPTED: "Ctrl-C: the runs continue",
    },
    "remove": {1: "you answered no"},
    "prune": {1: "you answered no, or something could not be deleted"},
    "logs": {1: "with `--follow`, the run failed or was canceled"},
    "diff": {1: "with `--exit-code`, the runs differ"},
    "env diff": {1: "with `--exit-code`, the environments differ"},
    "compute check": {1: "the target does not accept jobs"},
    "datastore check": {3: "an access is denied, or the datastore is unreachable"},
    "config get": {1: "the setting is not set"},
    "doctor": {1: "a requirement is missing, or a file is damaged"},
    "exec": {
        0: "the code's own exit code; with `--check`, all names are supported",
        1: "the code raised an exception; with `--check`, unsupported names are used",
        2: "invalid usage; with `--check`, a file cannot be read",
    },
    "migrate": {1: "with `--check`, files would change; with `--prove`, the jobs differ"},
    "serve": {
        0: "the service completed; with `--detach`, it answers; with `--test`, the script answered",
        1: "the service failed or was stopped; with `--test`, the script failed",
        INTERRUPTED: "Ctrl-C: the service keeps running unless you pressed it twice",
    },
    "service test": {1: "the service does not answer, or not with status 200"},
    "service logs": {1: "with `--follow`, the service failed"},
    "service reload": {1: "the new processes failed"},
    "service restart": {1: "the new processes failed"},
    "service start": {1: "the new processes failed"},
    "shell": {0: "the exit code of the shell or COMMAND"},
}


def of(command: str) -> dict[int, str]:
    """The exit codes of a command such as ``env build``, and what they mean."""
    return dict(sorted({**GENERAL, **SPECIAL.get(command, {})}.items()))

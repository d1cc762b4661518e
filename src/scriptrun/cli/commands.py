"""The commands: name, module and one line each. A module is imported when its command is used.

A command's module has ``arguments(parser)``, which adds its arguments, and ``run(args)``, which
returns the exit code.
"""

from __future__ import annotations

from scriptrun.spec.hints import NamedTuple


class Command(NamedTuple):
    """One command: where its module is, and what it does in a line."""

    module: str
    line: str


#: commands on runs; ``runs NAME`` is another name of each
RUNS = {
    "run": Command("run", "Run a script: snapshot, environment, log and record"),
    "sweep": Command("sweep", "Run a script many times with other parameters, and find the best"),
    "list": Command("runs.list", "List the runs, newest first"),
    "show": Command("runs.show", "Show a run: state, metrics, files, environment"),
    "logs": Command("runs.logs", "Print a run's log, or follow it"),
    "cancel": Command("runs.cancel", "End runs that have not ended"),
    "download": Command("runs.download", "Copy a run's files here"),
    "rerun": Command(
        "runs.rerun", "Run again with the same snapshot, lock, arguments and variables"
    ),
    "diff": Command("runs.diff", "Show what differs between two runs"),
    "shell": Command(
        "runs.shell", "Open a shell in a fresh copy of a run's snapshot and environment"
    ),
}
#: commands on what is kept beside the runs, and on the tool itself
OTHERS = {
    "env": Command("env", "List, show and build environments"),
    "data": Command("data", "List, register, download, upload and mount datasets"),
    "datastore": Command("datastore", "List, add and check datastores"),
    "secret": Command("secret", "Keep secrets of yours on this machine, by name"),
    "model": Command("model", "List, register and download models"),
    "lineage": Command(
        "runs.lineage", "Show what a model came from: run, snapshot, lock, datasets"
    ),
    "compute": Command("compute", "List, add and set compute targets"),
    "exec": Command("exec", "Run code written for the Azure ML SDK v1, as it is"),
    "migrate": Command("migrate", "Rewrite code of the Azure ML SDK v1"),
    "export": Command("runs.export", "Write a run in another system's format"),
    "import": Command("import_job", "Read another system's job, and print it as Python"),
    "init": Command("init", "Make a workspace here"),
    "doctor": Command("doctor", "Check that this machine has what runs need"),
    "completion": Command("completion", "Print the completion script for bash, zsh or fish"),
    "version": Command("version", "Print the version"),
}
COMMANDS = {**RUNS, **OTHERS}
#: other words that people type for them
OTHERWISE = {"models": "model"}

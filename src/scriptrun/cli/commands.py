"""The commands: name, module and a one-line summary. Modules are imported on first use.

A command's module defines ``arguments(parser)``, which adds its arguments, and ``run(args)``, which
returns the exit code.
"""

from __future__ import annotations

from collections.abc import Iterable

from scriptrun.spec import suggestion
from scriptrun.spec.values import Value


class Command(Value):
    """One command: the module below ``scriptrun.cli`` and its one-line summary."""

    module: str
    line: str


#: commands that act on runs; ``scriptrun runs NAME`` works as well
RUNS = {
    "run": Command("run", "Run a script: snapshot, environment, log and record"),
    "sweep": Command("sweep", "Search hyperparameters: run a script many times, find the best"),
    "list": Command("runs.list", "List the runs that match a query, newest first"),
    "best": Command("runs.best", "Show the runs with the best values of a metric"),
    "show": Command("runs.show", "Show a run: state, metrics, files and environment"),
    "metrics": Command("runs.metrics", "Show, plot or export a run's metrics"),
    "logs": Command("runs.logs", "Print or follow a run's log"),
    "wait": Command("runs.wait", "Wait until runs have ended"),
    "cancel": Command("runs.cancel", "Cancel active runs"),
    "open": Command("runs.open", "Open a run's folder, or one of its files"),
    "download": Command("runs.download", "Download a run's files"),
    "rerun": Command("runs.rerun", "Rerun exactly as before, or with changed arguments"),
    "diff": Command("runs.diff", "Compare two runs"),
    "shell": Command("runs.shell", "Open a shell in a run's snapshot and environment"),
    "tag": Command("tidy.tag", "Show, set and remove the tags of runs"),
    "rename": Command("tidy.rename", "Change a run's display name"),
    "note": Command("tidy.note", "Show or write a run's note"),
    "archive": Command("tidy.archive", "Hide runs from lists"),
    "pin": Command("tidy.pin", "Protect runs from prune and remove"),
    "remove": Command("tidy.remove", "Remove runs; --undo restores them"),
    "prune": Command(
        "tidy.prune", "Free disk space: delete removed and old runs, unused snapshots"
    ),
}
#: commands for everything else in a workspace, and for scriptrun itself
OTHERS = {
    "env": Command("env", "List, show, build and remove environments"),
    "data": Command("data", "List, register, download, upload and mount datasets"),
    "datastore": Command("datastore", "List, add, check and remove datastores"),
    "secret": Command("secret", "Store secrets on this machine"),
    "model": Command("model", "List, register, download and remove models"),
    "serve": Command(
        "service.serve", "Serve a model: a script, or the model itself, answers requests"
    ),
    "service": Command("service", "List, show, call, reload, stop and remove services"),
    "lineage": Command("runs.lineage", "Trace a model to its run, snapshot, lockfile and datasets"),
    "compute": Command("compute", "List, add, change and check compute targets"),
    "exec": Command("exec", "Run Azure ML SDK v1 code unchanged"),
    "migrate": Command("migrate", "Rewrite Azure ML SDK v1 code for scriptrun"),
    "export": Command("runs.export", "Export a run to another system's format"),
    "import": Command("import_job", "Convert another system's job to Python"),
    "config": Command("config", "Show and change settings: defaults for your runs"),
    "init": Command("init", "Create a workspace"),
    "trust": Command("trust", "Trust a workspace that somebody else owns or can change"),
    "doctor": Command("doctor", "Check this machine for problems"),
    "completion": Command("completion", "Print a completion script for bash, zsh or fish"),
    "help": Command("help", "Show help for a command, or describe all commands as JSON"),
    "version": Command("version", "Print the version"),
}
COMMANDS = {**RUNS, **OTHERS}
#: other tools' words for a command or subcommand, and what scriptrun calls it
SYNONYMS = {
    "delete": "remove",
    "rm": "remove",
    "ls": "list",
    "ps": "list",
    "describe": "show",
    "status": "show",
    "kill": "cancel",
    "stop": "cancel",
    "log": "logs",
    "submit": "run",
    "create": "add",
    "deploy": "serve",
    "endpoint": "service",
    "endpoints": "service",
    "predict": "test",
    "invoke": "test",
    "score": "test",
    "call": "test",
    "update": "reload",
}
#: accepted spellings of a command, and the command they run
ALIASES = {"models": "model", "services": "service"}


def nearest(word: str, known: Iterable[str]) -> str:
    """The known command or subcommand that ``word`` probably means, or ""."""
    known = list(known)
    synonym = SYNONYMS.get(word.lower(), "")
    return synonym if synonym in known else next(iter(suggestion.nearest(word, known)), "")

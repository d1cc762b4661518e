"""Print a completion script for bash, zsh or fish.

bash:  eval "$(scriptrun completion bash)"       in ~/.bashrc
zsh:   eval "$(scriptrun completion zsh)"        in ~/.zshrc, after compinit
fish:  scriptrun completion fish | source        in ~/.config/fish/config.fish
"""

from __future__ import annotations

import argparse
import contextlib
import importlib

from scriptrun.cli import commands, workspace_here
from scriptrun.data.datasets import versions as dataset_versions
from scriptrun.data.datastores import records as datastore_records
from scriptrun.query import fields
from scriptrun.registry import compute_targets
from scriptrun.registry import environments as environment_registry
from scriptrun.registry.settings import keys as settings_keys
from scriptrun.runs import find as find_runs
from scriptrun.runs import search
from scriptrun.spec import states
from scriptrun.spec.errors import ScriptrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scriptrun.cli.parsers import Parser
    from scriptrun.core.workspace import Workspace

# names are data: bash neither expands them here nor, quoted, when the line is executed
_BASH = r"""_scriptrun() {
    local word
    COMPREPLY=()
    while IFS= read -r word; do
        COMPREPLY+=("$(printf %q "$word")")
    done < <(scriptrun completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -o bashdefault -o default -F _scriptrun scriptrun
"""
_ZSH = r"""_scriptrun() {
    local -a found
    found=("${(@f)$(scriptrun completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    found=(${found:#})
    (( ${#found} )) && compadd -a found || _files
}
compdef _scriptrun scriptrun
"""
_FISH = r"""function __scriptrun
    set -l words (commandline -opc)[2..-1] (commandline -ct)
    scriptrun completion words -- $words 2>/dev/null
end
complete -c scriptrun -a '(__scriptrun)'
"""
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
#: metavar: the kind of name that completes it
_VALUES = {"RUN": "runs", "A": "runs", "B": "runs", "T": "targets", "S": "states"}
_VALUES |= {"NAME[@VERSION]": "datasets", "DATASTORE:PATH": "places"}
_VALUES |= {"DATASTORE": "datastores", "SETTING": "settings"}
_VALUES |= {"QUERY": "fields", "FIELD": "fields", "FIELDS": "fields", "METRIC": "metrics"}
_VALUES |= {"ENV": "environments", "NAME[:VERSION]": "environments", "E": "experiments"}


_NAMES: dict[str, Callable[[Workspace], Iterable[str]]] = {
    "targets": compute_targets.all_targets,
    "environments": environment_registry.all_environments,
    "experiments": lambda workspace: workspace.experiments,
    "datasets": dataset_versions.names,
    "datastores": datastore_records.names,
    "places": lambda workspace: [f"{name}:" for name in datastore_records.names(workspace)],
}


def arguments(parser: Parser) -> None:
    """Add the command's arguments."""
    parser.takes_rest = True
    parser.usage = "scriptrun completion bash|zsh|fish"
    parser.add_argument(
        "shell", choices=[*_SCRIPTS, "words"], metavar="bash|zsh|fish", help="shell to complete for"
    )


def run(args: argparse.Namespace) -> int:
    """Print the completion script, or the candidates it asks for; return the exit code."""
    if args.shell == "words":
        for word in candidates(args.rest or [""]):
            print(word)
    else:
        print(_SCRIPTS[args.shell], end="")
    return 0


def candidates(words: list[str]) -> list[str]:
    """Return the completions of the last of ``words``, which may be partly typed."""
    *before, prefix = words
    if before[:1] == ["runs"]:
        before, available = before[1:], commands.RUNS
    else:
        available = {**commands.COMMANDS, "runs": commands.COMMANDS["list"]}
    if not before:
        choices = [*available, *(["--help", "--version"] if prefix.startswith("-") else [])]
    elif "--" in before or before[0] not in commands.COMMANDS:
        choices = []
    else:
        parser = importlib.import_module("scriptrun.cli.dispatch").parser_of(before[0])
        choices = _complete_arguments(parser, before[1:], prefix)
    return [word for word in choices if word.startswith(prefix)]


def _complete_arguments(
    parser: argparse.ArgumentParser, before: list[str], prefix: str
) -> list[str]:
    subparsers = _subparsers(parser)
    if subparsers is not None:
        if before and before[0] in subparsers:
            return _complete_arguments(subparsers[before[0]], before[1:], prefix)
        if not prefix.startswith("-"):
            return list(subparsers)
    options = {text: action for action in parser._actions for text in action.option_strings}
    option = options.get(before[-1]) if before else None
    if option is not None and option.nargs != 0:
        return _values(option)
    if prefix.startswith("-"):
        return [text for text in options if text.startswith("--")]
    positionals = [action for action in parser._actions if not action.option_strings]
    return [word for action in positionals for word in _values(action)]


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser] | None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return None


def _values(action: argparse.Action) -> list[str]:
    if action.choices is not None:
        return list(map(str, action.choices))
    kind = _VALUES.get(str(action.metavar or ""))
    with contextlib.suppress(ScriptrunError):
        return _names(kind) if kind else []
    return []


def _names(kind: str) -> list[str]:
    if kind == "states":
        return list(states.ORDER)
    if kind == "settings":
        return list(settings_keys.SETTINGS)
    workspace = workspace_here.require()
    if kind in _NAMES:
        return list(_NAMES[kind](workspace))
    if kind in ("fields", "metrics"):
        return _field_names(workspace, kind)
    rows = find_runs.rows(workspace, limit=100)
    display_names = [row.display_name for row in rows if row.display_name != row.id]
    return [*(row.id for row in rows), *dict.fromkeys(display_names)]


def _field_names(workspace: Workspace, kind: str) -> list[str]:
    """The metrics of runs; or all fields, also with the ``-`` of a descending sort order."""
    with search.Search(workspace) as index:
        if kind == "metrics":
            return index.index.names(fields.METRICS)
        names = [*fields.FIELDS, *index.names(fields.PARAMS, fields.METRICS, fields.TAGS)]
    return [*names, *(f"-{name}" for name in names)]

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
from scriptrun.query import fields, tree
from scriptrun.registry import compute_targets
from scriptrun.registry import environments as environment_registry
from scriptrun.registry import models as model_registry
from scriptrun.registry import services as service_registry
from scriptrun.registry.settings import keys as settings_keys
from scriptrun.runs import find as find_runs
from scriptrun.runs import search, selectors
from scriptrun.spec import states
from scriptrun.spec.errors import ScriptrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scriptrun.cli.parsers import Parser
    from scriptrun.core.workspace import Workspace
    from scriptrun.tracking.index import RunRow

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
    local word text
    local -a words_only described
    while IFS=$'\t' read -r word text; do
        [[ -n $word ]] || continue
        words_only+=("$word")
        described+=("${word}${text:+  -- $text}")
    done < <(scriptrun completion describe -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    if (( ${#words_only} == 0 )); then
        _files
    elif [[ ${#words_only} -eq 1 && $words_only[1] == *= ]]; then
        compadd -S '' -a words_only
    else
        compadd -l -d described -a words_only
    fi
}
compdef _scriptrun scriptrun
"""
_FISH = r"""function __scriptrun
    set -l words (commandline -opc)[2..-1] (commandline -ct)
    set -l found (scriptrun completion describe -- $words 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c scriptrun -f -a '(__scriptrun)'
"""
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
#: metavar: the kind of name that completes it
_VALUES = {"RUN": "runs", "A": "runs", "B": "runs", "T": "targets", "S": "states"}
_VALUES |= {"NAME[@VERSION]": "datasets", "DATASTORE:PATH": "places", "SWEEP": "runs"}
_VALUES |= {"DATASTORE": "datastores", "SETTING": "settings"}
_VALUES |= {"QUERY": "fields", "FIELD": "fields", "FIELDS": "fields", "METRIC": "metrics"}
#: the marks that commands with --undo set
_MARKS = {"archive": "archived", "pin": "pinned", "remove": "removed"}
_VALUES |= {"ENV": "environments", "NAME[:VERSION]": "environments", "E": "experiments"}
#: what a metavar means to one command alone
_VALUES_OF = {
    "compute": {"NAME": "targets"},
    "serve": {"MODEL": "models"},
    "service": {"NAME": "services"},
    "model": {"NAME": "models", "NAME[:VERSION]": "models", "NAME:VERSION": "model versions"},
    "lineage": {"NAME[:VERSION]": "models"},
    "env diff": {"A": "environments", "B": "environments"},
}


_NAMES: dict[str, Callable[[Workspace], Iterable[str]]] = {
    "targets": compute_targets.all_targets,
    "environments": environment_registry.all_environments,
    "experiments": lambda workspace: workspace.experiments,
    "datasets": dataset_versions.names,
    "datastores": datastore_records.names,
    "models": model_registry.names,
    "services": service_registry.names,
    "model versions": lambda workspace: [
        f"{name}:{version}"
        for name in model_registry.names(workspace)
        for version in model_registry.version_numbers(workspace, name)
    ],
    "places": lambda workspace: [f"{name}:" for name in datastore_records.names(workspace)],
}


def arguments(parser: Parser) -> None:
    """Add the command's arguments."""
    parser.takes_rest = True
    parser.usage = "scriptrun completion bash|zsh|fish"
    parser.add_argument(
        "shell",
        choices=[*_SCRIPTS, "words", "describe"],
        metavar="bash|zsh|fish",
        help="shell to complete for",
    )


def run(args: argparse.Namespace) -> int:
    """Print the completion script, or the candidates it asks for; return the exit code."""
    if args.shell in _SCRIPTS:
        print(_SCRIPTS[args.shell], end="")
        return 0
    for word, description in candidates(args.rest or [""]).items():
        print(f"{word}\t{description}" if args.shell == "describe" and description else word)
    return 0


def candidates(words: list[str]) -> dict[str, str]:
    """Return the completions of the last of ``words``, and what they are.

    The last word may be partly typed. ``--name=value`` is one word, or three as bash splits it.
    """
    *before, prefix = words
    if prefix == "=" or before[-1:] == ["="]:
        before, prefix = (before, "") if prefix == "=" else (before[:-1], prefix)
    selector = _selector_begun(before, prefix)
    if selector:  # bash splits at the colon, and inserts what follows it
        before, prefix = before[: -2 if before[-1] == ":" else -1], prefix.lstrip(":")
        found = _complete(before, f"{selector}:{prefix}")
        return {word.partition(":")[2]: text for word, text in found.items()}
    stem, separator, value = prefix.partition("=")
    if separator and stem.startswith("--"):
        found = _complete([*before, stem], value)
        return {f"{stem}={word}": description for word, description in found.items()}
    return _complete(before, prefix)


def _selector_begun(before: list[str], prefix: str) -> str:
    """``best`` in the words ``best``, ``:``, ``acc`` or ``best``, ``:``; else ""."""
    words = before[-2:] if before[-1:] == [":"] else [*before[-1:], prefix]
    is_begun = len(words) == 2 and words[0] in selectors.BY_METRIC and words[1] == ":"
    return words[0] if is_begun else ""


def _complete(before: list[str], prefix: str) -> dict[str, str]:
    if before[:1] == ["--no-fsync"]:
        before = before[1:]
    if before[:1] == ["help"]:
        before, choices = [], _summaries(commands.COMMANDS) if len(before) == 1 else {}
    elif before[:1] == ["runs"]:
        before, choices = before[1:], _summaries(commands.RUNS)
    else:
        choices = _summaries(commands.COMMANDS) | {"runs": "Work with runs"}
        choices |= {"--help": "", "--version": ""} if prefix.startswith("-") else {}
    if before:
        name = commands.ALIASES.get(before[0], before[0])
        choices = {}
        if "--" not in before and name in commands.COMMANDS:
            parser = importlib.import_module("scriptrun.cli.dispatch").parser_of(name)
            choices = _complete_arguments(parser, before[1:], prefix)
    return {word: text for word, text in choices.items() if word.startswith(prefix)}


def _summaries(table: dict[str, commands.Command]) -> dict[str, str]:
    return {name: command.line for name, command in table.items()}


def _complete_arguments(
    parser: argparse.ArgumentParser, before: list[str], prefix: str
) -> dict[str, str]:
    subparsers = _subparsers(parser)
    if subparsers is not None:
        if before and before[0] in subparsers:
            return _complete_arguments(subparsers[before[0]], before[1:], prefix)
        if not prefix.startswith("-"):
            return {name: sub.description or "" for name, sub in subparsers.items()}
    options = {text: action for action in parser._actions for text in action.option_strings}
    option = options.get(before[-1]) if before else None
    if option is not None and option.nargs != 0:
        return _values(parser, option)
    positionals = [action for action in parser._actions if not action.option_strings]
    given = [word for word in _plain(before, options) if word[:1] != "-"]
    if given and any(action.nargs == argparse.REMAINDER for action in positionals):
        return {}  # the words of what is run
    if prefix.startswith("-"):
        return {text: _help(action) for text, action in options.items() if text.startswith("--")}
    return _positional_values(parser, positionals, given, undoes="--undo" in before)


def _marked_runs(mark: str) -> dict[str, str]:
    """The latest runs that `archive --undo` and the like may be about."""
    node = tree.flag(fields.known(mark), True)
    with contextlib.suppress(ScriptrunError), search.Search(workspace_here.require()) as index:
        return _named(each.row for each in index.runs(node, limit=100, children=True))
    return {}


def _named(rows: Iterable[RunRow]) -> dict[str, str]:
    """The IDs of runs, then the display or short names, each with what it is."""
    named = list(rows)
    found = {row.id: f"{row.state} {row.script or ''}".rstrip() for row in named}
    for row in named:
        found.setdefault(row.name, f"{row.state} {row.id}")
    return found


def _positional_values(
    parser: argparse.ArgumentParser,
    positionals: list[argparse.Action],
    given: list[str],
    undoes: bool,
) -> dict[str, str]:
    mark = _MARKS.get(parser.prog.removeprefix("scriptrun "))
    if undoes and mark:
        return _marked_runs(mark)
    if parser.prog.startswith("scriptrun config ") and given:
        return _setting_values(given[0]) if parser.prog.endswith(" set") else {}
    found: dict[str, str] = {}
    for action in positionals:
        found |= _values(parser, action)
    return found


def _setting_values(key: str) -> dict[str, str]:
    """What ``config set KEY`` takes, where that is one of some names."""
    setting = settings_keys.SETTINGS.get(key)
    if setting is not None and setting.choices:
        return dict.fromkeys(setting.choices, "")
    kind = {"compute": "targets", "environment": "environments", "experiment": "experiments"}
    with contextlib.suppress(ScriptrunError):
        return _names(kind[key]) if key in kind else {}
    return {}


def _plain(before: list[str], options: dict[str, argparse.Action]) -> list[str]:
    """The words that are not the value of an option."""
    return [
        word
        for previous, word in zip(["", *before], before, strict=False)
        if previous not in options or options[previous].nargs == 0
    ]


def _help(action: argparse.Action) -> str:
    text = (action.help or "").replace("%%", "%")
    return "" if text == argparse.SUPPRESS else text


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser] | None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return None


def _values(parser: argparse.ArgumentParser, action: argparse.Action) -> dict[str, str]:
    if action.choices is not None:
        return dict.fromkeys(map(str, action.choices), "")
    kind = _kind(parser.prog.removeprefix("scriptrun "), str(action.metavar or ""))
    with contextlib.suppress(ScriptrunError):
        return _names(kind) if kind else {}
    return {}


def _kind(command: str, metavar: str) -> str | None:
    """The kind of name that ``metavar`` stands for in ``command``, such as ``env diff``."""
    for name in (command, command.partition(" ")[0]):
        if metavar in _VALUES_OF.get(name, {}):
            return _VALUES_OF[name][metavar]
    return _VALUES.get(metavar)


def _names(kind: str) -> dict[str, str]:
    if kind == "states":
        return dict.fromkeys(states.ORDER, "")
    if kind == "settings":
        return dict.fromkeys(settings_keys.SETTINGS, "")
    workspace = workspace_here.require()
    if kind in _NAMES:
        return dict.fromkeys(_NAMES[kind](workspace), "")
    if kind in ("fields", "metrics"):
        return dict.fromkeys(_field_names(workspace, kind), "")
    rows = find_runs.rows(workspace, limit=100)
    metrics = _field_names(workspace, "metrics") if rows else []
    selected = {selectors.LATEST: "the latest run"} if rows else {}
    selected |= {f"best:{name}": f"the best run by {name}" for name in metrics}
    return selected | _named(rows)


def _field_names(workspace: Workspace, kind: str) -> list[str]:
    """The metrics of runs; or all fields, also with the ``-`` of a descending sort order."""
    with search.Search(workspace) as index:
        if kind == "metrics":
            return index.index.names(fields.METRICS)
        names = [*fields.FIELDS, *index.names(fields.PARAMS, fields.METRICS, fields.TAGS)]
    return [*names, *(f"-{name}" for name in names)]

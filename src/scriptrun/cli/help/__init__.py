"""Show help for a command, or describe the commands for programs.

examples:
  scriptrun help run
  scriptrun help --json           describe all commands, arguments and exit codes
  scriptrun help list --json      describe one
  scriptrun help list --schema    print the JSON Schema of its output with --json
"""

from __future__ import annotations

import argparse
import importlib
import json

import scriptrun
from scriptrun.cli import commands, common_arguments, dispatch, schemas
from scriptrun.cli.help import exit_codes
from scriptrun.cli.parsers import Parser
from scriptrun.cli.terminal import output
from scriptrun.registry.settings import keys, variables
from scriptrun.spec import suggestion
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriptrun.runtime.hints import Json

_TYPES = {int: "integer", float: "number"}
_SET_BY = {
    variables.BY_USER: "you",
    variables.IN_JOBS: "scriptrun for jobs",
    variables.INTERNAL: "scriptrun for itself",
}


def arguments(parser: Parser) -> None:
    """Add the command's arguments."""
    parser.add_argument("words", metavar="COMMAND", nargs="*", help="command (default: all)")
    formats = parser.add_mutually_exclusive_group()
    common_arguments.json_argument(formats)
    formats.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of the command's output"
    )


def run(args: argparse.Namespace) -> int:
    """Print the help, the description or the schema, and return the exit code."""
    words = args.words[1:] if args.words[:1] == ["runs"] else args.words
    words = [commands.ALIASES.get(word, word) for word in words[:1]] + words[1:]
    if words and words[0] not in commands.COMMANDS:
        raise UserErrorException(*dispatch.describe_unknown(words[0], commands.COMMANDS))
    if args.json:
        output.print_json(description(" ".join(words)))
    elif args.schema:
        print(json.dumps(_schema(words or ["help"]), indent=2))
    elif words:
        return dispatch.run_command(words[0], [*words[1:], "--help"])
    else:
        print(dispatch.overview())
    return 0


def _schema(words: list[str]) -> Json:
    known = dict(parsers(words[0]))
    command = " ".join(words)
    if command not in known:
        hint = suggestion.hint(command, known, "Commands")
        raise UserErrorException(f"{command!r} is not a scriptrun command.", hint)
    if command in schemas.WITHOUT_JSON:
        raise UserErrorException(f"{command!r} has no --json: {schemas.WITHOUT_JSON[command]}.")
    return schemas.schema_of(command if schemas.documents_of(command) else f"{command} list")


def description(command: str = "") -> Json:
    """The commands that are or begin with ``command``, and the environment variables."""
    names = [command.split(maxsplit=1)[0]] if command else list(commands.COMMANDS)
    found = [each for name in names for each in parsers(name)]
    chosen = [each for each in found if f"{each[0]} ".startswith(f"{command} ".lstrip())]
    return {
        "version": scriptrun.__version__,
        "commands": [_command(name, parser) for name, parser in chosen],
        "variables": [*_variables()],
        "settings": [_setting(each) for each in keys.SETTINGS.values()],
        "target_options": importlib.import_module("scriptrun.cli.compute").options_by_class(),
        "error": schemas.ERROR.schema("error"),
    }


def parsers(name: str) -> Iterator[tuple[str, Parser]]:
    """The parser of a command, and those of its subcommands, each with its name."""
    parser = dispatch.parser_of(name)
    yield name, parser
    for verb, subparser in subparsers(parser).items():
        yield f"{name} {verb}", subparser


def subparsers(parser: argparse.ArgumentParser) -> dict[str, Parser]:
    """The parsers of the subcommands, by name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _command(name: str, parser: Parser) -> Json:
    first = name.partition(" ")[0]
    summary = commands.COMMANDS[name].line if name == first else parser.description or ""
    texts = [parser.description, parser.epilog]
    return {
        "name": name,
        "summary": summary.rstrip("."),
        "description": "\n\n".join(filter(None, texts)),
        "usage": " ".join(parser.format_usage().removeprefix("usage: ").split()),
        "aliases": [alias for alias, target in commands.ALIASES.items() if target == name],
        "subcommands": list(subparsers(parser)),
        "arguments": [_argument(each, parser) for each in parser._actions if _is_shown(each)],
        "takes_rest": parser.takes_rest,
        "exit_codes": [
            {"code": code, "meaning": meaning} for code, meaning in exit_codes.of(name).items()
        ],
        "json": _json(name),
    }


def _is_shown(action: argparse.Action) -> bool:
    hidden = isinstance(action, argparse._SubParsersAction | argparse._HelpAction)
    return not hidden and action.help != argparse.SUPPRESS


def _argument(action: argparse.Action, parser: Parser) -> Json:
    is_switch = action.nargs == 0
    metavar = None if is_switch else str(action.metavar or action.dest.upper())
    is_set = action.default not in (argparse.SUPPRESS, None)
    is_repeatable = isinstance(action, argparse._AppendAction) or action.nargs in ("*", "+", "...")
    return {
        "name": _name(action),
        "flags": list(action.option_strings),
        "metavar": metavar,
        "help": (action.help or "").replace("%%", "%"),
        "type": "switch" if is_switch else _TYPES.get(_type_of(action), "text"),
        "default": action.default if is_set else (False if is_switch else None),
        "choices": None if action.choices is None else list(action.choices),
        "required": action.required and action.nargs != "*",
        "repeatable": is_repeatable,
        "conflicts_with": [*_conflicts(action, parser)],
    }


def _name(action: argparse.Action) -> str:
    long_flags = [flag for flag in action.option_strings if flag.startswith("--")]
    return [*long_flags, *action.option_strings, str(action.metavar or action.dest.upper())][0]


def _conflicts(action: argparse.Action, parser: Parser) -> Iterator[str]:
    """The names of the arguments that cannot be given with ``action``."""
    for group in parser._mutually_exclusive_groups:
        if action in group._group_actions:
            yield from (_name(each) for each in group._group_actions if each is not action)


def _type_of(action: argparse.Action) -> type:
    return action.type if isinstance(action.type, type) else str


def _json(name: str) -> Json:
    documents = schemas.documents_of(name) or schemas.documents_of(f"{name} list")
    return {
        "accepted": name not in schemas.WITHOUT_JSON,
        "reason": schemas.WITHOUT_JSON.get(name),
        "stream": any(each.is_stream for each in documents.values()),
        "schemas": {key: each.schema(key) for key, each in documents.items()},
    }


def _setting(setting: keys.Setting) -> Json:
    return {
        "name": setting.key,
        "type": setting.kind,
        "help": setting.help,
        "default": setting.default or None,
        "choices": list(setting.choices) or None,
        "variable": setting.variable or None,
    }


def _variables() -> Iterator[Json]:
    for each in variables.VARIABLES:
        default = each.default or None
        yield {
            "name": each.name,
            "help": each.help,
            "default": default,
            "set_by": _SET_BY[each.set_by],
        }
    for setting in keys.SETTINGS.values():
        if setting.variable:
            help_text = f"the setting `{setting.key}`: {setting.help}"
            yield {"name": setting.variable, "help": help_text, "default": None, "set_by": "you"}

"""List, add, change and check compute targets.

examples:
  scriptrun compute set local --max-runs 4
  scriptrun compute add small --class Local --max-runs 1
  scriptrun compute add gpu --slurm --partition gpu --gres gpu:1 --time 8:00:00
  scriptrun compute alias 'gpu-*' local
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli.terminal import attach, output, spinner
from scriptrun.core.workspace import Workspace
from scriptrun.diagnostics import target
from scriptrun.engines import registry as engine_registry
from scriptrun.engines.base import Engine
from scriptrun.engines.checks import Unanswered
from scriptrun.registry import compute_targets
from scriptrun.registry.settings import reader as settings_reader
from scriptrun.spec import suggestion
from scriptrun.spec.errors import ComputeTargetException, UserErrorException, refuse
from scriptrun.spec.job import JobSpec, Target
from scriptrun.spec.values import types_of
from scriptrun.store import json_reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.common_arguments import VerbResult
    from scriptrun.cli.parsers import Parser
    from scriptrun.runtime.hints import Json


def arguments(parser: Parser) -> None:
    """Add the command's arguments."""
    common_arguments.json_argument(parser)
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND")
    for name, line in _LINES.items():
        verb = verbs.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        if name == "alias":
            verb.add_argument(
                "pattern", metavar="PATTERN", nargs="?", help="name or pattern, e.g. 'gpu-*'"
            )
        if name != "list":
            optional = name in ("show", "check", "default", "alias")
            verb.add_argument(
                "name", metavar="NAME", nargs="?" if optional else None, help="compute target"
            )
        if name in ("add", "set"):
            verb.epilog = f"Options by class: {_options_help()}"
            verb.add_argument(
                "--no-check", action="store_true", help="do not ask the cluster about the options"
            )
        if name == "add":
            kinds = engine_registry.kinds()
            verb.add_argument(
                "--class",
                dest="kind",
                type=_kind_named,
                choices=kinds,
                help="target class (on a terminal, asked for if missing)",
            )
            for kind in kinds:
                verb.add_argument(
                    f"--{kind.lower()}",
                    dest="kind",
                    action="store_const",
                    const=kind,
                    help=f"same as --class {kind}",
                )
        common_arguments.json_argument(verb, is_subcommand=True)
    parser.takes_options = True


_LINES = {
    "list": "list compute targets",
    "show": "show a target's class and options",
    "add": "add a target",
    "set": "change a target's options",
    "check": "check whether a target can accept jobs",
    "default": "show or set the default target",
    "remove": "remove a target",
    "alias": "map a name pattern to a target, or list aliases",
}


def _options_help() -> str:
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in options_by_class().items())


def options_by_class() -> dict[str, list[str]]:
    """The options that ``compute add`` and ``set`` accept for each class of target."""
    return {
        kind: [f"--{name.replace('_', '-')}" for name in _option_types(kind)]
        for kind in engine_registry.kinds()
    }


def _option_types(kind: str) -> dict[str, str]:
    """Return an engine's options by name, each with its annotated type."""
    types = types_of(engine_registry.engine_class(kind))
    return {name: kind for name, kind in types.items() if name != "name"}


def run(args: argparse.Namespace) -> int:
    """Run the selected subcommand and return the exit code."""
    verb = args.verb or "list"
    value, text = _VERBS[verb](workspace_here.current(), args)
    if args.json:
        output.print_json(value)
    elif callable(text):
        text()
    else:
        print(text)
    refused = verb == "check" and isinstance(value, dict) and value["reasons"]
    return 1 if refused else 0


def _record(workspace: Workspace, engine: Engine) -> Json:
    target = compute_targets.target_of(engine)
    default = _default_in_effect(workspace)[0] == target.name
    return {
        "name": target.name,
        "class": target.kind,
        "options": target.options,
        "default": default,
    }


def _list(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    records = [
        _record(workspace, engine) for engine in compute_targets.all_targets(workspace).values()
    ]
    rows = [
        (
            record["name"],
            record["class"],
            "yes" if record["default"] else "",
            _format_options(record["options"]),
        )
        for record in records
    ]
    heads = ("NAME", "CLASS", "DEFAULT", "OPTIONS")
    return {"targets": records}, lambda: output.print_table(heads, rows)


def _format_options(options: Json) -> str:
    shown = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in options.items()
    }
    return ", ".join(f"{name}={value}" for name, value in shown.items())


def _show(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    record = _record(workspace, compute_targets.resolve(workspace, args.name))
    pairs = [("name", record["name"]), ("class", record["class"])]
    pairs += [
        ("default", "yes" if record["default"] else "no"),
        ("options", _format_options(record["options"])),
    ]
    return record, lambda: output.print_facts(pairs)


def _add(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    if args.name in compute_targets.all_targets(workspace) and args.name != compute_targets.DEFAULT:
        raise ComputeTargetException(
            f"Compute target {args.name!r} already exists.",
            f"To change it, run: scriptrun compute set {args.name} ...",
        )
    compute_targets.check_name(workspace, args.name)
    kind = args.kind or _choose_kind(args)
    return _save(workspace, Target(args.name, kind), args)


def _kind_named(text: str) -> str:
    """The class with this name, in any case; else ``text``, which argparse refuses."""
    return next((kind for kind in engine_registry.kinds() if kind.lower() == text.lower()), text)


def _choose_kind(args: argparse.Namespace) -> str:
    """The class of a target that has none on the command line: ask, or refuse off a terminal."""
    if args.name == compute_targets.DEFAULT:
        return engine_registry.DEFAULT
    kinds = engine_registry.kinds()
    likely = [kind for kind in kinds if args.left and _takes(kind, args.left)]
    if not args.json and sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty():
        return _ask_kind(args.name, kinds)
    example = likely[0] if len(likely) == 1 else kinds[0]
    words = " ".join(map(shlex.quote, args.left))
    raise UserErrorException(
        f"No class given for compute target {args.name!r}.",
        f"Classes: {', '.join(kinds)}. For example: scriptrun compute add {shlex.quote(args.name)} "
        f"--class {example} {words}".rstrip(),
    )


def _takes(kind: str, words: list[str]) -> bool:
    """Whether targets of ``kind`` have all the options in ``words``."""
    names = {word.partition("=")[0] for word in words if word.startswith("--")}
    return names <= {f"--{name.replace('_', '-')}" for name in _option_types(kind)}


def _ask_kind(name: str, kinds: list[str]) -> str:
    print(f"Classes of compute target {name!r}:", file=sys.stderr)
    for number, kind in enumerate(kinds, 1):
        summary = (engine_registry.engine_class(kind).__doc__ or "").strip().partition("\n")[0]
        print(f"  {number}  {kind}  {summary.replace('``', '')}", file=sys.stderr)
    while True:
        print(f"Class (1-{len(kinds)} or its name): ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise UserErrorException("No class chosen.", f"Use --class {'|'.join(kinds)}.")
        answer = line.strip()
        if answer.isdecimal() and 1 <= int(answer) <= len(kinds):
            return kinds[int(answer) - 1]
        if _kind_named(answer) in kinds:
            return _kind_named(answer)
        print(f"Invalid class {answer!r}. {suggestion.question(answer, kinds)}", file=sys.stderr)


def _set(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    target = compute_targets.target_of(compute_targets.resolve(workspace, args.name))
    return _save(workspace, target, args)


def _save(workspace: Workspace, target: Target, args: argparse.Namespace) -> VerbResult:
    """Store ``target`` with the options in ``args``, unless its cluster refuses it.

    A cluster that does not respond is a warning: it may be down, or behind a VPN.
    """
    name, kind = target.name, target.kind
    options = {**target.options, **_parse_options(kind, args.left)}
    options = {key: value for key, value in options.items() if value is not None}
    engine = compute_targets.engine_of(Target(name, kind, options))
    with spinner.show_status(f"Checking {name}"):
        problems = [] if args.no_check else _problems(workspace, engine)
    unanswered = [problem for problem in problems if isinstance(problem, Unanswered)]
    if len(problems) > len(unanswered):
        refuse(problems, "This compute target cannot accept jobs")
    compute_targets.put(workspace_here.create_if_missing(workspace), engine)
    for problem in unanswered:
        later = f"to check it later, run: scriptrun compute check {shlex.quote(name)}"
        attach.warn(f"{problem.rstrip('.')}. {name!r} is stored unchecked; {later}")
    record = {**_record(workspace, engine), "checked": not (unanswered or args.no_check)}
    return record, ", ".join(filter(None, [f"{name}: {kind}", _format_options(record["options"])]))


def _parse_options(kind: str, words: list[str]) -> Json:
    """Parse ``--max-runs 4`` or ``--max-runs=4`` into options; the value ``none`` removes one."""
    types = _option_types(kind)
    options: Json = {}
    remaining = list(words)
    while remaining:
        name, separator, value = remaining.pop(0).partition("=")
        key = name.removeprefix("--").replace("-", "_")
        if not name.startswith("--") or key not in types:
            valid = ", ".join(f"--{option.replace('_', '-')}" for option in types)
            raise UserErrorException(
                f"{kind} targets have no option {name!r}.", f"Valid options: {valid}."
            )
        if not separator and not remaining:
            raise UserErrorException(f"{name} requires a value.", f"Use {name} VALUE.")
        text = value if separator else remaining.pop(0)
        if types[key].startswith("tuple") and text.lower() != "none":
            options[key] = [*(options.get(key) or ()), text]
        else:
            options[key] = _convert(name, types[key], text)
    return options


def _convert(name: str, kind: str, text: str) -> object:
    if text.lower() == "none":
        return None
    if kind.startswith("str"):
        return text
    try:
        value = json_reader.parse(text)
    except ValueError:
        value = text
    expected = kind.partition(" ")[0]
    if expected in ("int", "float", "bool") and type(value).__name__ != expected:
        raise UserErrorException(f"{name} must be {_TYPE_LABELS[expected]}, not {text!r}.")
    return value


_TYPE_LABELS = {"int": "an integer", "float": "a number", "bool": "true or false"}


def _check(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    engine = compute_targets.resolve(workspace, args.name)
    checks = []
    for check in target.target_checks(workspace, engine):
        checks.append(check)
        if not args.json:
            output.print_check(check)  # print at once: a node can take a while to answer
    problems = [check.message for check in checks if check.verdict == "bad"]
    records = [check.as_dict() for check in checks]
    return {"name": engine.name, "reasons": problems, "checks": records}, lambda: None


def _problems(workspace: Workspace, engine: Engine) -> list[str]:
    return engine.check(JobSpec("check", "check", workspace.name, ""))


def _default(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    if args.name:
        compute_targets.resolve(workspace, args.name)
        compute_targets.set_default(workspace_here.create_if_missing(workspace), args.name)
    name, origin = _default_in_effect(workspace)
    if args.name not in (None, name):
        attach.warn(f"here the default is {name!r}, from {origin}")
    return {"default": name}, name


def _default_in_effect(workspace: Workspace) -> tuple[str, str]:
    """The default target and the setting that it comes from, if any."""
    found = settings_reader.read(Path.cwd(), workspace).get("compute")
    return (str(found.value), found.origin) if found else (compute_targets.DEFAULT, "")


def _remove(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    compute_targets.remove(workspace, args.name)
    return {"removed": args.name}, f"Removed {args.name}"


def _alias(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    if args.pattern and not args.name:
        raise UserErrorException(
            f"`compute alias {args.pattern}` is missing a target.",
            f"Run: scriptrun compute alias {args.pattern!r} TARGET",
        )
    if args.name:
        compute_targets.resolve(workspace, args.name)
        compute_targets.set_alias(
            workspace_here.create_if_missing(workspace), args.pattern, args.name
        )
    aliases = compute_targets.aliases(workspace)
    return {"aliases": aliases}, "\n".join(
        f"{pattern} -> {name}" for pattern, name in aliases.items()
    ) or "No aliases."


_VERBS = {
    "list": _list,
    "show": _show,
    "add": _add,
    "set": _set,
    "check": _check,
    "default": _default,
    "remove": _remove,
    "alias": _alias,
}

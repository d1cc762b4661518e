"""List, add, change and check compute targets.

examples:
  scriptrun compute set local --max-runs 4
  scriptrun compute add small --class Local --max-runs 1
  scriptrun compute add gpu --slurm --partition gpu --gres gpu:1 --time 8:00:00
  scriptrun compute alias 'gpu-*' local
"""

from __future__ import annotations

import argparse
import json

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli.terminal import output
from scriptrun.core.workspace import Workspace
from scriptrun.diagnostics import target
from scriptrun.engines import registry as engine_registry
from scriptrun.engines.base import Engine
from scriptrun.registry import compute_targets
from scriptrun.spec.errors import ComputeTargetException, UserErrorException, refuse
from scriptrun.spec.job import JobSpec, Target
from scriptrun.spec.values import types_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def arguments(parser: Any) -> None:
    """Add the command's arguments."""
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
        if name == "add":
            kinds = engine_registry.kinds()
            verb.add_argument(
                "--class",
                dest="kind",
                choices=kinds,
                default=engine_registry.DEFAULT,
                help=f"target class (default: {engine_registry.DEFAULT})",
            )
            for kind in kinds:
                verb.add_argument(
                    f"--{kind.lower()}",
                    dest="kind",
                    action="store_const",
                    const=kind,
                    help=f"same as --class {kind}",
                )
        common_arguments.json_argument(verb)
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
    told = []
    for kind in engine_registry.kinds():
        names = [f"--{name.replace('_', '-')}" for name in _types(kind)]
        told.append(f"{kind}: {', '.join(names)}")
    return "; ".join(told)


def _types(kind: str) -> dict[str, str]:
    """Return an engine's options by name, each with its annotated type."""
    found = types_of(engine_registry.engine_class(kind))
    return {name: kind for name, kind in found.items() if name != "name"}


def run(args: argparse.Namespace) -> int:
    """Run the selected subcommand and return the exit code."""
    verb = args.verb or "list"
    value, text = _VERBS[verb](workspace_here.here(), args)
    if getattr(args, "json", False):
        output.as_json(value)
    elif callable(text):
        text()
    else:
        print(text)
    return 1 if verb == "check" and value["reasons"] else 0


def _told(workspace: Workspace, engine: Engine) -> dict[str, Any]:
    target = compute_targets.target_of(engine)
    default = compute_targets.default_name(workspace) == target.name
    return {
        "name": target.name,
        "class": target.kind,
        "options": target.options,
        "default": default,
    }


def _list(workspace: Workspace, args: argparse.Namespace) -> tuple[Any, Any]:
    found = [_told(workspace, engine) for engine in compute_targets.all_targets(workspace).values()]
    rows = [
        (each["name"], each["class"], "yes" if each["default"] else "", _shown(each["options"]))
        for each in found
    ]
    return found, lambda: output.table(("NAME", "CLASS", "DEFAULT", "OPTIONS"), rows)


def _shown(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())


def _show(workspace: Workspace, args: argparse.Namespace) -> tuple[Any, Any]:
    told = _told(workspace, compute_targets.resolve(workspace, args.name))
    pairs = [("name", told["name"]), ("class", told["class"])]
    pairs += [("default", "yes" if told["default"] else "no"), ("options", _shown(told["options"]))]
    return told, lambda: output.facts(pairs)


def _add(workspace: Workspace, args: argparse.Namespace) -> tuple[Any, Any]:
    if args.name in compute_targets.all_targets(workspace) and args.name != compute_targets.DEFAULT:
        raise ComputeTargetException(
            f"Compute target {args.name!r} already exists.",
            f"To change it, run: scriptrun compute set {args.name} ...",
        )
    return _put(workspace, args.name, args.kind, {}, args.left)


def _set(workspace: Workspace, args: argparse.Namespace) -> tuple[Any, Any]:
    target = compute_targets.target_of(compute_targets.resolve(workspace, args.name))
    return _put(workspace, target.name, target.kind, target.options, args.left)


def _put(
    workspace: Workspace, name: str, kind: str, options: dict[str, Any], words: list[str]
) -> tuple[Any, Any]:
    given = _options(kind, words)
    kept = {key: each for key, each in {**options, **given}.items() if each is not None}
    engine = compute_targets.engine_of(Target(name, kind, kept))
    refuse(_reasons(workspace, engine), "This compute target cannot accept jobs")
    compute_targets.put(workspace_here.made(workspace), engine)
    told = _told(workspace, engine)
    return told, f"{name}: {kind}({_shown(told['options'])})"


def _options(kind: str, words: list[str]) -> dict[str, Any]:
    """Parse ``--max-runs 4`` or ``--max-runs=4`` into options; the value ``none`` removes one."""
    types = _types(kind)
    found: dict[str, Any] = {}
    left = list(words)
    while left:
        name, mark, value = left.pop(0).partition("=")
        key = name.removeprefix("--").replace("-", "_")
        if not name.startswith("--") or key not in types:
            known = ", ".join(f"--{each.replace('_', '-')}" for each in types)
            raise UserErrorException(
                f"{kind} targets have no option {name!r}.", f"Valid options: {known}."
            )
        if not mark and not left:
            raise UserErrorException(f"{name} requires a value.", f"Use {name} VALUE.")
        text = value if mark else left.pop(0)
        if types[key].startswith("tuple") and text.lower() != "none":
            found[key] = [*(found.get(key) or ()), text]
        else:
            found[key] = _converted(name, types[key], text)
    return found


def _converted(name: str, kind: str, text: str) -> Any:
    if text.lower() == "none":
        return None
    if kind.startswith("str"):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    wanted = kind.partition(" ")[0]
    if wanted in ("int", "float", "bool") and type(value).__name__ != wanted:
        raise UserErrorException(f"{name} must be {_WANTED[wanted]}, not {text!r}.")
    return value


_WANTED = {"int": "an integer", "float": "a number", "bool": "true or false"}


def _check(workspace: Workspace, args: argparse.Namespace) -> tuple[Any, Any]:
    engine = compute_targets.resolve(workspace, args.name)
    found = []
    for check in target.target_checks(workspace, engine):
        found.append(check)
        if not args.json:
            output.verdict(check)  # print at once: a node can take a while to answer
    reasons = [check.message for check in found if check.verdict == "bad"]
    checks = [check.as_dict() for check in found]
    return {"name": engine.name, "reasons": reasons, "checks": checks}, lambda: None


def _reasons(workspace: Workspace, engine: Engine) -> list[str]:
    return engine.check(JobSpec("check", "check", workspace.name, ""))


def _default(workspace: Workspace, args: argparse.Namespace) -> tuple[Any, Any]:
    if args.name:
        compute_targets.resolve(workspace, args.name)
        compute_targets.set_default(workspace_here.made(workspace), args.name)
    name = compute_targets.default_name(workspace)
    return {"default": name}, name


def _remove(workspace: Workspace, args: argparse.Namespace) -> tuple[Any, Any]:
    compute_targets.remove(workspace, args.name)
    return {"removed": args.name}, f"Removed {args.name}"


def _alias(workspace: Workspace, args: argparse.Namespace) -> tuple[Any, Any]:
    if args.pattern and not args.name:
        raise UserErrorException(
            f"`compute alias {args.pattern}` is missing a target.",
            f"Run: scriptrun compute alias {args.pattern!r} TARGET",
        )
    if args.name:
        compute_targets.resolve(workspace, args.name)
        compute_targets.set_alias(workspace_here.made(workspace), args.pattern, args.name)
    found = compute_targets.aliases(workspace)
    return found, "\n".join(f"{key} -> {name}" for key, name in found.items()) or "No aliases."


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

"""List, show and build environments.

build locks and builds an environment before any run needs it; --upgrade resolves it anew. remove
takes a built one out of this machine's cache.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from scriptrun import building, catalog, opening
from scriptrun.cli import describing, failures, out, pythons, shared
from scriptrun.config import curated
from scriptrun.environments import cache
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.hints import Any
from scriptrun.workspace import Workspace


def arguments(parser: Any) -> None:
    """Add the command's arguments."""
    verbs = parser.add_subparsers(dest="verb", metavar="list|show|build|remove")

    def verb(name: str, line: str) -> Any:
        return verbs.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")

    listed = verb("list", "the environments by name, and those that are built")
    shared.json_argument(listed)
    listed.add_argument("--built", action="store_true", help="only what is built on this machine")
    show = verb("show", "what an environment holds, and whether it is built")
    show.add_argument("environment", metavar="NAME[:VERSION]")
    shared.json_argument(show)
    build = verb("build", "lock and build one")
    build.add_argument("environment", metavar="NAME[:VERSION]", nargs="?")
    build.add_argument("--requirements", metavar="F", help="from a requirements file")
    build.add_argument("--conda", metavar="F", help="from a conda environment file")
    build.add_argument("--upgrade", action="store_true", help="resolve it anew")
    shared.json_argument(build)
    remove = verb("remove", "take a built one out of the cache")
    remove.add_argument("key", metavar="KEY", help="as `env list` shows it, or its beginning")
    shared.json_argument(remove)


def run(args: argparse.Namespace) -> int:
    """Do what the verb says; the exit code."""
    verb = args.verb or "list"
    return _VERBS[verb](args)


def _list(args: argparse.Namespace) -> int:
    built = cache.listing()
    named = [] if getattr(args, "built", False) else _named(opening.here())
    if getattr(args, "json", False):
        out.as_json({"named": named, "built": [asdict(entry) for entry in built]})
        return 0
    if named:
        out.table(
            ("NAME", "VERSION", "KIND"), [(e["name"], e["version"], e["kind"]) for e in named]
        )
        print()
    if built:
        heads = ("BUILT", "PYTHON", "PACKAGES", "SIZE", "USED", "NAMES")
        out.table(heads, [_built(entry) for entry in built])
    else:
        print("None is built on this machine yet.")
    return 0


def _named(workspace: Workspace) -> list[dict[str, str]]:
    """The registered environments, then the curated ones."""
    found = []
    for name, environment in catalog.every(workspace).items():
        ours = curated.record(name) is None
        kind = "registered" if ours else "curated" if curated.is_current(name) else "curated (old)"
        found.append({"name": name, "version": str(environment.version or ""), "kind": kind})
    order = ("registered", "curated", "curated (old)")
    return sorted(found, key=lambda each: (order.index(each["kind"]), each["name"].lower()))


def _built(entry: cache.Entry) -> tuple[str, ...]:
    used = out.ago(entry.used)
    return (
        entry.key[:12],
        entry.python,
        str(entry.packages),
        out.size(entry.size),
        used,
        ", ".join(entry.names),
    )


def _show(args: argparse.Namespace) -> int:
    workspace = opening.here()
    environment = describing.named_environment(workspace, args.environment)
    spec = building.spec_of(environment, _python(workspace))
    plan = cache.plan(spec, workspace.locks_folder)
    if args.json:
        out.as_json({**environment.to_dict(), "spec": spec.to_dict(), "plan": asdict(plan)})
        return 0
    out.facts(
        [
            ("name", f"{environment.name or ''}"),
            ("version", str(environment.version or "")),
            ("kind", spec.kind),
            ("python", spec.python or ""),
            ("interpreter", spec.interpreter or ""),
            ("conda", "\n".join(spec.conda)),
            ("pip", "\n".join(spec.pip)),
            ("variables", ", ".join(environment.environment_variables or {})),
            ("image", spec.image or ""),
            ("notes", "\n".join(spec.notes)),
            ("built", plan.place or ("" if plan.cached else "not yet")),
            ("would be", "\n".join(plan.steps)),
            ("cannot be", "\n".join(plan.reasons)),
        ]
    )
    return 0


def _build(args: argparse.Namespace) -> int:
    workspace = opening.here()
    environment = describing.environment_of(args, workspace)
    if environment is None:
        raise UserErrorException(
            "`scriptrun env build` was not told what to build.",
            "Name an environment, or give --requirements F or --conda F.",
        )
    ready = building.build(
        opening.made(workspace), environment, failures.say, args.upgrade, _python(workspace)
    )
    if args.json:
        out.as_json(asdict(ready))
    else:
        state = "was there" if ready.cached else f"took {out.duration(ready.seconds)}"
        print(f"{ready.place or ready.python} ({state})")
    return 0


def _remove(args: argparse.Namespace) -> int:
    cache.remove(args.key)
    if args.json:
        out.as_json({"removed": args.key})
    else:
        print(f"Removed {args.key}")
    return 0


def _python(workspace: Workspace) -> str:
    return pythons.choose(Path.cwd(), workspace.root)[0]


_VERBS = {"list": _list, "show": _show, "build": _build, "remove": _remove}

"""``scriptrun env build``, ``remove``, ``prune`` and ``alias``."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from scriptrun.cli import errors as cli_errors
from scriptrun.cli import workspace_here
from scriptrun.cli.options import default_python
from scriptrun.cli.options import run as run_options
from scriptrun.cli.terminal import output
from scriptrun.config.environments.environment import Environment
from scriptrun.core.workspace import Workspace
from scriptrun.environments.cache import listing as cache_listing
from scriptrun.environments.cache import prune as cache_prune
from scriptrun.preparation import build as build_environment
from scriptrun.registry import environments as environment_registry
from scriptrun.spec.errors import UserErrorException
from scriptrun.store import sizes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.common_arguments import VerbResult


def build(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Lock and build the environment, or show the build plan."""
    environment = run_options.resolve_environment(args, workspace)
    if environment is None:
        raise UserErrorException(
            "No environment specified.",
            "Give a name, --requirements F, --conda F, --uv-project DIR or --script F.",
        )
    python = default_python.choose(Path.cwd(), workspace.root)[0]
    if args.plan:
        return _plan(workspace, environment, python, args.upgrade)
    if workspace_here.exists(workspace):
        ready = build_environment.build(
            workspace, environment, cli_errors.say, args.upgrade, python
        )
    else:
        create_workspace = partial(workspace_here.create_if_missing, workspace)
        ready = build_environment.build_first(
            workspace, create_workspace, environment, cli_errors.say, python
        )
    state = "cached" if ready.cached else f"built in {output.duration(ready.seconds)}"
    if ready.cached:  # else the log of the build says so
        for note in (*ready.notes, *ready.failed_imports):
            cli_errors.say(note)
    return ready.as_dict(), f"{ready.place or ready.python} ({state})"


def _plan(workspace: Workspace, environment: Environment, python: str, upgrade: bool) -> VerbResult:
    spec = build_environment.spec_of(environment, python)
    plan = build_environment.plan(workspace, spec)
    steps = (
        ("Resolve packages again from the package index.", *plan.steps) if upgrade else plan.steps
    )
    last_seconds = plan.last_seconds
    pairs = [
        ("environment", environment.name or ""),
        ("locked", "yes" if plan.locked else "no"),
        ("built", plan.place or "no"),
        ("steps", "\n".join(steps) or ("" if plan.reasons else "none (already built)")),
        ("problems", "\n".join(plan.reasons)),
        ("last build", output.duration(last_seconds) if last_seconds else "none on this machine"),
    ]
    return {**plan.as_dict(), "steps": list(steps)}, lambda: output.print_facts(pairs)


def remove(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Remove a built environment from the cache."""
    cache_listing.remove(args.key)
    return {"removed": args.key}, f"Removed {args.key}"


def prune(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Remove the least recently used environments from the cache."""
    if args.keep is not None and args.keep < 0:
        raise UserErrorException(f"--keep must be at least 0, not {args.keep}.")
    result = cache_prune.prune(
        older_than=sizes.age(args.older_than, "--older-than") if args.older_than else None,
        keep=args.keep,
        max_size=sizes.size(args.max_size, "--max-size") if args.max_size else None,
        dry_run=args.dry_run,
    )
    value = {
        "removed": [entry.record() for entry in result.removed],
        "kept": [{**entry.record(), "reason": reason} for entry, reason in result.skipped],
        "freed": result.freed,
    }
    return value, lambda: _print_pruned(result, args.dry_run)


def _print_pruned(result: cache_prune.PruneResult, dry: bool) -> None:
    for entry in result.removed:
        print(f"{'Would remove' if dry else 'Removed'} {_label(entry)}, {output.size(entry.size)}")
    for entry, reason in result.skipped:
        print(f"Kept {_label(entry)}: {reason}")
    freed = output.size(result.freed)
    print(f"Would free {freed}." if dry else f"Freed {freed}.")


def _label(entry: cache_listing.BuiltEnvironment) -> str:
    return f"{entry.key[:12]} ({', '.join(entry.names)})" if entry.names else entry.key[:12]


def alias(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """List the aliases, set one or remove one."""
    if args.name and args.remove:
        environment_registry.remove_alias(workspace, args.name)
    elif args.name and not args.stands_for:
        raise UserErrorException(
            f"`env alias {args.name}` is missing the environment to resolve to.",
            f"Run: scriptrun env alias {args.name!r} OTHER, or use --remove.",
        )
    elif args.name:
        environment_registry.set_alias(
            workspace_here.create_if_missing(workspace), args.name, args.stands_for
        )
    aliases = environment_registry.aliases(workspace)
    lines = [f"{name} -> {target}" for name, target in aliases.items()]
    return {"aliases": aliases}, "\n".join(lines) or "None."

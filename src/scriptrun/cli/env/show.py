"""``scriptrun env list``, ``show`` and ``diff``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from scriptrun.cli.options import default_python
from scriptrun.cli.options import run as run_options
from scriptrun.cli.terminal import output
from scriptrun.config.environments import curated
from scriptrun.config.environments.environment import Environment
from scriptrun.core.workspace import Workspace
from scriptrun.environments.cache import listing as cache_listing
from scriptrun.history import compare as compare_runs
from scriptrun.history import locked_environment
from scriptrun.preparation import build as build_environment
from scriptrun.registry import environments as environment_registry
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: maximum number of runs to list by ID
_SHOWN = 5


def list_all(workspace: Workspace, args: argparse.Namespace) -> tuple[Any, Callable[[], None]]:
    """List the named environments, and the built ones with size, age, last use and runs."""
    built = cache_listing.list_environments()
    named = [] if getattr(args, "built", False) else _named(workspace)
    value = {"named": named, "built": [entry.as_dict() for entry in built]}
    whole = getattr(args, "all", False)
    return value, lambda: _print_list(named, built, whole)


def _print_list(named: list[dict[str, str]], built: list[cache_listing.BuiltEnvironment], whole: bool) -> None:
    shown = [each for each in named if whole or each["kind"] != "curated (old)"]
    if shown:
        heads = ("NAME", "VERSION", "KIND")
        output.table(heads, [(each["name"], each["version"], each["kind"]) for each in shown])
    if len(shown) < len(named):
        print(f"and {len(named) - len(shown)} curated Azure environments (use --all to list them)")
    if named:
        print()
    if not built:
        print("No environments built on this machine.")
        return
    columns = ("BUILT", "PYTHON", "PACKAGES", "SIZE", "AGE", "USED", "RUNS", "NAMES", "LAST RUN")
    output.table(columns, [_built(entry) for entry in built], ("NAMES", "LAST RUN"))


def _named(workspace: Workspace) -> list[dict[str, str]]:
    """Return the registered environments, the team's, the aliases and the curated ones."""
    found = []
    for name, environment in environment_registry.all_environments(workspace).items():
        kind = _kind(workspace, name, environment)
        found.append({"name": name, "version": str(environment.version or ""), "kind": kind})
    order = ("registered", "team", "alias", "curated", "curated (old)")
    return sorted(
        found, key=lambda each: (order.index(each["kind"].split(" of ")[0]), each["name"].lower())
    )


def _kind(workspace: Workspace, name: str, environment: Environment) -> str:
    if environment.name != name:
        return f"alias of {environment.name}"
    if environment.version:
        return "registered"
    if environment_registry.is_team_environment(workspace, name):
        return "team"
    return "curated" if curated.is_current(name) else "curated (old)"


def _built(entry: cache_listing.BuiltEnvironment) -> tuple[str, ...]:
    return (
        entry.key[:12],
        entry.python,
        str(entry.packages),
        output.size(entry.size),
        output.ago(entry.built).removesuffix(" ago"),
        output.ago(entry.used),
        str(len(entry.runs)),
        ", ".join(entry.names),
        entry.runs[0] if entry.runs else "",
    )


def show(workspace: Workspace, args: argparse.Namespace) -> tuple[Any, Callable[[], None]]:
    """Show the requested packages, the locked ones with their dependents, and the runs."""
    found = locked_environment.find(workspace, args.environment, _python(workspace))
    why, runs = found.dependency_chains(), _runs(found.key)
    told = {"key": found.key, "place": found.folder, "packages": found.packages, "why": why}
    value = {"name": found.name, **told, "runs": runs}
    pairs: list[tuple[str, str]] = []
    environment = _environment(workspace, args.environment)
    if environment is not None:
        more, pairs = _described(workspace, environment)
        value |= more
    else:
        pairs = [("name", found.name), ("requested", "\n".join(found.requested))]
        pairs += [("python", str(found.lockfile.get("python") or "")), ("built", found.folder or "")]
    pairs += [("locked", "\n".join(_packages(found, why))), ("used by", "\n".join(_some(runs)))]
    return value, lambda: output.facts(pairs)


def _environment(workspace: Workspace, text: str) -> Environment | None:
    try:
        return run_options.named_environment(workspace, text)
    except EnvironmentException:
        return None


def _described(
    workspace: Workspace, environment: Environment
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    spec = build_environment.spec_of(environment, _python(workspace))
    plan = build_environment.plan(workspace, spec)
    value = {**environment.to_dict(), "spec": spec.to_dict(), "plan": plan.as_dict()}
    return value, [
        ("name", f"{environment.name or ''}"),
        ("version", str(environment.version or "")),
        ("kind", spec.kind),
        ("python", spec.python or ""),
        ("interpreter", spec.interpreter or ""),
        ("conda", "\n".join(spec.conda)),
        ("pip", "\n".join(spec.pip)),
        ("variables", ", ".join(environment.environment_variables or {})),
        ("image", _image(spec)),
        ("notes", "\n".join(spec.notes)),
        ("built", plan.place or ("" if plan.cached else "not yet")),
        ("build steps", "\n".join(plan.steps)),
        ("problems", "\n".join(plan.reasons)),
    ]


def _image(spec: EnvironmentSpec) -> str:
    """Return the image, or what it is built from."""
    context = spec.docker.get("build_context")
    if context:
        return f"built from {context['path']}"
    return "built from a Dockerfile" if spec.docker.get("dockerfile") else spec.image or ""


def _packages(found: locked_environment.LockedEnvironment, why: dict[str, list[str]]) -> list[str]:
    """Return one line per package: its version, and the packages that require it."""
    lines = []
    for name, version in found.packages.items():
        way = why.get(name) or [name]
        lines.append(f"{name} {version}" + (f"  (via {' > '.join(way[:-1])})" if way[1:] else ""))
    return lines


def _runs(key: str | None) -> list[str]:
    there = [entry for entry in cache_listing.list_environments() if entry.key == key] if key else []
    return list(there[0].runs) if there else []


def _some(runs: list[str]) -> list[str]:
    more = len(runs) - _SHOWN
    return [*runs[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]


def diff(workspace: Workspace, args: argparse.Namespace) -> tuple[Any, Callable[[], None]]:
    """Show the packages that differ between two environments."""
    python = _python(workspace)
    pair = [_locked(workspace, each, python) for each in (args.first, args.second)]
    differing = compare_runs.differences(pair[0].packages, pair[1].packages)
    value = {"a": pair[0].name, "b": pair[1].name, "packages": differing}
    return value, lambda: _print_diff(pair, differing)


def _locked(workspace: Workspace, text: str, python: str) -> locked_environment.LockedEnvironment:
    found = locked_environment.find(workspace, text, python)
    if not found.lockfile:
        raise EnvironmentException(
            f"Environment {text!r} is not locked, so its exact packages are unknown.",
            f"To lock and build it, run: scriptrun env build {text}",
        )
    return found


def _print_diff(
    pair: list[locked_environment.LockedEnvironment], differing: dict[str, compare_runs.Pair]
) -> None:
    if not differing:
        print(f"{pair[0].name} and {pair[1].name} have the same packages.")
        return
    heads = ("PACKAGE", pair[0].name, pair[1].name)
    output.table(heads, [(name, one or "-", two or "-") for name, (one, two) in differing.items()])


def _python(workspace: Workspace) -> str:
    return default_python.choose(Path.cwd(), workspace.root)[0]

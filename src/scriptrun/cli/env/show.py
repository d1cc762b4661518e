"""``scriptrun env list``, ``show`` and ``diff``."""

from __future__ import annotations

import argparse
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
    from scriptrun.cli.common_arguments import VerbResult
    from scriptrun.runtime.hints import Json

#: maximum number of runs to list by ID
_MAX_RUNS = 5


def list_all(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """List the named environments, and the built ones with size, age, last use and runs."""
    built = cache_listing.list_environments()
    named = [] if getattr(args, "built", False) else _named_environments(workspace)
    value = {"named": named, "built": [entry.record() for entry in built]}
    include_all = getattr(args, "all", False)
    return value, lambda: _print_list(named, built, include_all)


def _print_list(
    named: list[dict[str, str]], built: list[cache_listing.BuiltEnvironment], include_all: bool
) -> None:
    visible = [
        environment
        for environment in named
        if include_all or environment["kind"] != "curated (old)"
    ]
    if visible:
        heads = ("NAME", "VERSION", "KIND")
        output.print_table(heads, [(row["name"], row["version"], row["kind"]) for row in visible])
    if len(visible) < len(named):
        print(
            f"and {len(named) - len(visible)} curated Azure environments (use --all to list them)"
        )
    if named:
        print()
    if not built:
        print("No environments built on this machine.")
        return
    columns = ("BUILT", "PYTHON", "PACKAGES", "SIZE", "AGE", "USED", "RUNS", "NAMES", "LAST RUN")
    output.print_table(columns, [_built_row(entry) for entry in built], ("NAMES", "LAST RUN"))


def _named_environments(workspace: Workspace) -> list[dict[str, str]]:
    """Return the registered environments, the team's, the aliases and the curated ones."""
    rows = []
    for name, environment in environment_registry.all_environments(workspace).items():
        kind = _kind(workspace, name, environment)
        rows.append({"name": name, "version": str(environment.version or ""), "kind": kind})
    order = ("registered", "team", "alias", "curated", "curated (old)")
    return sorted(
        rows, key=lambda row: (order.index(row["kind"].split(" of ")[0]), row["name"].lower())
    )


def _kind(workspace: Workspace, name: str, environment: Environment) -> str:
    if environment.name != name:
        return f"alias of {environment.name}"
    if environment.version:
        return "registered"
    if environment_registry.is_team_environment(workspace, name):
        return "team"
    return "curated" if curated.is_current(name) else "curated (old)"


def _built_row(entry: cache_listing.BuiltEnvironment) -> tuple[str, ...]:
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


def show(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Show the requested packages, the locked ones with their dependents, and the runs."""
    locked = locked_environment.find(workspace, args.environment, _python(workspace))
    chains, runs = locked.dependency_chains(), _runs(locked.key)
    lock_facts = {
        "key": locked.key,
        "place": locked.folder,
        "packages": locked.packages,
        "as_of": locked.lockfile.get("as_of"),
        "why": chains,
    }
    value = {"name": locked.name, **lock_facts, "runs": runs}
    pairs: list[tuple[str, str]] = []
    environment = _environment(workspace, args.environment)
    if environment is not None:
        details, pairs = _describe(workspace, environment)
        value |= details
    else:
        pairs = [("name", locked.name), ("requested", "\n".join(locked.requested))]
        pairs += [
            ("python", str(locked.lockfile.get("python") or "")),
            ("built", locked.folder or ""),
        ]
    pairs += [
        ("as of", str(locked.lockfile.get("as_of") or "")),
        ("locked", "\n".join(_package_lines(locked, chains))),
        ("used by", "\n".join(_first_runs(runs))),
    ]
    return value, lambda: output.print_facts(pairs)


def _environment(workspace: Workspace, text: str) -> Environment | None:
    try:
        return run_options.get_environment(workspace, text)
    except EnvironmentException:
        return None


def _describe(workspace: Workspace, environment: Environment) -> tuple[Json, list[tuple[str, str]]]:
    spec = build_environment.spec_of(environment, _python(workspace))
    plan = build_environment.plan(workspace, spec)
    value = {
        "name": environment.name,
        "version": environment.version,
        "definition": environment.to_dict(),
        "spec": spec.to_dict(),
        "plan": plan.as_dict(),
    }
    return value, [
        ("name", f"{environment.name or ''}"),
        ("version", str(environment.version or "")),
        ("kind", spec.kind),
        ("python", spec.python or ""),
        ("interpreter", spec.interpreter or ""),
        ("conda", "\n".join(spec.conda)),
        ("pip", "\n".join(spec.pip)),
        ("brought", "\n".join(spec.brought)),
        ("variables", ", ".join(environment.environment_variables or {})),
        ("image", _image(spec)),
        ("notes", "\n".join(spec.notes)),
        ("built", plan.place or ("" if plan.cached else "not yet")),
        ("build steps", "\n".join(plan.steps)),
        ("problems", "\n".join(plan.reasons)),
    ]


def _image(spec: EnvironmentSpec) -> str:
    """Return the image, or what it is built from."""
    if spec.docker.build_context:
        return f"built from {spec.docker.build_context.path}"
    return "built from a Dockerfile" if spec.docker.dockerfile else spec.image or ""


def _package_lines(
    locked: locked_environment.LockedEnvironment, chains: dict[str, list[str]]
) -> list[str]:
    """Return one line per package: its version, and the packages that require it."""
    lines = []
    for name, version in locked.packages.items():
        chain = chains.get(name) or [name]
        lines.append(
            f"{name} {version}" + (f"  (via {' > '.join(chain[:-1])})" if chain[1:] else "")
        )
    return lines


def _runs(key: str | None) -> list[str]:
    entries = (
        [entry for entry in cache_listing.list_environments() if entry.key == key] if key else []
    )
    return list(entries[0].runs) if entries else []


def _first_runs(runs: list[str]) -> list[str]:
    hidden = len(runs) - _MAX_RUNS
    return [*runs[:_MAX_RUNS], *([f"and {hidden} more"] if hidden > 0 else [])]


def diff(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Show the packages that differ between two environments."""
    python = _python(workspace)
    pair = [_require_locked(workspace, text, python) for text in (args.first, args.second)]
    differing = compare_runs.differences(pair[0].packages, pair[1].packages)
    value = {"a": pair[0].name, "b": pair[1].name, "packages": differing}
    return value, lambda: _print_diff(pair, differing)


def _require_locked(
    workspace: Workspace, text: str, python: str
) -> locked_environment.LockedEnvironment:
    locked = locked_environment.find(workspace, text, python)
    if not locked.lockfile:
        raise EnvironmentException(
            f"Environment {text!r} is not locked, so its exact packages are unknown.",
            f"To lock and build it, run: scriptrun env build {text}",
        )
    return locked


def _print_diff(
    pair: list[locked_environment.LockedEnvironment], differing: dict[str, compare_runs.Pair[str]]
) -> None:
    if not differing:
        print(f"{pair[0].name} and {pair[1].name} have the same packages.")
        return
    heads = ("PACKAGE", pair[0].name, pair[1].name)
    output.print_table(
        heads, [(name, first or "-", second or "-") for name, (first, second) in differing.items()]
    )


def _python(workspace: Workspace) -> str:
    return default_python.choose(Path.cwd(), workspace.root)[0]

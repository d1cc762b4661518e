"""Compute targets: names in the workspace's registry, engine objects behind them."""

from __future__ import annotations

import fnmatch
import shlex

from scriptrun.engines import registry as engine_registry
from scriptrun.spec import field_types, suggestion, values
from scriptrun.spec.errors import ComputeTargetException
from scriptrun.spec.job import Target
from scriptrun.store import name_rules, records, registry
from scriptrun.store.records import Shape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from scriptrun.engines.base import Engine
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.runtime.hints import Json

    class Compute(Protocol):
        """A compute target as an object, such as azureml's."""

        name: str
        workspace: WorkspaceFiles


DEFAULT = "local"


def engine_of(target: Target) -> Engine:
    """The engine object that a job's target describes.

    Raises ComputeTargetException for an unknown class or unknown options.
    """
    engine_class = engine_registry.engine_class(target.kind)
    if engine_class is None:
        raise ComputeTargetException(
            f"Compute target {target.name!r} has the unknown class {target.kind!r}.",
            f"Valid classes: {', '.join(engine_registry.kinds())}.",
        )
    valid_options = set(values.names_of(engine_class)) - {"name"}
    unknown = sorted(set(target.options) - valid_options)
    if unknown:
        raise ComputeTargetException(
            f"Compute target {target.name!r} has unknown options: {', '.join(unknown)}.",
            f"Valid {target.kind} options: {', '.join(sorted(valid_options))}.",
        )
    options = {
        key: tuple(option) if isinstance(option, list) else option
        for key, option in target.options.items()
    }
    try:
        field_types.check(values.types_of(engine_class), options)
    except ValueError as error:
        raise ComputeTargetException(
            f"Compute target {target.name!r} is invalid: {error}.",
            f"Change it with: scriptrun compute set {target.name}",
        ) from None
    engine: Engine = engine_class(name=target.name, **options)
    return engine


def target_of(engine: Engine) -> Target:
    """The description of ``engine``, an engine object, for a job's spec.

    Raises ComputeTargetException if its class is not an engine class.
    """
    kind = engine_registry.kind_of(engine)
    if kind is None:
        raise ComputeTargetException(
            f"{type(engine).__name__} is not an engine class.",
            f"Valid classes: {', '.join(engine_registry.kinds())}. A package adds another with an "
            f"entry point in the group {engine_registry.GROUP}.",
        )
    options = engine_registry.options_of(engine)
    options = {name: value for name, value in options.items() if value not in (None, ())}
    return Target(engine.name, kind, options)


def with_run_options(target: Target, options: Json) -> Target:
    """``target`` with the options that a run sets; lists are added, and other values replaced.

    Raises ComputeTargetException if the target's class does not let runs set them.
    """
    if not options:
        return target
    engine = engine_of(target)
    valid = engine.traits.run_options
    unknown = sorted(set(options) - set(valid))
    if unknown:
        hint = suggestion.hint(unknown[0], valid, "Options that it accepts") if valid else ""
        raise ComputeTargetException(
            f"Compute target {target.name!r} ({target.kind}) does not accept the option"
            f"{'s' if len(unknown) > 1 else ''} {', '.join(unknown)} from a run.",
            hint
            or f"Remove {'them' if len(unknown) > 1 else 'it'}, or choose another target with "
            "--compute.",
        )
    try:
        field_types.check(values.types_of(type(engine)), options)
    except ValueError as error:
        raise ComputeTargetException(
            f"The run's options for compute target {target.name!r} are invalid: {error}."
        ) from None
    given = target.run_options
    return target.replace(
        options={**target.options, **_added(target.options, options)},
        run_options={**given, **_added(given, options)},
    )


def _added(before: Json, options: Json) -> Json:
    return {
        name: [*before.get(name, ()), *value] if isinstance(value, list | tuple) else value
        for name, value in options.items()
    }


def resolve(workspace: WorkspaceFiles, requested: object) -> Engine:
    """The engine for ``requested``: a name, an engine object, or None for the default.

    Raises ComputeTargetException for an unknown name.
    """
    if requested is None:
        requested = default_name(workspace)
    if not isinstance(requested, str):
        if engine_registry.is_engine(requested):
            return requested
        requested = getattr(requested, "name", requested)
    name = _resolve_alias(workspace, str(requested))
    value = _target_store(workspace).get(name)
    if value is None and name == DEFAULT:
        value = {"class": engine_registry.DEFAULT}
    if value is None:
        known = {*all_targets(workspace), *aliases(workspace)}
        hint = suggestion.hint(str(requested), sorted(known), "Targets")
        word = shlex.quote(str(requested))
        raise ComputeTargetException(
            f"Compute target {requested!r} not found in workspace {workspace.name!r}.",
            f"{hint} To add it: scriptrun compute add {word} --class ...; to use this machine "
            f"under its name: scriptrun compute alias {word} {DEFAULT}",
        )
    options = {key: option for key, option in value.items() if key != "class"}
    return engine_of(Target(name, value.get("class", engine_registry.DEFAULT), options))


def is_known(workspace: WorkspaceFiles, name: str) -> bool:
    """Whether the workspace has the compute target ``name``, or an alias for it."""
    resolved = _resolve_alias(workspace, name)
    return resolved == DEFAULT or _target_store(workspace).get(resolved) is not None


def all_targets(workspace: WorkspaceFiles) -> Json:
    """The compute targets by name; always includes ``local``."""
    stored = (name for name in _target_store(workspace).names() if not name.startswith("."))
    names = {DEFAULT, *stored}  # what begins with a dot is a setting
    return dict(records.readable(sorted(names), lambda name: (name, resolve(workspace, name))))


class ComputeTargets(dict[str, "Engine"]):
    """A workspace's compute targets by name; also resolves aliases."""

    def __init__(self, workspace: WorkspaceFiles) -> None:
        super().__init__(all_targets(workspace))
        self._workspace = workspace

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or is_alias(self._workspace, str(name))

    def __missing__(self, name: str) -> Engine:
        if not is_alias(self._workspace, name):
            raise KeyError(name)
        return resolve(self._workspace, name)


def is_alias(workspace: WorkspaceFiles, name: str) -> bool:
    """Whether ``name`` matches an alias of a compute target."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in aliases(workspace))


def put(workspace: WorkspaceFiles, engine: Engine) -> None:
    """Store ``engine`` in the workspace under its name, replacing any previous target.

    Raises ComputeTargetException for an invalid name.
    """
    target = target_of(engine)
    check_name(workspace, target.name)
    _target_store(workspace).put(target.name, {"class": target.kind, **target.options})


def check_name(workspace: WorkspaceFiles, name: str) -> None:
    """Raise ComputeTargetException for an invalid name that no stored target has."""
    problem = name_rules.strict_problem(name)
    if problem and (not name or _target_store(workspace).get(name) is None):
        raise ComputeTargetException(f"Invalid compute target name {name!r}.", problem)


def remove(workspace: WorkspaceFiles, name: str) -> None:
    """Remove the compute target. Raises ComputeTargetException if it does not exist."""
    if _target_store(workspace).get(name) is None:
        raise ComputeTargetException(
            f"Compute target {name!r} does not exist.",
            f"{suggestion.question(name, all_targets(workspace))}To list targets, run: "
            "scriptrun compute list",
        )
    _target_store(workspace).remove(name)


def default_name(workspace: WorkspaceFiles) -> str:
    """The name of the default target, for jobs without one."""
    return chosen_default(workspace) or DEFAULT


def chosen_default(workspace: WorkspaceFiles) -> str:
    """The default target that was chosen for the workspace; "" if none, or local, was."""
    setting = _target_store(workspace).get(".default") or {}
    name = str(setting.get("name", DEFAULT))
    return "" if name == DEFAULT else name


def set_default(workspace: WorkspaceFiles, name: str) -> None:
    """Make ``name`` the default target."""
    resolve(workspace, name)
    _target_store(workspace).put(".default", {"name": name})


def aliases(workspace: WorkspaceFiles) -> dict[str, str]:
    """Patterns of old names (``gpu-*``) and the target of each."""
    return dict(_target_store(workspace).get(".aliases") or {})


def set_alias(workspace: WorkspaceFiles, pattern: str, name: str) -> None:
    """Make names that match ``pattern`` aliases of the target ``name``."""
    resolve(workspace, name)
    _target_store(workspace).put(".aliases", {**aliases(workspace), pattern: name})


def _resolve_alias(workspace: WorkspaceFiles, name: str) -> str:
    for pattern, target in aliases(workspace).items():
        if fnmatch.fnmatchcase(name, pattern):
            return target
    return name


def _target_store(workspace: WorkspaceFiles) -> registry.NamedValues:
    return registry.NamedValues(workspace.directory / "compute", Shape({"class": "str"}))

"""Turns the arguments of ``scriptrun run`` into a ScriptRunConfig."""

from __future__ import annotations

import argparse
import importlib
import os
import re
from collections.abc import Sequence
from functools import partial

from scriptrun.cli.options import default_python, run_name, set_field, target_options
from scriptrun.cli.options import distribution as distribution_options
from scriptrun.cli.options import environment as environment_options
from scriptrun.config import runconfig_file
from scriptrun.config.environments.environment import Environment
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.core.workspace import Workspace
from scriptrun.registry import compute_targets
from scriptrun.registry.settings import keys as settings_keys
from scriptrun.registry.settings import reader as settings_reader
from scriptrun.spec.errors import UserErrorException, refuse
from scriptrun.spec.later import later
from scriptrun.spec.values import Value, fresh
from scriptrun.submission import defaults
from scriptrun.submission.check import Origin, source_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from scriptrun.cli.options import data as data_options
    from scriptrun.registry.settings.reader import Found, Settings
    from scriptrun.runtime.hints import Json
    from scriptrun.submission.defaults import Defaults

    T = TypeVar("T")
else:
    data_options = later("scriptrun.cli.options.data")


class RunRequest(Value, frozen=False):
    """A run as requested on the command line."""

    config: ScriptRunConfig
    experiment: str
    origin: Origin
    tags: dict[str, str | None]
    warnings: list[str] = fresh(default_factory=list)
    notify: list[str] = fresh(default_factory=list)


def parse_request(args: argparse.Namespace, workspace: Workspace) -> RunRequest:
    """Turn the command line into a request. Raises UserErrorException if it is invalid."""
    if not (args.script or args.command or args.config):
        raise UserErrorException(
            "Nothing to run.",
            "Give a script (scriptrun run train.py) or use --command 'make train'.",
        )
    loaded, project = _load(args) if args.config else (None, None)
    configuration = loaded or _default_configuration()
    refuse(_conflicts(args, configuration) if loaded else [])
    script = args.script or configuration.script
    source, script = split_source(args.source or project, script)
    settings = settings_reader.read(source_folder(source), workspace)
    _apply(args, configuration, workspace)
    path = os.path.join(source, script) if script and not args.command else None
    filled = _fill_defaults(args, configuration, settings, workspace, path)
    options = _apply_fields(args, configuration, workspace)
    script = args.script or configuration.script
    source, script = split_source(args.source or project, script)
    rest, command, env_texts = _fill_data_names(args, configuration, workspace, filled.inputs)
    config = ScriptRunConfig(
        source_directory=source,
        script=args.script and script,
        arguments=rest,
        run_config=configuration,
        command=command,
    )
    distribution_options.request_resources(args, config)
    config.target_options = options
    config.retries, config.warn_before_seconds = args.retries, args.warn_before
    if args.retry_on:
        config.retry_on = tuple(args.retry_on.split(","))
    if loaded is not None and script and not args.script:
        configuration.script = script
    variables, passed_through = parse_variables(env_texts)
    python, warnings = filled.interpreter, list(settings.warnings)
    if python is None:
        python, more_warnings = default_python.choose(source_folder(source), workspace.root)
        warnings += more_warnings
    run_name.check_option(workspace, args.name)
    origin = Origin(
        *(python, variables, passed_through, args.name or ""),
        pins=args.pins or "exact",
        notes=filled.notes,
    )
    experiment = args.experiment or experiment_name(source)
    return RunRequest(
        *(config, experiment, origin, parse_tags(args.tags), warnings),
        notify=settings.notify,
    )


def _apply_fields(
    args: argparse.Namespace, configuration: RunConfiguration, workspace: Workspace
) -> Json | None:
    """Apply --nodes, --set, --time and the like; return the options for the compute target."""
    distribution_options.apply(args, configuration)
    for text in args.settings:
        set_field.apply(configuration, text)
    if not target_options.is_given(args):
        return None
    engine = compute_targets.resolve(workspace, configuration.target or "local")
    parsed = target_options.parse(args, engine)
    if parsed.seconds is not None:  # the target has no time limit of its own
        configuration.max_run_duration_seconds = parsed.seconds
    return parsed.options


def _fill_defaults(
    args: argparse.Namespace,
    configuration: RunConfiguration,
    settings: Settings,
    workspace: Workspace,
    script_path: str | None,
) -> Defaults:
    """Fill in what neither the command line nor --config says; return notes of what was."""
    given = ["compute"] if args.compute else []
    given += settings_keys.ENVIRONMENT if environment_options.check_sources(args) else []
    filled = defaults.apply(settings.without(*given), configuration, workspace, script_path)
    notes = list(filled.notes)
    for name in ("experiment", "pins"):
        found = settings.get(name)
        if found and not getattr(args, name):
            setattr(args, name, found.value)
            notes.append(defaults.note(found))
    for name, found in settings.table("tags").items():
        args.tags = [f"{name}={found.value}" if found.value else name, *args.tags]
    taken = {text.partition("=")[0] for text in (*args.inputs, *args.outputs)}
    taken |= {*(configuration.data or {}), *(configuration.output_data or {})}
    inputs = tuple(f for name, f in settings.table("inputs").items() if name not in taken)
    notes += map(defaults.note, inputs)
    return filled.replace(notes=tuple(notes), inputs=inputs)


def _fill_data_names(
    args: argparse.Namespace,
    configuration: RunConfiguration,
    workspace: Workspace,
    inputs: Sequence[Found],
) -> tuple[list[str], str | None, list[str]]:
    """Return the script's arguments, the command and --env, with ``{NAME}`` of data filled in.

    ``inputs`` are those of the settings.
    """
    rest = args.rest or []
    if not (args.inputs or args.outputs or inputs):
        return rest, args.command, args.env
    names: list[str] = []
    for found in inputs:
        text = f"{found.key.partition('.')[2]}={found.value}"
        add = partial(data_options.apply, configuration, [text], [], workspace)
        names += defaults.with_origin(found, UserErrorException, add)
    names += data_options.apply(configuration, args.inputs, args.outputs, workspace)
    fill = importlib.import_module("scriptrun.data.summary").fill_references
    command = args.command and fill(args.command, names)
    return [fill(text, names) for text in rest], command, [fill(text, names) for text in args.env]


def split_source(source: str | None, script: str | None) -> tuple[str, str | None]:
    """Return the source directory and the script in it.

    Without --source, the source directory is the current directory if the script is below it, else
    the script's own directory.
    """
    if script is None:
        return source or ".", None
    if source is None:
        relative = _relative_below(script, ".")
        if relative is not None or not os.path.isfile(script):
            return ".", relative or script
        return os.path.dirname(script), os.path.basename(script)
    if not os.path.exists(os.path.join(source, script)) and os.path.isfile(script):
        return source, os.path.relpath(script, source)
    return source, script


def _relative_below(path: str, folder: str) -> str | None:
    """Return ``path`` relative to ``folder``, None if it is not below it; keeps symlinks."""
    relative = os.path.relpath(path, folder)
    return None if relative.split(os.sep)[0] == os.pardir else relative


def experiment_name(source: str) -> str:
    """Return the source directory's name, reduced to the characters of experiment names."""
    name = source_folder(source).name
    if not name.isascii():  # turn "größe" into "grosse", not "gr-e"
        normal = importlib.import_module("unicodedata").normalize("NFKD", name.replace("ß", "ss"))
        name = "".join(c for c in normal if not 0x300 <= ord(c) < 0x370)
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", name)
    return name.strip("-._")[:255] or "default"


def _default_configuration() -> RunConfiguration:
    configuration = RunConfiguration()
    configuration.environment.environment_variables = {}  # drop v1's EXAMPLE_ENV_VAR
    return configuration


def _load(args: argparse.Namespace) -> tuple[RunConfiguration, str | None]:
    """Load --config, a file or a name in .azureml/; return it and the project that has its script.

    The project is None if that is the current directory or --source, or the command line names the
    script.
    """
    is_path = os.path.exists(args.config) or os.sep in args.config
    folder, name = (args.config, None) if is_path else (".", args.config)
    if not is_path and args.source and not runconfig_file.has(".", args.config):
        folder = args.source
    loaded = RunConfiguration.load(folder, name)
    script = loaded.script
    if args.script or args.source or not script or os.path.exists(script):
        return loaded, None
    roots = runconfig_file.project_folders(runconfig_file.find(folder, name), folder)
    projects = (root for root in roots if os.path.isfile(os.path.join(root, script)))
    return loaded, next(projects, None)


def _conflicts(args: argparse.Namespace, loaded: RunConfiguration) -> list[str]:
    """Return a problem for each setting that the command line and the file set differently.

    --compute is none of them: it decides, as it did for ``az ml run submit-script``.
    """
    defaults = RunConfiguration()
    command = f"--command {args.command!r}"
    environment = next(iter(environment_options.check_sources(args)), None)
    named = args.environment and args.environment.partition(":")[0]
    nodes = None if loaded.node_count == defaults.node_count else loaded.node_count
    is_named_alike = bool(named) and loaded.environment.name == named
    is_own = loaded.environment != defaults.environment and not is_named_alike
    conflicts = [
        (args.script, f"the script {args.script!r}", _script_of(args, loaded)),
        (args.script, f"the script {args.script!r}", loaded.command),
        (args.command, command, loaded.command if loaded.command != args.command else None),
        (args.command, command, loaded.script),
        (args.rest, f"the script's arguments {args.rest}", _arguments_of(args, loaded)),
        (args.nodes != 1, f"--nodes {args.nodes}", nodes if nodes != args.nodes else None),
        (args.distributed, f"--{args.distributed}", _distribution_of(args, loaded)),
        (environment, environment, loaded.environment if is_own else None),
    ]
    return [
        f"{option} conflicts with {_short(configured)} in {args.config}"
        for given, option, configured in conflicts
        if given and configured
    ]


def _script_of(args: argparse.Namespace, loaded: RunConfiguration) -> str | None:
    """The file's script, unless the command line names the same one."""
    if not (args.script and loaded.script):
        return loaded.script
    given = {args.script, split_source(args.source, args.script)[1] or ""}
    names = {os.path.normpath(name) for name in given}
    return None if os.path.normpath(loaded.script) in names else loaded.script


def _arguments_of(args: argparse.Namespace, loaded: RunConfiguration) -> list[object] | None:
    is_same = list(map(str, loaded.arguments or [])) == list(args.rest or [])
    return None if is_same else loaded.arguments


def _distribution_of(args: argparse.Namespace, loaded: RunConfiguration) -> str | None:
    """The file's kind of distributed job, unless the command line asks for that kind."""
    by_communicator = {"intelmpi": "mpi", "openmpi": "mpi", "mpi": "mpi"}
    communicator = str(loaded.communicator or "None").lower()
    kind = by_communicator.get(communicator, str(loaded.framework or "").lower())
    is_distributed = communicator != "none"
    return str(loaded.communicator) if is_distributed and kind != args.distributed else None


def _short(value: object) -> str:
    if isinstance(value, Environment):
        return repr(value.name) if value.name else "the environment"
    return repr(value)


def _apply(args: argparse.Namespace, configuration: RunConfiguration, workspace: Workspace) -> None:
    if args.compute:
        configuration.target = args.compute
    environment = resolve_environment(args, workspace)
    if environment is not None:
        configuration.environment = environment


def get_environment(workspace: Workspace, text: str) -> Environment:
    """Return the environment ``NAME[:VERSION]``."""
    name, _, version = text.partition(":")
    if version and not version.isdigit():
        raise UserErrorException(
            f"Invalid environment version {version!r}.", "Use a number: 1, 2, 3, ..."
        )
    return workspace.get_environment(name, version or None)


def resolve_environment(args: argparse.Namespace, workspace: Workspace) -> Environment | None:
    """Return the environment of --environment, --requirements and so on, or None."""
    environment_options.check_sources(args)
    if args.environment:
        return get_environment(workspace, args.environment)
    environment = environment_options.load(args)
    if environment is not None:
        environment.environment_variables = {}
    return environment


def parse_variables(texts: list[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Parse --env into values by name, and the names of variables to pass through."""
    values, passed_through = {}, []
    for text in texts:
        name, separator, value = text.partition("=")
        if not name:
            raise UserErrorException(
                f"Invalid --env {text!r}: the name is missing.", "Use --env NAME=VALUE."
            )
        if separator:
            values[name] = value
        else:
            passed_through.append(name)
    return values, tuple(passed_through)


def parse_tags(texts: list[str]) -> dict[str, str | None]:
    """Parse --tag into values by name; a tag without a value is None."""
    values: dict[str, str | None] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not name:
            raise UserErrorException(
                f"Invalid --tag {text!r}: the name is missing.", "Use --tag NAME[=VALUE]."
            )
        values[name] = value if separator else None
    return values

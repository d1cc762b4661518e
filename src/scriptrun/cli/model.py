"""List, show, register, download and remove models.

A model is a named, versioned file or folder. register stores a local path, or with --run a
file of a run (outputs/model.pkl).

examples:
  scriptrun model register digits outputs/model.pkl --run best:accuracy
  scriptrun model list
  scriptrun model show digits:3
  scriptrun model download digits ./models
"""

from __future__ import annotations

import argparse

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli.terminal import attach, output
from scriptrun.core import model_metadata
from scriptrun.core.model import Model
from scriptrun.core.run import Run
from scriptrun.history import lineage
from scriptrun.registry import models as model_registry
from scriptrun.spec import states
from scriptrun.spec.control_characters import one_line
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    common_arguments.json_argument(parser)
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND")

    def verb(name: str, line: str) -> argparse.ArgumentParser:
        subparser = verbs.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        common_arguments.json_argument(subparser, is_subcommand=True)
        return subparser

    list_parser = verb("list", "list the latest version of each model")
    list_parser.add_argument(
        "name", metavar="NAME", nargs="?", help="list all versions of this model"
    )
    list_parser.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="list only models with this tag (repeatable)",
    )
    list_parser.add_argument(
        "--run", metavar="RUN", help="list only models that this run registered"
    )
    show = verb("show", "show a model's files, tags and run")
    show.add_argument("model", metavar="NAME[:VERSION]", help="model to show")
    register = verb("register", "register a file or folder as a model's next version")
    _register_arguments(register)
    download = verb("download", "download a model's files")
    download.add_argument("model", metavar="NAME[:VERSION]", help="model to download")
    download.add_argument(
        "target",
        metavar="DIR",
        nargs="?",
        default=".",
        help="destination folder (default: current directory)",
    )
    download.add_argument("--force", action="store_true", help="replace existing files")
    remove = verb("remove", "remove a model version")
    remove.add_argument("model", metavar="NAME:VERSION", help="model version to remove")


def _register_arguments(register: argparse.ArgumentParser) -> None:
    register.add_argument("name", metavar="NAME", help="model name")
    register.add_argument("path", metavar="PATH", help="file or folder to register")
    register.add_argument("--run", metavar="RUN", help="run that PATH belongs to")
    register.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="tag the model (repeatable)",
    )
    register.add_argument("--description", metavar="TEXT", help="describe the model")
    register.add_argument("--framework", metavar="NAME", help="framework, e.g. PyTorch")
    register.add_argument(
        "--force",
        action="store_true",
        help="register from a run that did not complete or write PATH",
    )


def run(args: argparse.Namespace) -> int:
    """Run the selected subcommand and return the exit code."""
    return _VERBS[args.verb or "list"](args)


def _list(args: argparse.Namespace) -> int:
    workspace = workspace_here.current()
    name, run_name = getattr(args, "name", None), getattr(args, "run", None)
    run_id = Run.find(workspace, run_name).id if run_name else None
    tags = [text.split("=", 1) if "=" in text else text for text in getattr(args, "tag", ())]
    models = Model.list(workspace, name, tags, run_id=run_id, latest=name is None)
    if args.json:
        output.print_json({"models": [_record(model) for model in models]})
    elif models:
        heads = ("NAME", "VERSION", "SIZE", "CREATED", "RUN", "TAGS")
        output.print_table(heads, [_row(model) for model in models])
    elif name or run_id or tags:
        print("No matching models. To list all, run: scriptrun model list")
    else:
        print("No models. To add one, run: scriptrun model register NAME PATH")
    return 0


def _record(model: Model) -> Json:
    """The model as a JSON document."""
    return {
        "id": model.id,
        "name": model.name,
        "version": model.version,
        "created": model.serialize()["created"],
        "description": model.description or "",
        "framework": model.model_framework,
        "framework_version": model.model_framework_version,
        "run": model.run_id,
        "run_state": model.run_state,
        "experiment": model.experiment_name,
        "tags": model.tags,
        "properties": model.properties,
        "files": model.files,
    }


def _row(model: Model) -> tuple[str, ...]:
    return (
        model.name,
        str(model.version),
        output.size(sum(file["size"] for file in model.files)),
        output.ago(model.created_time.timestamp()),
        model.run_id or "",
        _tags(model),
    )


def _tags(model: Model) -> str:
    return one_line(", ".join(f"{name}={value}" for name, value in model.tags.items()))


def _show(args: argparse.Namespace) -> int:
    model = _find_model(args.model)
    if args.json:
        output.print_json(_record(model))
        return 0
    datasets = lineage.datasets_of(model)
    files = [f"{one_line(file['path'])}  {output.size(file['size'])}" for file in model.files]
    output.print_facts(
        [
            ("name", model.name),
            ("version", str(model.version)),
            ("description", model.description or ""),
            ("created", f"{model.created_time:%Y-%m-%d %H:%M:%S} UTC"),
            ("framework", " ".join(filter(None, (model.model_framework, _version(model))))),
            ("run", _run(model)),
            ("experiment", model.experiment_name or ""),
            ("datasets", "\n".join(f"{word}: {_names(sets)}" for word, sets in datasets.items())),
            ("tags", _tags(model)),
            ("properties", one_line(", ".join(f"{k}={v}" for k, v in model.properties.items()))),
            ("files", "\n".join(files)),
        ]
    )
    return 0


def _run(model: Model) -> str:
    """The run's ID, its state at registration if it had not completed, and whether it is gone."""
    state = model.run_state or states.COMPLETED
    registered_in = "" if state == states.COMPLETED else f"{state} at registration"
    run = model.run
    now = "missing from the workspace" if run is None else "removed" if run.removed else ""
    remarks = ", ".join(filter(None, (registered_in, now)))
    return (model.run_id or "") + (f" ({remarks})" if model.run_id and remarks else "")


def _version(model: Model) -> str:
    return str(model.model_framework_version or "")


def _names(datasets: list[Json]) -> str:
    return ", ".join(
        f"{dataset['name']}:{dataset['version']}"
        if dataset["name"]
        else f"{dataset['id']} (not registered)"
        for dataset in datasets
    )


def _register(args: argparse.Namespace) -> int:
    tags = dict(_parse_tag(text) for text in args.tag)
    metadata = {"description": args.description, "model_framework": args.framework}
    if args.run:
        run = Run.find(workspace_here.require(), args.run)
        doubt = "" if args.force else model_metadata.doubt(run, args.path)
        if doubt:
            raise UserErrorException(doubt, "To register it anyway, use --force.")
        with attach.warnings_as_lines():
            model = run.register_model(args.name, args.path, tags, **metadata)
    else:
        workspace = workspace_here.current()
        with attach.warnings_as_lines():
            model_registry.files_of(args.path)  # raises before a workspace is created
            model = Model.register(
                workspace_here.create_if_missing(workspace), args.path, args.name, tags, **metadata
            )
    return _print_result(args, model, f"Registered {model.id}")


def _download(args: argparse.Namespace) -> int:
    model = _find_model(args.model)
    path = model.download(args.target, args.force)
    if args.json:
        output.print_json({"id": model.id, "path": path})
    else:
        print(one_line(path))
    return 0


def _remove(args: argparse.Namespace) -> int:
    if ":" not in args.model:
        raise UserErrorException(
            "`scriptrun model remove` requires a version.", f"For example: {args.model}:1."
        )
    model = _find_model(args.model)
    model.delete()
    return _print_result(args, model, f"Removed {model.id}")


def _print_result(args: argparse.Namespace, model: Model, line: str) -> int:
    if args.json:
        output.print_json(_record(model))
    else:
        print(line)
    return 0


def _find_model(text: str) -> Model:
    name, _, version = text.partition(":")
    return Model(workspace_here.require(), name, version=version or None)


def _parse_tag(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise UserErrorException(f"Invalid tag {text!r}.", "Use --tag NAME=VALUE.")
    return name, value


_VERBS = {
    "list": _list,
    "show": _show,
    "register": _register,
    "download": _download,
    "remove": _remove,
}

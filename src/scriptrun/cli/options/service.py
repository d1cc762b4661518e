"""Turns the arguments of ``scriptrun serve`` into a ServiceRequest."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from scriptrun.cli.options import default_python
from scriptrun.cli.options import run as run_options
from scriptrun.core.workspace import Workspace
from scriptrun.registry import models as model_registry
from scriptrun.registry import services as service_registry
from scriptrun.services import status
from scriptrun.services.request import MOST_SECONDS, ServedModel, ServiceRequest
from scriptrun.services.webservice import Webservice
from scriptrun.spec.errors import UserErrorException
from scriptrun.store import sizes
from scriptrun.submission.check import source_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: options that mean nothing to a package, which starts nothing
_WITHOUT_PACKAGE = ("port", "host", "detach", "replace", "test", "compute", "gpus")
#: options that mean nothing to a test, which answers one request and ends
_WITHOUT_TEST = ("port", "host", "workers", "restarts", "detach", "replace", "key")


def parse(args: argparse.Namespace, workspace: Workspace) -> ServiceRequest:
    """Turn the command line into a request. Raises UserErrorException if it is invalid."""
    if not args.models and not args.entry:
        raise UserErrorException(
            "Nothing to serve.",
            "Give a model (scriptrun serve digits), or a script with --entry score.py.",
        )
    _check_numbers(args)
    _refuse_with_package(args)
    models = tuple(_model(text, workspace, args.framework) for text in args.models)
    source, entry = _source(args)
    environment = run_options.resolve_environment(args, workspace)
    variables, passed = run_options.parse_variables(args.env)
    folder = source_folder(source or os.path.dirname(entry or "") or ".")
    return ServiceRequest(
        args.name or _default_name(models, entry),
        models,
        source,
        entry,
        environment,
        variables=variables,
        passed=passed,
        compute_target=args.compute,
        interpreter=default_python.choose(folder, workspace.root)[0],
        auth="key" if args.key else "none",
        allowed_hosts=tuple(args.allow_host),
        allowed_origins=tuple(args.allow_origin),
        **_limits(args),
    )


def _check_numbers(args: argparse.Namespace) -> None:
    """Raise UserErrorException for all numbers that are out of range."""
    problems = [
        f"{option} must be {'at least ' if most is None else ''}{least}"
        f"{'' if most is None else f' to {most}'}, not {value:g}"
        for option, value, least, most in (
            ("--port", args.port, 1, 65535),
            ("--workers", args.workers, 1, None),
            ("--restarts", args.restarts, 0, None),
            ("--gpus", args.gpus, 0, None),
            ("--timeout", args.timeout, 0, MOST_SECONDS),
            ("--start-timeout", args.start_timeout, 0, MOST_SECONDS),
        )
        if value is not None and not (least <= value <= (most or float("inf")))
    ]
    if problems:
        raise UserErrorException(f"{'; '.join(problems)}.", "To see the defaults, use --help.")


def _limits(args: argparse.Namespace) -> Json:
    """The fields whose options are given."""
    given: Json = {
        "port": args.port,
        "host": args.host,
        "workers": args.workers,
        "restarts": args.restarts,
        "gpus": args.gpus,
        "body_limit": None if args.max_body is None else sizes.size(args.max_body, "--max-body"),
        "test": _test(args),
    }
    found = {name: value for name, value in given.items() if value is not None}
    for name, seconds in (
        ("timeout_seconds", args.timeout),
        ("start_seconds", args.start_timeout),
    ):
        if seconds is not None:
            found[name] = seconds or None
    return found


def _refuse_with_package(args: argparse.Namespace) -> None:
    for name in _WITHOUT_PACKAGE if args.package is not None else ():
        if getattr(args, name):
            raise UserErrorException(
                f"--package and --{name} cannot be combined.",
                "--package writes a folder with a Dockerfile; it starts no service.",
            )


def _model(text: str, workspace: Workspace, framework: str | None) -> ServedModel:
    """The model that ``text`` names: a registered one, or a local path."""
    name, _, version = text.partition(":")
    is_path = text.startswith(("/", ".", "~")) or os.sep in text
    if is_path or (name not in model_registry.names(workspace) and os.path.exists(text)):
        path = Path(text).expanduser()
        if not path.exists():
            raise UserErrorException(
                f"The model {text!r} does not exist.", "Check the path, or give a model's name."
            )
        return ServedModel(path.absolute().name, path=str(path.absolute()), framework=framework)
    if version and not version.isdigit():
        raise UserErrorException(f"Invalid model version {version!r}.", "Use a number, e.g. 1.")
    record = model_registry.get(workspace, name, int(version) if version else None)
    return ServedModel(name, record["version"], framework=framework)


def _source(args: argparse.Namespace) -> tuple[str | None, str | None]:
    """The source directory, and the entry script: relative to it, else to this directory."""
    if args.source is None:
        return None, args.entry
    if args.entry is None:
        raise UserErrorException("--source requires --entry.", "Add the script with --entry FILE.")
    return run_options.split_source(args.source, args.entry)


def _default_name(models: tuple[ServedModel, ...], entry: str | None) -> str:
    if models and models[0].path is None:
        return models[0].name
    text = Path(models[0].name if models else entry or "").stem
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-._")
    return name or "service"


def _test(args: argparse.Namespace) -> str | None:
    """The text of the request of --test."""
    if args.test is None:
        return None
    for name in _WITHOUT_TEST:
        if getattr(args, name):
            raise UserErrorException(
                f"--test and --{name} cannot be combined.",
                "--test answers one request and ends; it starts no service.",
            )
    return read_request(args.test)


def read_request(path: str) -> str:
    """The text of the file, or of stdin for ``-``. Raises UserErrorException."""
    try:
        content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return content.decode()
    except OSError as error:
        raise UserErrorException(
            f"Cannot read the request {path!r}: {error.strerror}.",
            "Give a file with the request's body, e.g. sample.json, or - for stdin.",
        ) from None
    except UnicodeDecodeError:
        raise UserErrorException(
            f"The request {path!r} is not text in UTF-8.", "Post other content with curl."
        ) from None


def may_replace(workspace: Workspace, name: str, replace: bool) -> bool:
    """Whether to replace a service of that name: with --replace, and if it has failed.

    Raises UserErrorException if there is one that has not failed, without ``replace``.
    """
    if replace or service_registry.read(workspace, name) is None:
        return replace
    if Webservice(workspace, name).health.state == status.FAILED:
        return True
    raise UserErrorException(
        f"Service {name!r} already exists.",
        "To replace it, use --replace; to start another one, use --name.",
    )

"""Serve a model: start a service that answers requests over HTTP, and follow its log.

MODEL is a registered model, NAME[:VERSION], or the path of a file or folder (./model.pkl). A
script with init() and run(data) answers the requests, see --entry; without one, the model is
served by what it is. --test answers one request and ends: use it while you write the script.
--package writes a folder with a Dockerfile in place of starting the service.

examples:
  scriptrun serve digits
  scriptrun serve digits:3 --entry score.py --port 8000 --workers 2
  scriptrun serve digits --entry score.py --test sample.json
  scriptrun serve ./model.joblib --requirements requirements.txt --detach
  scriptrun serve digits --entry score.py --replace
  scriptrun serve digits --entry score.py --package ./image
"""

from __future__ import annotations

import argparse
import importlib

from scriptrun.cli import workspace_here
from scriptrun.cli.options import environment as environment_options
from scriptrun.cli.options import service as service_options
from scriptrun.cli.terminal import attach
from scriptrun.engines.local import engine as local_engine
from scriptrun.services import deploy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from scriptrun.cli.parsers import Parser


def arguments(parser: Parser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("models", metavar="MODEL", nargs="*", help="model to serve: NAME[:VERSION], or a path")
    add("--entry", metavar="FILE", help="script with init() and run(data)")
    add("--source", metavar="DIR", help="source directory of the script (default: its modules)")
    add("-n", "--name", metavar="NAME", help="name of the service (default: the model's name)")
    add("--framework", metavar="NAME", help="framework of a model without --entry, e.g. Onnx")
    _address_arguments(add)
    _process_arguments(add)
    _caller_arguments(add)
    add("--compute", "--target", metavar="T", help="compute target (default: local)")
    add("--environment", metavar="ENV", help="registered or curated environment, NAME[:VERSION]")
    environment_options.arguments(add)
    add(
        "--env",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="set an environment variable (repeatable)",
    )
    add("--test", metavar="FILE", help="answer the request in this file (-: stdin) and end")
    add("--package", metavar="DIR", help="write a folder with a Dockerfile, and start nothing")
    add("--replace", action="store_true", help="replace a service of the same name")
    add("-d", "--detach", action="store_true", help="return as soon as the service answers")
    add("--json", action="store_true", help="print the service as JSON")


def _address_arguments(add: Callable[..., object]) -> None:
    add("--port", metavar="N", type=int, help="port to listen on (default: any free port)")
    add("--host", metavar="ADDRESS", help="address to listen on (default: 127.0.0.1)")


def _process_arguments(add: Callable[..., object]) -> None:
    add("--workers", metavar="N", type=int, help="number of worker processes (default: 1)")
    add("--restarts", metavar="N", type=int, help="replace up to N workers that die (default: 3)")
    add(
        "--timeout",
        metavar="SECONDS",
        type=float,
        help="limit for answering a request; 0: none (default: 60)",
    )
    add(
        "--start-timeout",
        metavar="SECONDS",
        type=float,
        help="limit for init(); 0: none (default: 600)",
    )
    add("--max-body", metavar="SIZE", help="size of the largest request (default: 100MiB)")
    add("--gpus", metavar="N", type=int, help="number of GPUs (default: 0)")


def _caller_arguments(add: Callable[..., object]) -> None:
    add("--key", action="store_true", help="accept only callers that send a key")
    add(
        "--allow-origin",
        metavar="URL",
        action="append",
        default=[],
        help="accept requests from this site's pages, *: any (repeatable)",
    )
    add(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="accept this name in the Host header (repeatable)",
    )


def run(args: argparse.Namespace) -> int:
    """Start the service, follow its log unless detached, and return the exit code."""
    workspace = workspace_here.current()
    request = service_options.parse(args, workspace)
    local_engine.allow_fork()  # this process has a single thread
    workspace = workspace_here.create_if_missing(workspace)
    if args.test is not None:
        return int(_load("trial").run(workspace, request, args.json))
    if args.package is not None:
        return int(_load("image_folder").write(workspace, request, args.package, args.json))
    replace = service_options.may_replace(workspace, request.name, args.replace)
    with attach.warnings_as_lines():
        service = deploy.deploy(workspace, request, replace)
    follow = _load("follow")
    if args.detach or args.json:
        return int(follow.wait(service, args.json))
    return int(follow.follow(service))


def _load(name: str) -> ModuleType:
    """Import a module of ``cli.service`` that only some command lines need."""
    return importlib.import_module(f"scriptrun.cli.service.{name}")

"""``scriptrun service logs``, ``test`` and ``keys``."""

from __future__ import annotations

import argparse
import json

from scriptrun.cli.options.service import read_request
from scriptrun.cli.terminal import attach, log_lines
from scriptrun.core.workspace import Workspace
from scriptrun.runs import follow
from scriptrun.services.webservice import Webservice
from scriptrun.spec.errors import UserErrorException, WebserviceException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.common_arguments import VerbResult


def logs(workspace: Workspace, args: argparse.Namespace) -> int:
    """Print the log of the run that was started last; return the exit code.

    It is 1 if a followed service did not complete.
    """
    if args.tail is not None and args.tail < 0:
        raise UserErrorException(f"--tail must be at least 0, not {args.tail}.", "Use --tail 50.")
    run = Webservice(workspace, args.name).newest_run
    names = follow.script_logs(run.known_job)
    if args.json:
        return log_lines.print_as_json(run, args.follow, args.tail, names, None)
    writer = attach.LogWriter(run)
    if args.follow:
        return attach.follow_log(run, writer, args.tail)
    stream = follow.LogStream(run.path, writer.write, args.tail, names)
    stream.pump()
    stream.close()
    writer.end_line()
    return 0


def test(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Send the request in a file to the service, with its key if it has one."""
    service = Webservice(workspace, args.name)
    body = read_request(args.file)
    try:
        response = service.run(body)
    except WebserviceException as error:
        error.exit_code = 1
        raise
    text = response if isinstance(response, str) else json.dumps(response, ensure_ascii=False)
    return {"name": service.name, "response": response}, text


def keys(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Print the service's keys, or replace one of them."""
    service = Webservice(workspace, args.name)
    if args.regenerate:
        service.regen_key(args.regenerate)
    primary, secondary = service.get_keys()
    text = primary if args.primary else f"primary    {primary}\nsecondary  {secondary}"
    return {"name": service.name, "primary": primary, "secondary": secondary}, text

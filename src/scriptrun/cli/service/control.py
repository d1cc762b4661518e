"""``scriptrun service reload``, ``restart``, ``stop``, ``start`` and ``remove``."""

from __future__ import annotations

import argparse

from scriptrun.cli import errors as cli_errors
from scriptrun.cli.service import follow, view
from scriptrun.cli.terminal import attach, spinner
from scriptrun.core.workspace import Workspace
from scriptrun.engines.local import engine as local_engine
from scriptrun.registry import services as registry
from scriptrun.services import rollout
from scriptrun.services.webservice import Webservice
from scriptrun.spec.errors import WebserviceException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.common_arguments import VerbResult


def reload(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Take the source directory again; the service answers without a gap."""
    service = Webservice(workspace, args.name)
    local_engine.allow_fork()
    with attach.warnings_as_lines():
        service.reload()
    return _wait(service, f"Reloaded {service.name}")


def restart(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Replace the service's processes; it answers without a gap."""
    service = Webservice(workspace, args.name)
    local_engine.allow_fork()
    with attach.warnings_as_lines():
        service.restart()
    return _wait(service, f"Restarted {service.name}")


def start(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Start a service that was stopped, or that failed."""
    service = Webservice(workspace, args.name)
    local_engine.allow_fork()
    with attach.warnings_as_lines():
        is_new = service.start()
    if not is_new:
        return view.record_of(service), f"{service.name} is already running"
    return _wait(service, f"Started {service.name}")


def stop(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Stop services; they finish the requests that they have accepted."""
    services = [Webservice(workspace, name) for name in dict.fromkeys(args.names)]
    for service in services:
        with spinner.show_status(f"Stopping {service.name}"):
            service.stop()
    records = [view.record_of(service) for service in services]
    return {"services": records}, "\n".join(f"Stopped {service.name}" for service in services)


def remove(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Stop and remove services; their runs remain."""
    names = list(dict.fromkeys(args.names))
    for name in names:
        registry.require(workspace, name)
    for name in names:
        with spinner.show_status(f"Stopping {name}"):
            rollout.remove(workspace, name)
    return {"removed": names}, "\n".join(f"Removed {name}" for name in names)


def _wait(service: Webservice, text: str) -> VerbResult:
    """Wait until it answers. If it fails, raises WebserviceException; the old one then answers.

    Ctrl-C ends only the wait.
    """
    run_id = service.newest_run.id
    try:
        with spinner.show_status(f"Waiting for service {service.name}"):
            service.wait_for_deployment()
    except KeyboardInterrupt:
        cli_errors.say(f"The new run of service {service.name!r} keeps starting.")
        cli_errors.say(f"  To see whether it answers:  scriptrun service show {service.name}")
        raise
    except WebserviceException as error:
        follow.say_what_answers(service, run_id)
        error.exit_code = 1
        raise
    return view.record_of(service), f"{text}: {service.scoring_uri}"

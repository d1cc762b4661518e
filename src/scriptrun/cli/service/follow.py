"""Follow a service that starts: until it answers, or until it ends."""

from __future__ import annotations

import time

from scriptrun.cli import errors as cli_errors
from scriptrun.cli.service import view
from scriptrun.cli.terminal import attach, output, spinner
from scriptrun.runs import details
from scriptrun.services import status
from scriptrun.services.webservice import Webservice
from scriptrun.spec.errors import WebserviceException

#: seconds between questions whether the service answers
_POLL_SECONDS = 0.1


class ServiceLogWriter(attach.LogWriter):
    """Writes a service's log; says once where it answers."""

    end_words = "stop the service"

    def __init__(self, service: Webservice) -> None:
        super().__init__(service.newest_run)
        self._service = service
        self._is_ready = False
        self._asked = float("-inf")

    def next_steps(self) -> str:
        """What to do with the service that is left running."""
        return next_steps(self._service.name)

    def pause(self, seconds: float) -> None:
        """Sleep; first ask whether the service answers, until it does."""
        if not self._is_ready and time.monotonic() - self._asked >= _POLL_SECONDS:
            self._asked = time.monotonic()
            if self._service.health.state == status.HEALTHY:
                self._is_ready = True
                self.end_line()
                cli_errors.say(ready_text(self._service))
        super().pause(seconds if self._is_ready else min(seconds, _POLL_SECONDS))


def next_steps(name: str) -> str:
    """What to do with a service that is left running."""
    return (
        f"Service {name!r} keeps running.\n"
        f"  To follow its log:  scriptrun service logs {name} -f\n"
        f"  To stop it:         scriptrun service stop {name}"
    )


def ready_text(service: Webservice) -> str:
    """Where the service answers, and how to ask it."""
    lines = [f"Service {service.name!r} answers at {service.scoring_uri}"]
    key = ' -H "Authorization: Bearer $KEY"' if service.auth_enabled else ""
    if key:
        lines.append(f"  KEY=$(scriptrun service keys {service.name} --primary)")
    lines.append(f"  curl{key} --json @sample.json {service.scoring_uri}")
    return "\n".join(lines)


def follow(service: Webservice) -> int:
    """Stream the service's log until it ends; return the exit code."""
    run = service.newest_run
    cli_errors.say(f"Starting service {service.name!r}: run {details.title(run)}")
    code = attach.stream(run, writer=ServiceLogWriter(service))
    say_what_answers(service, run.id)
    return code


def say_what_answers(service: Webservice, run_id: str) -> None:
    """Say that the old run keeps answering, if the one that was to replace it has failed."""
    try:
        failure = service.failure
    except WebserviceException:
        return  # it was removed meanwhile
    if failure is not None and failure.get("run") == run_id:
        cli_errors.say(f"Service {service.name!r} keeps answering as before: nothing was replaced.")


def wait(service: Webservice, as_json: bool) -> int:
    """Wait until the service answers; print where. Raises WebserviceException if it fails.

    Ctrl-C ends only the wait.
    """
    try:
        with spinner.show_status(f"Waiting for service {service.name}"):
            service.wait_for_deployment()
    except KeyboardInterrupt:
        cli_errors.say(next_steps(service.name))
        return cli_errors.INTERRUPTED
    except WebserviceException as error:
        error.exit_code = 1
        raise
    if as_json:
        output.print_json(view.record_of(service))
    else:
        print(ready_text(service))
    return 0

"""Which server answers: uvicorn where the model's environment has it, else the standard one."""

import sys

from scriptrun.runtime.serving.http import server

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Mapping, Protocol

    from scriptrun.runtime.serving.http.access_log import AccessLog
    from scriptrun.runtime.serving.service import Service

    class Server(Protocol):
        """What answers the requests of a worker; ``name`` is in the state of its service."""

        name: str

        def serve(self) -> None:
            """Answer requests until stopped, and what has been accepted by then."""


#: the variable that chooses: STANDARD or UVICORN
VARIABLE = "SCRIPTRUN_SERVER"
STANDARD, UVICORN = server.NAME, "uvicorn"


def choose(
    listener: "socket.socket",
    service: "Service",
    log: "AccessLog",
    control: "server.Control",
    environ: "Mapping[str, str]",
) -> "Server":
    """A server of ``service``, ready to serve on ``listener``.

    Uvicorn's if it is installed, and neither broken nor too old; the log says if it is.
    """
    wanted = environ.get(VARIABLE, "")
    if wanted not in ("", STANDARD, UVICORN):
        text = "{} must be {} or {}, not {!r}; it is ignored"
        _say(text.format(VARIABLE, STANDARD, UVICORN, wanted))
    if wanted != STANDARD and (wanted == UVICORN or _is_installed()):
        try:
            from scriptrun.runtime.serving.http import uvicorn_server

            return uvicorn_server.UvicornServer(listener, service, log, control)
        except Exception as problem:  # whatever is wrong with it, the service starts
            text = "uvicorn cannot be used ({}); the standard server answers"
            _say(text.format(problem))
    return server.HttpServer(listener, service, log, control)


def _is_installed() -> bool:
    from importlib import util

    return UVICORN in sys.modules or util.find_spec(UVICORN) is not None


def _say(sentence: str) -> None:
    sys.stderr.write("warning: {}\n".format(sentence))
    sys.stderr.flush()

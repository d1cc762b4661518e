"""Which server a worker uses: uvicorn where the model's environment has it, else the own one."""

import os

from scriptrun.runtime.serving import stdlib_server

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Union

    from scriptrun.runtime.serving.access_log import AccessLog
    from scriptrun.runtime.serving.service import Service
    from scriptrun.runtime.serving.stdlib_server import StdlibServer
    from scriptrun.runtime.serving.worker import WorkerControl

    Server = StdlibServer

#: chooses the server, for tests
VARIABLE = "SCRIPTRUN_SERVER"


def create(
    listener: "socket.socket", service: "Service", log: "AccessLog", control: "WorkerControl"
) -> "Server":
    """The server for ``service``."""
    return stdlib_server.StdlibServer(listener, service, log, control)


def name_of(server: "Server") -> str:
    """The name that the service's state reports."""
    return stdlib_server.NAME

"""The state of a service, as its server reports it: ``service_state.json`` in the run's folder.

The server replaces the file whenever it changes; everybody else only reads it. What it says holds
only while the run is running: after a crash the file is out of date, and the run's state decides.
"""

import os

from scriptrun.runtime import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from scriptrun.runtime.hints import Json

FILE = "service_state.json"
#: loading the models; answering requests; too few workers, some being replaced; told to stop, and
#: answering what it has accepted; ended, for the reason that it gives
STARTING, HEALTHY, UNHEALTHY, STOPPING = "starting", "healthy", "unhealthy", "stopping"
FAILED = "failed"
#: hosts that stand for all addresses of a machine
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104


def write(folder: str, state: str, **facts: object) -> None:
    """Report ``state``, with facts.

    ``host`` and ``port`` (where it listens), ``pid``, ``node`` (the machine's host name),
    ``workers`` (how many answer), ``restarts`` (so far), ``server`` (its name),
    ``since`` (ISO 8601, UTC), ``reason`` (why it is not healthy, or has failed).
    """
    content = files.to_json(dict(facts, state=state, schema=1))
    files.write_atomic(os.path.join(folder, FILE), content, durable=False)


def read(folder: str) -> "Optional[Json]":
    """What the server last reported, or None."""
    return files.read_object(os.path.join(folder, FILE))


def url(host: str, port: int) -> str:
    """The address of a server's root, without a slash at the end."""
    return "http://{}:{}".format("[{}]".format(host) if ":" in host else host, port)

"""Reserve free ports, coordinated between the jobs of this machine (Python 3.8+)."""

import errno
import random
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


#: below the ephemeral ports, so that no outgoing connection takes one meanwhile
FIRST, LAST = 20000, 32000

#: open sockets that mark the ports reserved by this process
_markers: "list[socket.socket]" = []


def reserve(count: int = 1, preferred: "int | None" = None) -> "list[int]":
    """Reserve ``count`` free ports, starting with ``preferred`` if it is free.

    Other launchers on this machine skip them until this process ends. They are not bound: the job
    binds them.
    """
    ports: "list[int]" = []
    for port in _candidates(preferred):
        if len(ports) == count:
            return ports
        if _try_reserve(port):
            ports.append(port)
    raise OSError(
        "cannot find {} free ports between {} and {} on this machine".format(count, FIRST, LAST)
    )


def _candidates(preferred: "int | None") -> "Iterator[int]":
    if preferred:
        yield preferred
    yield from random.SystemRandom().sample(range(FIRST, LAST), 2000)


def _try_reserve(port: int) -> bool:
    """Reserve ``port``; False if it is taken.

    The reservation is an abstract socket (Linux), which vanishes with this process and is in the
    same network namespace as the port.
    """
    marker = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_PASSCRED"):  # Linux
            marker.bind("\0scriptrun-port-{}".format(port))
    except OSError:
        marker.close()
        return False
    if not _is_free(port):
        marker.close()
        return False
    _markers.append(marker)
    return True


def _is_free(port: int) -> bool:
    for family, address in ((socket.AF_INET, ""), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address, port))
        except OSError as error:
            if family == socket.AF_INET6 and error.errno != errno.EADDRINUSE:
                continue  # a system without IPv6
            return False
    return True

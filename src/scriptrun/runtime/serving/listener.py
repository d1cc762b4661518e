"""The socket that a service listens on."""

import errno
import socket
import struct
import sys

from scriptrun.runtime.serving.errors import ServiceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.serving.order import ServiceOrder

#: connections that wait until a worker accepts them
BACKLOG = 1024
#: whether a socket can share its port after it was bound, which refuses a port in use
_SHARES_LATER = sys.platform.startswith("linux")
#: of Linux: the socket option SO_ATTACH_REUSEPORT_CBPF, and the instruction BPF_RET | BPF_K
_ATTACH_FILTER, _BPF_RETURN = 51, 0x06


def open_listener(order: "ServiceOrder") -> "socket.socket":
    """Bind the address of ``order``, and listen.

    A service that replaces another shares its port, and listens only when its workers are ready:
    until then the other one gets all connections. Raises ServiceError, with a sentence.
    """
    family, address = _resolve(order)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if order.replaces:
            _share(listener)
        elif not _SHARES_LATER:
            _check_free(family, address)
            _share(listener)
        listener.bind(address)
        if not order.replaces:
            listener.listen(BACKLOG)
            _share(listener)  # from now on with the service that replaces this one
    except OSError as problem:
        listener.close()
        raise ServiceError(_explain(order, problem)) from None
    return listener


def begin_listening(listener: "socket.socket", order: "ServiceOrder") -> None:
    """Listen, now that requests can be answered; from a replaced service, take all new clients."""
    listener.listen(BACKLOG)
    if order.replaces:
        try:
            _take_all(listener)
        except (OSError, ImportError):
            pass  # both get clients until the other one stops


def _take_all(listener: "socket.socket") -> None:
    """Let the system give new connections to the second of two sockets on this port (Linux).

    Those that wait for the first one when it stops, it still accepts, so that none is lost.
    """
    import ctypes

    instruction = ctypes.create_string_buffer(struct.pack("HBBI", _BPF_RETURN, 0, 0, 1))
    program = struct.pack("@HP", 1, ctypes.addressof(instruction))
    listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)


def _resolve(order: "ServiceOrder") -> "tuple[int, tuple[object, ...]]":
    try:
        found = socket.getaddrinfo(
            order.host or None, order.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as problem:
        text = "The host {!r} is unknown ({}): use 127.0.0.1, 0.0.0.0 or a name of this machine."
        raise ServiceError(text.format(order.host, problem)) from None
    return found[0][0], found[0][4]


def _check_free(family: int, address: "tuple[object, ...]") -> None:
    """Raise OSError if somebody listens on ``address``, whether or not they share it."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


def _share(listener: "socket.socket") -> None:
    if hasattr(socket, "SO_REUSEPORT"):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def _explain(order: "ServiceOrder", problem: OSError) -> str:
    if problem.errno == errno.EADDRINUSE:
        text = "Port {} on {} is in use: stop what listens there, or choose another port."
        return text.format(order.port, order.host)
    if problem.errno in (errno.EACCES, errno.EPERM):
        text = "Port {} is reserved for the administrator: choose one above 1023."
        return text.format(order.port)
    if problem.errno == errno.EADDRNOTAVAIL:
        text = "The host {!r} is not an address of this machine: use 127.0.0.1 or 0.0.0.0."
        return text.format(order.host)
    return "Cannot listen on {} port {}: {}.".format(order.host, order.port, problem.strerror)

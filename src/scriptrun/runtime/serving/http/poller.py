"""Wait for sockets: epoll on Linux, poll elsewhere, with one interface."""

import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Tuple

READ, WRITE = select.POLLIN, select.POLLOUT
BROKEN = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Poller:
    """Descriptors and what is awaited of them. Registers with numbers as poll(2) has them."""

    def __init__(self) -> None:
        self._is_epoll = hasattr(select, "epoll")
        self._object = select.epoll() if self._is_epoll else select.poll()
        self.register, self.modify = self._object.register, self._object.modify
        self.unregister = self._object.unregister

    def register_shared(self, descriptor: int) -> None:
        """Await connections on a socket that other processes await too: one of them wakes up."""
        exclusive = getattr(select, "EPOLLEXCLUSIVE", 0) if self._is_epoll else 0
        try:
            self.register(descriptor, READ | exclusive)
        except OSError:  # an old kernel
            self.register(descriptor, READ)

    def poll(self, seconds: "Optional[float]") -> "List[Tuple[int, int]]":
        """The descriptors that are ready, with what they are ready for; waits up to ``seconds``."""
        if self._is_epoll:
            return self._object.poll(-1 if seconds is None else seconds)
        return self._object.poll(None if seconds is None else int(seconds * 1000))

    def close(self) -> None:
        """Give the system's resources back."""
        close = getattr(self._object, "close", None)
        if close is not None:
            close()

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
        self.modify = self._object.modify
        #: needs no descriptor of its own, of which there may be none left
        self._other = select.poll()

    def register(self, descriptor: int, events: int) -> None:
        """Await ``events``, whether or not something has been awaited before."""
        try:
            self._object.register(descriptor, events)
        except FileExistsError:
            self._object.modify(descriptor, events)

    def unregister(self, descriptor: int) -> None:
        """Await nothing any more; nothing happens if nothing has been awaited."""
        try:
            self._object.unregister(descriptor)
        except (OSError, KeyError, ValueError):
            pass

    def is_readable(self, descriptor: int) -> bool:
        """Whether ``descriptor`` is readable now, awaited or not."""
        self._other.register(descriptor, READ)
        try:
            return bool(self._other.poll(0))
        finally:
            self._other.unregister(descriptor)

    def register_shared(self, descriptor: int) -> None:
        """Await connections on a socket that other processes await too: one of them wakes up."""
        exclusive = getattr(select, "EPOLLEXCLUSIVE", 0) if self._is_epoll else 0
        self.unregister(descriptor)  # what is exclusive cannot be changed
        try:
            self._object.register(descriptor, READ | exclusive)
        except OSError:  # an old kernel
            self.register(descriptor, READ)

    def poll(self, seconds: "Optional[float]") -> "List[Tuple[int, int]]":
        """The descriptors that are ready, with what they are ready for; waits up to ``seconds``."""
        if self._is_epoll:
            return self._object.poll(-1 if seconds is None else seconds)
        return self._object.poll(None if seconds is None else int(seconds * 1000))

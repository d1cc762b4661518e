"""How a node and an attempt ended, published so that the first word stands (Python 3.8+)."""

import errno
import os
import time

from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.events import EventWriter
    from scriptrun.runtime.hints import Json


COMPLETED, FAILED, CANCELED = "Completed", "Failed", "Canceled"
#: freed just before the result is written, so that a full disk cannot keep it from being told
_RESERVE = 32768
#: of which so much is given back, each time, where there is no room for a node's end before that
_SHARE = 8192


def attempt_folder(folder: str, attempt: int) -> str:
    """The folder of one attempt of the run at ``folder``."""
    return os.path.join(folder, "attempts", str(attempt))


def reserve(folder: str, attempt: int) -> None:
    """Keep room on the disk for the attempt's result."""
    with open(_reserve_path(folder, attempt), "wb") as handle:
        handle.write(b"\0" * _RESERVE)


def release(folder: str, attempt: int) -> None:
    """Give the room back; done just before the result is written."""
    try:
        os.unlink(_reserve_path(folder, attempt))
    except OSError:
        pass


def _give_back_some(folder: str, attempt: int) -> None:
    """Give a part of the room back, and keep half of it for the result."""
    path = _reserve_path(folder, attempt)
    try:
        left = os.path.getsize(path) - _SHARE
        if left >= _RESERVE // 2:
            os.truncate(path, left)
    except OSError:
        pass  # it has been given back


def _reserve_path(folder: str, attempt: int) -> str:
    return os.path.join(attempt_folder(folder, attempt), "reserve")


def result(
    state: str,
    reason: str = "",
    exit_code: "int | None" = None,
    signal: "str | None" = None,
    began: "float | None" = None,
    ended: "float | None" = None,
    **more: object,
) -> "Json":
    """A result as a JSON value (docs/explanation/formats.md, Results)."""
    value: "Json" = {}
    value.update(state=state, reason=reason, exit_code=exit_code, signal=signal)
    value.update(began=began, ended=time.time() if ended is None else ended, **more)
    return value


def publish_node(folder: str, attempt: int, node: int, value: "Json") -> bool:
    """Write how node ``node`` ended, unless that is known already."""
    path = os.path.join(attempt_folder(folder, attempt), "node-{}.json".format(node))
    value = dict(_with_reason(folder, value), attempt=attempt, node=node)
    return files.publish(path, files.to_json(value))


def publish(folder: str, attempt: int, value: "Json") -> bool:
    """Write how the attempt ended; False when it was known already (the first word stands)."""
    path = os.path.join(attempt_folder(folder, attempt), "result.json")
    return files.publish(path, files.to_json(dict(_with_reason(folder, value), attempt=attempt)))


def _with_reason(folder: str, value: "Json") -> "Json":
    """Whoever asked a run to end may have said why (the driver of a sweep does)."""
    if value["state"] != CANCELED:
        return value
    asked = files.read_json(os.path.join(folder, "cancel.json"))
    reason = asked.get("reason") if isinstance(asked, dict) else None
    return dict(value, reason=reason) if reason else value


def publish_surely(
    folder: str,
    attempt: int,
    value: "Json",
    events: "EventWriter",
    seconds: float = 60.0,
    last: bool = True,
) -> None:
    """As ``publish``, trying again for ``seconds`` while the disk is full.

    Publishes the node's end as well; that alone where it is not the ``last`` word.
    """
    if last or value.get("node"):
        release(folder, attempt)
    deadline = time.monotonic() + seconds
    while True:
        try:
            publish_node(folder, attempt, value.get("node", 0), value)
            if last and not publish(folder, attempt, value):
                events.write("late", message="received a second result: " + value["state"])
            return
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or time.monotonic() > deadline:
                raise
            _give_back_some(folder, attempt)
            time.sleep(0.2)

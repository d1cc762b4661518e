"""Publish the results of nodes and attempts; the first result wins (Python 3.8+)."""

import errno
import os
import time

from . import durability, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.events import EventWriter
    from scriptrun.runtime.hints import Json


COMPLETED, FAILED, CANCELED = "Completed", "Failed", "Canceled"
#: bytes reserved for the result, and freed just before it is written, in case the disk is full
_RESERVE = 32768
#: bytes freed of it at a time if there is no room for a node's result before that
_SHARE = 8192


def attempt_folder(folder: str, attempt: int) -> str:
    """The folder of one attempt of the run at ``folder``."""
    return os.path.join(folder, "attempts", str(attempt))


def reserve(folder: str, attempt: int) -> None:
    """Reserve disk space for the attempt's result."""
    with open(_reserve_path(folder, attempt), "wb") as handle:
        handle.write(b"\0" * _RESERVE)


def release(folder: str, attempt: int) -> None:
    """Free the reserved space, just before the result is written."""
    try:
        os.unlink(_reserve_path(folder, attempt))
    except OSError:
        pass


def _release_share(folder: str, attempt: int) -> None:
    """Free part of the reserved space, but keep half of it for the result."""
    path = _reserve_path(folder, attempt)
    try:
        remaining = os.path.getsize(path) - _SHARE
        if remaining >= _RESERVE // 2:
            os.truncate(path, remaining)
    except OSError:
        pass  # already freed


def _reserve_path(folder: str, attempt: int) -> str:
    return os.path.join(attempt_folder(folder, attempt), "reserve")


def result(
    state: str,
    reason: str = "",
    exit_code: "int | None" = None,
    signal: "str | None" = None,
    began: "float | None" = None,
    ended: "float | None" = None,
    **extra: object,
) -> "Json":
    """A result as a JSON value (docs/explanation/formats.md, Results)."""
    value: "Json" = {}
    value.update(state=state, reason=reason, exit_code=exit_code, signal=signal)
    value.update(began=began, ended=time.time() if ended is None else ended, **extra)
    return value


def publish_node(folder: str, attempt: int, node: int, value: "Json", durable: bool = True) -> bool:
    """Write the result of ``node``, unless it has one already."""
    path = os.path.join(attempt_folder(folder, attempt), "node-{}.json".format(node))
    value = dict(_with_reason(folder, value), attempt=attempt, node=node)
    return _publish(path, value, durable)


def publish(folder: str, attempt: int, value: "Json") -> bool:
    """Write the attempt's result; False if it has one already, which then stays."""
    path = os.path.join(attempt_folder(folder, attempt), "result.json")
    return _publish(path, dict(_with_reason(folder, value), attempt=attempt))


def _publish(path: str, value: "Json", durable: bool = True) -> bool:
    """Write a result unless there is one; an empty file, left by a power cut, is none."""
    data = files.to_json(value)
    if files.publish(path, data, durable=durable):
        return True
    if os.path.getsize(path):
        return False
    files.write_atomic(path, data, durable=durable)
    return True


def _with_reason(folder: str, value: "Json") -> "Json":
    """Add the reason of a cancellation request, e.g. that of a sweep's driver."""
    if value["state"] != CANCELED:
        return value
    request = files.read_json(os.path.join(folder, "cancel.json"))
    reason = request.get("reason") if isinstance(request, dict) else None
    return dict(value, reason=reason) if reason else value


def publish_with_retry(
    folder: str,
    attempt: int,
    value: "Json",
    events: "EventWriter",
    seconds: float = 60.0,
    is_final: bool = True,
) -> None:
    """Publish the node's and the attempt's result, retrying for ``seconds`` on a full disk.

    Without ``is_final``, publish only the node's.
    """
    if is_final or value.get("node"):
        release(folder, attempt)
    deadline = time.monotonic() + seconds
    while True:
        try:
            publish_node(folder, attempt, value.get("node", 0), value, durable=not is_final)
            if is_final:  # all that the run has written precedes its state
                durability.sync_tree(folder)
            if is_final and not publish(folder, attempt, value):
                events.write("late", message="received a second result: " + value["state"])
            return
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or time.monotonic() > deadline:
                raise
            _release_share(folder, attempt)
            time.sleep(0.2)

"""Publish the results of nodes and attempts; the first result wins (Python 3.8+)."""

import errno
import os
import time

from . import durability, events, files

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


def read(folder: str, attempt: int) -> "Json | None":
    """The attempt's result; None while there is none, or none that can be read."""
    return read_at(_result_path(folder, attempt))


def is_damaged(folder: str, attempt: int) -> bool:
    """Whether the attempt has a result that cannot be read."""
    path = _result_path(folder, attempt)
    return os.path.lexists(path) and read_at(path) is None


def of_nodes(folder: str, attempt: int) -> "Json | None":
    """The result that those of the attempt's nodes amount to; None unless each has one."""
    path = attempt_folder(folder, attempt)
    names = [n for n in files.names_in(path) if n.startswith("node-") and n.endswith(".start.json")]
    values = [read_at(os.path.join(path, name[: -len(".start.json")] + ".json")) for name in names]
    known = [value for value in values if value is not None]
    if not known or len(known) < len(names):
        return None
    not_completed = [value for value in known if value["state"] != COMPLETED]
    return min(not_completed or known, key=lambda value: value.get("ended") or 0.0)


def read_at(path: str) -> "Json | None":
    """The result in the file ``path``; None if there is none, or none that can be read."""
    value = files.read_object(path)
    return value if value is not None and _is_result(value) else None


def _is_result(value: "Json") -> bool:
    """Whether the fields that readers rely on have their types."""
    if value.get("state") not in (COMPLETED, FAILED, CANCELED):
        return False
    texts, times = ("reason", "signal", "log"), ("began", "ended")
    numbers = [value.get("exit_code"), *(value.get(name) for name in times)]
    return (
        all(isinstance(value.get(name), (str, type(None))) for name in texts)
        and all(isinstance(each, (int, float, type(None))) for each in numbers)
        and all(abs(each) < events.END_OF_TIME for each in numbers if each is not None)
        and isinstance(value.get("tail"), (list, type(None)))
    )


def _result_path(folder: str, attempt: int) -> str:
    return os.path.join(attempt_folder(folder, attempt), "result.json")


def _publish(path: str, value: "Json", durable: bool = True) -> bool:
    """Write a result; False if there is one already. One that cannot be read is put aside."""
    data = files.to_json(value)
    if files.publish(path, data, durable=durable, may_be_empty=True):
        return True
    if read_at(path) is not None:
        return False
    _put_aside(path)
    return files.publish(path, data, durable=durable)


def _put_aside(path: str) -> None:
    """Rename a result that cannot be read; one that another process has put there stays."""
    aside = "{}.damaged-{}".format(path, files.unique(8))
    try:
        os.rename(path, aside)
        if read_at(aside) is not None:
            os.link(aside, path)
            os.unlink(aside)
    except (FileNotFoundError, FileExistsError):
        pass


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
    return _publish(
        _result_path(folder, attempt), dict(_with_reason(folder, value), attempt=attempt)
    )


def _with_reason(folder: str, value: "Json") -> "Json":
    """Add the reason of a cancellation request, e.g. that of a sweep's driver."""
    if value["state"] != CANCELED:
        return value
    request = files.read_object(os.path.join(folder, "cancel.json")) or {}
    reason = request.get("reason")
    return dict(value, reason=reason) if reason and isinstance(reason, str) else value


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

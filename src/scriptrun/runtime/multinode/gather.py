"""The end of a job on several nodes: each publishes its result, and node 0 merges them."""

import filecmp
import os
import shutil

from .. import results
from ..launcher import collect
from .peers import LATE, Peers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriptrun.runtime.events import EventWriter
    from scriptrun.runtime.hints import Json, Usage
    from scriptrun.runtime.order import LaunchOrder


#: seconds, in addition to the grace period, that node 0 waits for others after its own failure
PATIENCE = 30.0


def end_node(order: "LaunchOrder", value: "Json", log: "EventWriter") -> None:
    """Publish this node's result; its artifacts stay in its working directory for node 0."""
    work = collect.place(order.folder, order.node)
    try:
        _keep_artifacts(work)
    except OSError as error:  # a full disk must not prevent the result
        message = "cannot store the artifacts of node {}: {}"
        value["reason"] = value["reason"] or message.format(order.node, error.strerror)
    results.publish_surely(order.folder, order.attempt, value, log, last=False)


def end(
    job: "Json", order: "LaunchOrder", value: "Json", log: "EventWriter", alone: bool = False
) -> "Json":
    """On node 0: publish its result, wait for the others, and return the run's result.

    ``alone``: the other nodes were never started.
    """
    results.publish_surely(order.folder, order.attempt, value, log, last=False)
    peers = Peers(order)
    failed = value["state"] != results.COMPLETED
    if not alone:
        peers.wait(job.get("grace_seconds", 10.0) + PATIENCE if failed else None)
    found = dict(peers.ended)
    found[0] = value
    for node, why in peers.lost.items():
        lost = results.result(results.FAILED, why)
        found[node] = dict(lost, cause={"t": lost["ended"] - LATE, "reason": why})
    return whole(found, value)


def whole(found: "dict[int, Json]", first: "Json") -> "Json":
    """Merge the results by node, ``found``, into the run's; ``first`` is node 0's."""
    value = dict(first)
    causes = [each["cause"] for _, each in sorted(found.items()) if each.get("cause")]
    canceled = [each for each in found.values() if each["state"] == results.CANCELED]
    if canceled:
        value.update(state=results.CANCELED, reason=canceled[0]["reason"])
    elif causes:
        cause = min(causes, key=lambda each: each["t"])
        value.update(state=results.FAILED, exit_code=None, signal=None)
        value.update({name: each for name, each in cause.items() if name != "t"})
    else:
        failed = [each for each in found.values() if each["state"] == results.FAILED]
        value.update(failed[0] if failed else {})
    value["usage"] = _usage([each["usage"] for each in found.values() if each.get("usage")])
    value["cause"] = {}
    return value


def _usage(listed: "list[Usage]") -> "Usage":
    return {
        "user_seconds": round(sum(each["user_seconds"] for each in listed), 3),
        "system_seconds": round(sum(each["system_seconds"] for each in listed), 3),
        "peak_memory_kb": max([each["peak_memory_kb"] for each in listed], default=0),
    }


def gather(folder: str, log: "EventWriter | None" = None) -> None:
    """Merge the artifacts of the other nodes into the run's, and log a warning about collisions.

    Node by node: an existing file with other content stays, and the later node's goes below
    ``node-<k>/`` (``outputs/model.pt`` of node 1 becomes ``outputs/node-1/model.pt``).
    """
    collided = []
    for node in sorted(_nodes_left(folder)):
        work = collect.place(folder, node)
        for name in collect.KEPT:
            source = os.path.join(work, name)
            if os.path.isdir(source) and not os.path.islink(source):
                collided += _merge(source, os.path.join(folder, name), node)
        shutil.rmtree(work, ignore_errors=True)
    if collided and log is not None:
        names = ", ".join(os.path.relpath(place, folder) for place in collided)
        log.write("warning", message="several nodes wrote artifacts with the same name: " + names)


def _nodes_left(folder: str) -> "Iterator[int]":
    for name in os.listdir(folder):
        if name.startswith("work-node-") and name[10:].isdigit():
            yield int(name[10:])


def _merge(source: str, target: str, node: int) -> "list[str]":
    collided = []
    for above, folders, names in os.walk(source):
        inner = os.path.relpath(above, source)
        links = [name for name in folders if os.path.islink(os.path.join(above, name))]
        for name in names + links:
            path = os.path.join(above, name)
            place = os.path.normpath(os.path.join(target, inner, name))
            if os.path.lexists(place):
                if _same(path, place):
                    continue
                inside = os.path.normpath(os.path.join(inner, name))
                place = os.path.join(target, "node-{}".format(node), inside)
                collided.append(place)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.replace(path, place)
    return collided


def _same(path: str, place: str) -> bool:
    try:
        return os.path.isfile(place) and filecmp.cmp(path, place, shallow=False)
    except OSError:
        return False


def _keep_artifacts(work: str) -> None:
    """Reduce a node's working directory to its artifacts, in the run's folder."""
    collect.come_home(work)
    try:
        names = os.listdir(work)
    except OSError:
        return  # it was never created
    for name in names:
        path = os.path.join(work, name)
        if name in collect.KEPT:
            continue
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            _unlink(path)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def tail_of(path: str, count: int = 15, size: int = 8192) -> "list[str]":
    """The last lines of a log."""
    try:
        with open(path, "rb") as handle:
            handle.seek(0, os.SEEK_END)
            handle.seek(max(0, handle.tell() - size))
            return handle.read().decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        return []

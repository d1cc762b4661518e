"""The end of a job on several nodes: each publishes its result, and node 0 merges them."""

import filecmp
import itertools
import os
import shutil

from .. import files, results, source_files
from ..launcher import collect
from .peers import LOSS_DELAY, Peers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriptrun.runtime.events import EventWriter
    from scriptrun.runtime.hints import Json, Usage
    from scriptrun.runtime.order import LaunchOrder


#: seconds, in addition to the grace period, that node 0 waits for others after its own failure
WAIT_SECONDS = 30.0


def end_node(order: "LaunchOrder", value: "Json", log: "EventWriter") -> None:
    """Publish this node's result; its artifacts stay in its working directory for node 0."""
    work = collect.work_folder(order.folder, order.node)
    try:
        _keep_only_artifacts(work)
    except OSError as error:  # a full disk must not prevent the result
        message = "cannot store the artifacts of node {}: {}"
        value["reason"] = value["reason"] or message.format(order.node, error.strerror)
    results.publish_with_retry(order.folder, order.attempt, value, log, is_final=False)


def end(
    job: "Json", order: "LaunchOrder", value: "Json", log: "EventWriter", is_alone: bool = False
) -> "Json":
    """On node 0: publish its result, wait for the others, and return the run's result.

    ``is_alone``: the other nodes were never started.
    """
    results.publish_with_retry(order.folder, order.attempt, value, log, is_final=False)
    peers = Peers(order)
    failed = value["state"] != results.COMPLETED
    if not is_alone:
        peers.wait(job.get("grace_seconds", 10.0) + WAIT_SECONDS if failed else None)
    node_results = dict(peers.ended)
    node_results[0] = value
    for node, reason in peers.lost.items():
        lost_result = results.result(results.FAILED, reason)
        node_results[node] = dict(
            lost_result, cause={"t": lost_result["ended"] - LOSS_DELAY, "reason": reason}
        )
    return merge_results(node_results, value)


def merge_results(node_results: "dict[int, Json]", head_result: "Json") -> "Json":
    """Merge the results by node, ``node_results``, into the run's; ``head_result`` is node 0's."""
    value = dict(head_result)
    causes = [result["cause"] for _, result in sorted(node_results.items()) if result.get("cause")]
    canceled = [item for item in node_results.values() if item["state"] == results.CANCELED]
    if canceled:
        value.update(state=results.CANCELED, reason=canceled[0]["reason"])
    elif causes:
        cause = min(causes, key=lambda candidate: candidate["t"])
        value.update(state=results.FAILED, exit_code=None, signal=None)
        value.update({name: field for name, field in cause.items() if name != "t"})
    else:
        failed = [
            node_result
            for node_result in node_results.values()
            if node_result["state"] == results.FAILED
        ]
        value.update(failed[0] if failed else {})
    value["usage"] = _total_usage(
        [entry["usage"] for entry in node_results.values() if entry.get("usage")]
    )
    value["cause"] = {}
    return value


def _total_usage(usages: "list[Usage]") -> "Usage":
    return {
        "user_seconds": round(sum(usage["user_seconds"] for usage in usages), 3),
        "system_seconds": round(sum(item["system_seconds"] for item in usages), 3),
        "peak_memory_kb": max([entry["peak_memory_kb"] for entry in usages], default=0),
    }


def gather(folder: str, log: "EventWriter | None" = None) -> None:
    """Merge the artifacts of the other nodes into the run's, and log a warning about collisions.

    Node by node: an existing file with other content stays, and the later node's goes below
    ``node-<k>/`` (``outputs/model.pt`` of node 1 becomes ``outputs/node-1/model.pt``), or where
    that is taken too, below ``node-<k>.2/`` and so on. Links to folders are not followed. What
    cannot be moved stays in the node's working directory.
    """
    collisions, left = [], []
    for node in sorted(_other_nodes(folder)):
        work = collect.work_folder(folder, node)
        _make_way(folder, work)
        for name in collect.ARTIFACT_FOLDERS:
            source = os.path.join(work, name)
            if os.path.isdir(source) and not os.path.islink(source):
                moved, failed = _merge(source, os.path.join(folder, name), node)
                collisions += moved
                left += failed
        if not any(path.startswith(os.path.join(work, "")) for path in left):
            shutil.rmtree(work, ignore_errors=True)
            source_files.forget(work)
    for message, paths in (
        ("several nodes wrote artifacts with the same name: ", collisions),
        ("these artifacts could not be moved to those of the run: ", left),
    ):
        if paths and log is not None:
            names = ", ".join(os.path.relpath(path, folder) for path in paths)
            log.write("warning", message=message + names)


def _make_way(folder: str, work: str) -> None:
    """Remove files of the source that node 0 left as they were and this node has written."""
    marked = source_files.marked(folder)
    written = marked & collect.artifact_names(work) if marked else set()
    for name in written:
        files.unlink_quietly(os.path.join(folder, name))
    if written:
        source_files.mark(folder, marked - written)


def _other_nodes(folder: str) -> "Iterator[int]":
    for name in os.listdir(folder):
        if name.startswith("work-node-") and name[10:].isdigit():
            yield int(name[10:])


def _merge(source: str, target: str, node: int) -> "tuple[list[str], list[str]]":
    """Move what is below ``source``; return where collisions went, and what could not be moved."""
    collisions, left = [], []
    for folder, folders, names in os.walk(source):
        relative = os.path.relpath(folder, source)
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in names + links:
            path = os.path.join(folder, name)
            relative_path = os.path.normpath(os.path.join(relative, name))
            destination, is_aside = _destination(path, target, relative_path, node)
            if not destination:
                continue
            try:
                os.makedirs(os.path.dirname(destination), exist_ok=True)
                os.replace(path, destination)
            except OSError:
                left.append(path)
                continue
            if is_aside:
                collisions.append(destination)
    return collisions, left


def _destination(path: str, target: str, relative_path: str, node: int) -> "tuple[str, bool]":
    """Where ``path`` goes below ``target``, and whether that is aside; "" if it is there already.

    Nothing that exists is replaced, and no link is followed.
    """
    for number in itertools.count():
        suffix = ".{}".format(number) if number > 1 else ""
        aside = "node-{}{}".format(node, suffix) if number else ""
        destination = os.path.normpath(os.path.join(target, aside, relative_path))
        if _is_blocked(target, destination):
            continue
        if not os.path.lexists(destination):
            return destination, bool(aside)
        if _same(path, destination):
            return "", False
    raise AssertionError("unreachable")


def _is_blocked(target: str, destination: str) -> bool:
    """Whether a file or a link is where ``destination`` needs a folder."""
    folder = os.path.dirname(destination)
    while len(folder) > len(target):
        if os.path.islink(folder) or (os.path.lexists(folder) and not os.path.isdir(folder)):
            return True
        folder = os.path.dirname(folder)
    return False


def _same(path: str, other: str) -> bool:
    try:
        if os.path.islink(path) or os.path.islink(other):
            return os.readlink(path) == os.readlink(other)
        return os.path.isfile(other) and filecmp.cmp(path, other, shallow=False)
    except OSError:
        return False


def _keep_only_artifacts(work: str) -> None:
    """Reduce a node's working directory to its artifacts, in the run's folder."""
    collect.move_from_scratch(work)
    try:
        names = os.listdir(work)
    except OSError:
        return  # it was never created
    for name in names:
        path = os.path.join(work, name)
        if name in collect.ARTIFACT_FOLDERS:
            continue
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            files.unlink_quietly(path)

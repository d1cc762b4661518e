"""What a job needs on a node that shares no files with the workspace.

Its root there is laid out like a workspace: the run's folder with its job.json, the parts of its
snapshot, the runtime that travels with jobs, and what its data needs. The launcher, and scriptrun's
helper for data, then work there as they do anywhere.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Container
from pathlib import Path, PurePosixPath

from scriptrun.engines.base import Order
from scriptrun.runtime.order import LaunchOrder
from scriptrun.spec.job import JobSpec
from scriptrun.store.snapshots import bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    #: names below the node's root, and the content: a file of this machine, or its content
    Parts = dict[str, Path | bytes]


def parts(job: JobSpec, order: Order) -> Parts:
    """All that the job needs there, its job.json last: with that the run is complete."""
    directory = order.store.parent
    found: dict[str, Path | bytes] = {}
    wanted = [directory / "workspace.json"]
    if job.snapshot:
        wanted += [order.store / name for name in bundle.parts(order.store, job.snapshot)]
    wanted += sorted(order.runtime.rglob("*.py"))
    for name, content in order.data.items():
        found[_below(order, directory / name)] = content
    settings = (path for path in order.folder.glob("*.json") if not path.name.startswith("."))
    wanted += sorted(settings, key=lambda path: (path.name == "job.json", path.name))
    found.update({_below(order, path): path for path in wanted})
    return found


def pack(stream: IO[bytes], staged: Parts, known: Container[str] = ()) -> None:
    """Write ``staged`` to ``stream`` as a tar, but for what the node has (``known``)."""
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for name, part in staged.items():
            if name in known:
                continue
            if isinstance(part, Path):
                tar.add(part, name, recursive=False)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(part)
            tar.addfile(member, io.BytesIO(part))


def unpack(stream: IO[bytes], root: str | os.PathLike[str]) -> None:
    """Lay out what ``pack`` wrote below ``root``; each file is complete or absent.

    Raises ForeignNameRefused for a name that leads out of ``root``, and SnapshotException for
    what is not a file.
    """
    for name, handle in bundle.members(stream):
        bundle.store_part(Path(root), name, handle)


def launch_order(job: JobSpec, order: Order, root: str | os.PathLike[str]) -> LaunchOrder:
    """The order of the launcher on the node, with the paths below its ``root``.

    It has no ticket and wakes no queue: both lie where the job was submitted. Use ``replace`` for
    what the engine knows better, such as the node's interpreter, its number or its GPUs.
    """

    def there(path: Path) -> str:
        return str(PurePosixPath(os.fspath(root), _below(order, path)))

    return LaunchOrder(
        folder=there(order.folder),
        workspace=os.fspath(root),
        store=there(order.store),
        runtime=there(order.runtime),
        attempt=order.attempt,
        nodes=job.distribution.nodes,
        python=order.python,
        bin=order.bin,
        prefix=order.prefix,
        environ=order.environ,
        container=order.container,
        tool=order.tool,
    )


def _below(order: Order, path: Path) -> str:
    return path.relative_to(order.workspace).as_posix()

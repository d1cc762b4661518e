"""``scriptrun data mount``: runs in the foreground until Ctrl-C or an external unmount."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from scriptrun.cli import errors as cli_errors
from scriptrun.cli.options import data_names
from scriptrun.cli.terminal import output
from scriptrun.core.workspace import Workspace
from scriptrun.data.datasets.file import FileDataset, MountContext
from scriptrun.data.errors import DatastoreException
from scriptrun.data.mount import mount as dataset_mount
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    Handler = Callable[[int, FrameType | None], object] | int | None

#: seconds between checks that the folder is still mounted
POLL_SECONDS = 0.5


def mount(workspace: Workspace, args: argparse.Namespace) -> None:
    """Mount the dataset as a folder until the command ends."""
    dataset = data_names.resolve_dataset(workspace, args.name)
    if not isinstance(dataset, FileDataset):
        raise UserErrorException(
            f"{args.name!r} is a tabular dataset and cannot be mounted.",
            "Read it with Dataset.get_by_name(...).to_pandas_dataframe().",
        )
    files = dataset.incoming()
    reason = dataset_mount.available()
    if reason and any(file.store.folder is None for file in files):
        raise DatastoreException(
            f"Cannot mount {args.name!r} on this machine: {reason}",
            f"Download it instead: scriptrun data download {args.name} {args.path}",
        )
    dataset_mount.clear_stale()
    with _stop_on_signals() as stopped, dataset.mount(args.path) as context:
        value = {"name": args.name, "path": args.path, "files": len(files)}
        text = f"Mounted {args.name} at {args.path} ({len(files):,} files)"
        output.print_json(value) if args.json else print(f"{text}. Press Ctrl-C to unmount.")
        sys.stdout.flush()
        _wait(context, stopped)


def _wait(context: MountContext, stopped: threading.Event) -> None:
    reported = 0
    while not stopped.wait(POLL_SECONDS):
        mounted = context.mounted
        if mounted is None:
            continue
        for problem in mounted.problems[reported:]:
            cli_errors.say(f"warning: {problem}")
        reported = len(mounted.problems)
        if mounted.problem():
            cli_errors.say("Unmounted.")
            return


@contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
    """Yield an event that is set by Ctrl-C, SIGTERM or the terminal closing."""
    stopped = threading.Event()
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    previous_handlers: dict[int, Handler] = {}
    for number in numbers:
        previous_handlers[number] = signal.signal(number, lambda *_: stopped.set())
    try:
        yield stopped
    finally:
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)

"""Check what a datastore allows, with one small file that is removed again."""

from __future__ import annotations

import contextvars
import io
import queue
import threading
from collections.abc import Callable

from scriptrun.data.datastores.classes import AbstractDatastore, HttpDatastore
from scriptrun.data.errors import DatastoreException, StoreUnreachable
from scriptrun.data.stores.protocol import Store
from scriptrun.runtime import files
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")

#: the actions to try, in this order
ACTIONS = ("list", "write", "read", "delete")
_CONTENT = b"scriptrun wrote this file to see whether it may, and removes it at once.\n"


class Probe(Value, frozen=False):
    """The result. ``allowed`` maps each action to True, False, or None if it was not tried.

    ``problems`` has a sentence for each action that failed, ``notes`` for each not tried.
    """

    may: dict[str, bool | None] = fresh(default_factory=lambda: dict.fromkeys(ACTIONS))
    reasons: dict[str, str] = fresh(default_factory=dict)
    notes: dict[str, str] = fresh(default_factory=dict)
    hint: str = ""

    @property
    def has_problems(self) -> bool:
        """Whether an action failed."""
        return bool(self.reasons)


def probe(datastore: AbstractDatastore, path: str = "", writes: bool = True) -> Probe:
    """Try to list, to write one small file, to read it and to remove it.

    ``path`` is a file to read if nothing is written: for an HTTP or ``anonymous`` datastore, and
    without ``writes``. Never raises for a failed action.
    """
    trial = _Trial(Probe())
    store = trial.attempt("list", lambda: datastore.store)
    if store is None:
        return trial.result
    if isinstance(datastore, HttpDatastore):
        _try_url(trial, store, path)
        return trial.result
    first_entry = trial.attempt("list", lambda: next(iter(store.list()), None))
    if trial.result.has_problems:
        return trial.result  # with invalid credentials every other action would fail alike
    if writes and not datastore.settings.get("anonymous"):
        _try_writing(trial, store)
        return trial.result
    note = "skipped: anonymous access" if writes else "skipped"
    trial.result.notes |= {"write": note, "delete": note}
    _try_reading(trial, store, path or (first_entry.path if first_entry is not None else ""))
    return trial.result


def listing_error(store: Store, folder: str = "", seconds: float = 5.0) -> Exception | None:
    """Why ``store`` cannot list ``folder``, or None if it can.

    A store that does not answer within ``seconds`` counts as unreachable.
    """
    results: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def list_store() -> None:
        try:
            next(iter(store.list(folder)), None)
            results.put(None)
        except Exception as error:
            results.put(error)

    context = contextvars.copy_context()  # whose secrets are available there
    threading.Thread(target=context.run, args=(list_store,), daemon=True).start()
    try:
        return results.get(timeout=seconds)
    except queue.Empty:
        return StoreUnreachable(f"{store.name} does not answer within {seconds:g} s.")


class _Trial:
    """Tries actions, and records their results."""

    def __init__(self, result: Probe) -> None:
        self.result = result

    def attempt(self, action: str, work: Callable[[], T]) -> T | None:
        """What ``work`` returns; None if it fails."""
        try:
            value = work()
        except DatastoreException as error:
            self.result.may[action] = False
            self.result.reasons[action] = error.message
            self.result.hint = error.hint or self.result.hint
            return None
        self.result.may[action] = True
        return value


def _try_writing(trial: _Trial, store: Store) -> None:
    path = f"scriptrun-check-{files.unique(12)}.txt"
    if trial.attempt("write", lambda: store.write(path, io.BytesIO(_CONTENT))) is None:
        trial.result.notes |= {"delete": "skipped: nothing was written"}
        first_entry = next(iter(store.list()), None)
        _try_reading(trial, store, first_entry.path if first_entry is not None else "")
        return
    data = trial.attempt("read", lambda: store.read(path, 0, len(_CONTENT)))
    if data is not None and data != _CONTENT:
        trial.result.may["read"] = False
        trial.result.reasons["read"] = (
            f"The content read from {store.name} differs from the content written."
        )
    trial.attempt("delete", lambda: store.delete(path))
    if trial.result.may["delete"] is False:
        trial.result.reasons["delete"] += f" File {path!r} remains there."


def _try_url(trial: _Trial, store: Store, path: str) -> None:
    note = "HTTP datastores are read-only"
    trial.result.may["list"] = None
    trial.result.notes |= {"list": note, "write": note, "delete": note}
    if path:
        _try_reading(trial, store, path)
    elif trial.attempt("read", lambda: (store.stat(""), True)):
        trial.result.may["read"] = None
        trial.result.notes["read"] = "the server responds; to read a file, use --path a/file"


def _try_reading(trial: _Trial, store: Store, path: str) -> None:
    if path:
        trial.attempt("read", lambda: store.read(path, 0, 1))
    else:
        trial.result.notes["read"] = "skipped: no files"

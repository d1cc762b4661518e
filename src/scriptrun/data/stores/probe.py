"""Check what a datastore allows, with one small file that is removed again."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from scriptrun.data.datastores.classes import AbstractDatastore, HttpDatastore
from scriptrun.data.errors import DatastoreException
from scriptrun.data.stores.protocol import Store
from scriptrun.runtime import files
from scriptrun.spec.values import Value, fresh

#: the actions to try, in this order
DEEDS = ("list", "write", "read", "delete")
_CONTENT = b"scriptrun wrote this file to see whether it may, and removes it at once.\n"


class Probe(Value, frozen=False):
    """The result. ``allowed`` maps each action to True, False, or None if it was not tried.

    ``problems`` has a sentence for each action that failed, ``notes`` for each not tried.
    """

    may: dict[str, bool | None] = fresh(default_factory=lambda: dict.fromkeys(DEEDS))
    reasons: dict[str, str] = fresh(default_factory=dict)
    notes: dict[str, str] = fresh(default_factory=dict)
    hint: str = ""

    @property
    def refused(self) -> bool:
        """Whether an action failed."""
        return bool(self.reasons)


def probe(datastore: AbstractDatastore, path: str = "", writes: bool = True) -> Probe:
    """Try to list, to write one small file, to read it and to remove it.

    ``path`` is a file to read if nothing is written: for an HTTP or ``anonymous`` datastore, and
    without ``writes``. Never raises for a failed action.
    """
    tried = _Trial(Probe())
    store = tried.does("list", lambda: datastore.store)
    if store is None:
        return tried.found
    if isinstance(datastore, HttpDatastore):
        _by_address(tried, store, path)
        return tried.found
    first = tried.does("list", lambda: next(iter(store.list()), None))
    if tried.found.refused:
        return tried.found  # with invalid credentials every other action would fail alike
    if writes and not datastore.settings.get("anonymous"):
        _by_file(tried, store)
        return tried.found
    why = "skipped: anonymous access" if writes else "skipped"
    tried.found.notes |= {"write": why, "delete": why}
    _read(tried, store, path or (first.path if first is not None else ""))
    return tried.found


class _Trial:
    """Tries actions, and records their results."""

    def __init__(self, found: Probe) -> None:
        self.found = found

    def does(self, deed: str, work: Callable[[], Any]) -> Any:
        """What ``work`` returns; None if it fails."""
        try:
            made = work()
        except DatastoreException as error:
            self.found.may[deed] = False
            self.found.reasons[deed] = error.message
            self.found.hint = error.hint or self.found.hint
            return None
        self.found.may[deed] = True
        return made


def _by_file(tried: _Trial, store: Store) -> None:
    path = f"scriptrun-check-{files.unique(12)}.txt"
    if tried.does("write", lambda: store.write(path, io.BytesIO(_CONTENT))) is None:
        tried.found.notes |= {"delete": "skipped: nothing was written"}
        first = next(iter(store.list()), None)
        _read(tried, store, first.path if first is not None else "")
        return
    data = tried.does("read", lambda: store.read(path, 0, len(_CONTENT)))
    if data is not None and data != _CONTENT:
        tried.found.may["read"] = False
        tried.found.reasons["read"] = (
            f"The content read from {store.name} differs from the content written."
        )
    tried.does("delete", lambda: store.delete(path))
    if tried.found.may["delete"] is False:
        tried.found.reasons["delete"] += f" File {path!r} remains there."


def _by_address(tried: _Trial, store: Store, path: str) -> None:
    only = "HTTP datastores are read-only"
    tried.found.may["list"] = None
    tried.found.notes |= {"list": only, "write": only, "delete": only}
    if path:
        _read(tried, store, path)
    elif tried.does("read", lambda: (store.stat(""), True)):
        tried.found.may["read"] = None
        tried.found.notes["read"] = "the server responds; to read a file, use --path a/file"


def _read(tried: _Trial, store: Store, path: str) -> None:
    if path:
        tried.does("read", lambda: store.read(path, 0, 1))
    else:
        tried.found.notes["read"] = "skipped: no files"

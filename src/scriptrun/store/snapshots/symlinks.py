"""Symbolic links in a snapshot (docs/reference/snapshots.md).

A link within the source stays a link. A link to a file outside is replaced by the file's content; a
link to a folder outside stays a link, made absolute, and its target is not part of the snapshot.
"""

from __future__ import annotations

import os

from scriptrun.spec.values import Value


class Kept(Value):
    """The link stays a link to ``target``."""

    target: bytes


class Followed(Value):
    """The link is replaced by the file ``path``, which is outside the source."""

    path: bytes


def read(source: bytes, path: bytes) -> Kept | Followed:
    """How a snapshot stores the link ``path`` of ``source`` (absolute, itself without links)."""
    whole = source + b"/" + path
    target = os.readlink(whole)
    folder = os.path.dirname(path)
    if not os.path.isabs(target) and _is_below(os.path.normpath(os.path.join(folder, target))):
        return Kept(target)
    inside = _inside(source, os.path.join(os.path.dirname(whole), target))
    if inside is not None:
        return Kept(os.path.relpath(inside, b"/" + folder))
    there = os.path.realpath(whole)
    if os.path.isfile(there):
        return Followed(there)
    return Kept(there) if os.path.exists(there) else Kept(target)


def _is_below(relative: bytes) -> bool:
    return relative != b".." and not relative.startswith(b"../")


def _inside(source: bytes, target: bytes) -> bytes | None:
    """``target`` as a path from the source, where the source is ``/``; None if it is outside."""
    folder, name = os.path.split(os.path.normpath(target))
    real = os.path.join(os.path.realpath(folder), name)
    if real == source:
        return b"/"
    return real[len(source) :] if real.startswith(source + b"/") else None

"""Headers of HTTP answers that say how long to wait, and what the content's digest is."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any

#: names of digests in Repr-Digest (RFC 9530) and Digest (RFC 3230), the better ones first
_KINDS = {"sha-512": "sha512", "sha-256": "sha256", "md5": "md5"}


class Announced:
    """The digest that a server announced, and that of what arrives."""

    def __init__(self, kind: str, value: bytes) -> None:
        self._value = value
        self._found = hashlib.new(kind, usedforsecurity=False)

    def add(self, piece: bytes) -> None:
        """Count a piece in."""
        self._found.update(piece)

    def is_right(self) -> bool:
        """Whether what arrived has the digest."""
        return self._found.digest() == self._value


def announced(headers: Mapping[str, Any]) -> Announced | None:
    """The digest of the whole content: of Repr-Digest, Digest or Content-MD5; None without.

    Content-MD5 (RFC 1864) is what Azure Blob and older servers send.
    """
    said = f"{headers.get('Repr-Digest') or ''},{headers.get('Digest') or ''}"
    found = dict(re.findall(r"([\w-]+)=:?([A-Za-z0-9+/]+=*)", said))
    values = {name.lower(): value for name, value in found.items()}
    values.setdefault("md5", headers.get("Content-MD5") or "")
    for name, kind in _KINDS.items():
        value = _decoded(values.get(name, ""))
        if len(value) == hashlib.new(kind, usedforsecurity=False).digest_size:
            return Announced(kind, value)
    return None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def seconds(text: str | None) -> float:
    """How long Retry-After asks to wait: seconds, or the time until a date; 0 where it is none."""
    from email.utils import parsedate_to_datetime

    if not text:
        return 0.0
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0

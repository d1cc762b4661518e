"""HTTP response headers: how long to wait, and the content's digest."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any

#: algorithms of Repr-Digest (RFC 9530) and Digest (RFC 3230), strongest first
_KINDS = {"sha-512": "sha512", "sha-256": "sha256", "md5": "md5"}


class Announced:
    """The digest that the server sent, compared with the digest of the received bytes."""

    def __init__(self, kind: str, value: bytes) -> None:
        self._value = value
        self._found = hashlib.new(kind, usedforsecurity=False)

    def add(self, piece: bytes) -> None:
        """Add a received piece."""
        self._found.update(piece)

    def is_right(self) -> bool:
        """Whether the received bytes have the expected digest."""
        return self._found.digest() == self._value


def announced(headers: Mapping[str, Any]) -> Announced | None:
    """The content's digest from Repr-Digest, Digest or Content-MD5, or None.

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
    """Parse Retry-After, which is seconds or a date; 0 if missing or invalid."""
    from email.utils import parsedate_to_datetime

    if not text:
        return 0.0
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0

"""HTTP response headers: how long to wait, and the content's digest."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from http.client import HTTPMessage

#: algorithms of Repr-Digest (RFC 9530) and Digest (RFC 3230), strongest first
_KINDS = {"sha-512": "sha512", "sha-256": "sha256", "md5": "md5"}


class ExpectedDigest:
    """The digest that the server sent, compared with the digest of the received bytes."""

    def __init__(self, kind: str, value: bytes) -> None:
        self._value = value
        self._actual = hashlib.new(kind, usedforsecurity=False)

    def add(self, piece: bytes) -> None:
        """Add a received piece."""
        self._actual.update(piece)

    def matches(self) -> bool:
        """Whether the received bytes have the expected digest."""
        return self._actual.digest() == self._value


def expected_digest(headers: HTTPMessage | Mapping[str, str]) -> ExpectedDigest | None:
    """The content's digest from Repr-Digest, Digest or Content-MD5, or None.

    Content-MD5 (RFC 1864) is what Azure Blob and older servers send.
    """
    header_text = f"{headers.get('Repr-Digest') or ''},{headers.get('Digest') or ''}"
    digests = dict(re.findall(r"([\w-]+)=:?([A-Za-z0-9+/]+=*)", header_text))
    values = {name.lower(): value for name, value in digests.items()}
    values.setdefault("md5", headers.get("Content-MD5") or "")
    for name, kind in _KINDS.items():
        value = _decode(values.get(name, ""))
        if len(value) == hashlib.new(kind, usedforsecurity=False).digest_size:
            return ExpectedDigest(kind, value)
    return None


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def retry_after_seconds(text: str | None) -> float:
    """Parse Retry-After, which is seconds or a date; 0 if missing or invalid."""
    from email.utils import parsedate_to_datetime

    if not text:
        return 0.0
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:20])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0

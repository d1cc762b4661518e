"""Digests of values: SHA-256 over canonical JSON."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:  # without OpenSSL, which takes 2 ms to load and is not faster on small texts
        from _sha256 import sha256
    except ImportError:
        try:
            from _sha2 import sha256
        except ImportError:
            from hashlib import sha256

__all__ = ["canonical", "digest_of", "sha256"]


def canonical(value: object) -> str:
    """``value`` as canonical JSON, with sorted keys and no spaces: equal values, equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(value: object) -> str:
    """The SHA-256 of ``value``'s canonical JSON, as 64 hexadecimal digits."""
    return sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()

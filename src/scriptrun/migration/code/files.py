"""Read and write files, preserving encoding, line endings and byte order mark."""

from __future__ import annotations

import codecs
import io
import os
import tempfile
import tokenize
from typing import NamedTuple

from scriptrun.migration.estimators.call import Refused


class Text(NamedTuple):
    """A file's content: the ``raw`` bytes, and ``text`` without the byte order mark (``bom``)."""

    raw: bytes
    text: str
    encoding: str
    mark: bytes

    def encoded(self, text: str) -> bytes:
        """Encode new text for this file. Raises CannotRewrite if that is impossible."""
        try:
            return self.mark + text.encode(self.encoding)
        except UnicodeEncodeError:
            raise Refused(f"its encoding {self.encoding} cannot represent the result") from None


def read(path: str) -> bytes:
    """Read the file as bytes. Raises CannotRewrite if it cannot be read."""
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except OSError as error:
        raise Refused(f"cannot read it: {error.strerror}") from None


def decoded(raw: bytes, notebook: bool) -> Text:
    """Decode a script (by PEP 263) or a notebook (UTF-8). Raises CannotRewrite."""
    mark = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
    try:
        encoding = "utf-8"
        if not notebook:
            encoding = tokenize.detect_encoding(io.BytesIO(raw).readline)[0].replace("-sig", "")
        return Text(raw, raw[len(mark) :].decode(encoding), encoding, mark)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise Refused(f"its encoding is uncertain: {error}") from None


def write(path: str, old: bytes, new: bytes) -> None:
    """Replace the content ``old`` with ``new`` atomically; permissions and links stay.

    Raises CannotRewrite if the file changed since it was read, or is not writable.
    """
    place = os.path.realpath(path)
    if not os.access(place, os.W_OK):
        raise Refused("it is not writable", f"Run: chmod u+w {path}")
    folder, name = os.path.split(place)
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    except OSError as error:
        raise Refused(f"its directory is not writable: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(new)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(beside, os.stat(place).st_mode & 0o7777)
        if read(place) != old:
            raise Refused("it changed during the rewrite", "Run the command again.")
        os.replace(beside, place)
    except OSError as error:
        raise Refused(f"cannot write it: {error.strerror}") from None
    finally:
        if os.path.exists(beside):
            os.unlink(beside)

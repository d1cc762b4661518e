"""Reading and writing files: text by its own encoding, line ends and byte order mark."""

from __future__ import annotations

import codecs
import io
import os
import tempfile
import tokenize
from typing import NamedTuple

from scriptrun.migration.estimators.call import Refused


class Text(NamedTuple):
    """A file's content: ``raw`` as it lies there, ``text`` without a byte order mark."""

    raw: bytes
    text: str
    encoding: str
    mark: bytes

    def encoded(self, text: str) -> bytes:
        """The bytes of another text for the same file. Raises Refused where it cannot say it."""
        try:
            return self.mark + text.encode(self.encoding)
        except UnicodeEncodeError:
            raise Refused(f"its encoding {self.encoding} cannot represent the result") from None


def read(path: str) -> bytes:
    """The bytes of the file. Raises Refused where it cannot be read."""
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except OSError as error:
        raise Refused(f"cannot read it: {error.strerror}") from None


def decoded(raw: bytes, notebook: bool) -> Text:
    """The text of ``raw``: of a script by PEP 263, of a notebook UTF-8. Raises Refused."""
    mark = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
    try:
        encoding = "utf-8"
        if not notebook:
            encoding = tokenize.detect_encoding(io.BytesIO(raw).readline)[0].replace("-sig", "")
        return Text(raw, raw[len(mark) :].decode(encoding), encoding, mark)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise Refused(f"its encoding is uncertain: {error}") from None


def write(path: str, old: bytes, new: bytes) -> None:
    """Put ``new`` in place of ``old``, all of it or nothing; permissions and links stay.

    Raises Refused where the file has changed since it was read, or may not be written.
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

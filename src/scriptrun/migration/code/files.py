"""Read and write files, preserving encoding, line endings and byte order mark."""

from __future__ import annotations

import codecs
import io
import os
import tokenize
from typing import NamedTuple

from scriptrun.migration.estimators.call import CannotRewrite
from scriptrun.runtime.files import sync_folder, sync_handle
from scriptrun.store import document_limits, scratch


class Text(NamedTuple):
    """A file's content: the ``raw`` bytes, and ``text`` without the byte order mark (``bom``)."""

    raw: bytes
    text: str
    encoding: str
    bom: bytes

    def encode(self, text: str) -> bytes:
        """Encode new text for this file. Raises CannotRewrite if that is impossible."""
        try:
            return self.bom + text.encode(self.encoding)
        except UnicodeEncodeError:
            raise CannotRewrite(
                f"its encoding {self.encoding} cannot represent the result"
            ) from None


def read(path: str) -> bytes:
    """Read the file as bytes. Raises CannotRewrite if it cannot be read."""
    try:
        with document_limits.open_document(path) as handle:
            return handle.read()
    except OSError as error:
        raise CannotRewrite(f"cannot read it: {error.strerror}") from None


def decode(raw: bytes, is_notebook: bool) -> Text:
    """Decode a script (by PEP 263) or a notebook (UTF-8). Raises CannotRewrite."""
    bom = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
    try:
        encoding = "utf-8"
        if not is_notebook:
            encoding = tokenize.detect_encoding(io.BytesIO(raw).readline)[0].replace("-sig", "")
        return Text(raw, raw[len(bom) :].decode(encoding), encoding, bom)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise CannotRewrite(f"its encoding is uncertain: {error}") from None


def write(path: str, old: bytes, new: bytes) -> None:
    """Replace the content ``old`` with ``new`` atomically; permissions and links stay.

    Raises CannotRewrite if the file changed since it was read, or is not writable.
    """
    target = os.path.realpath(path)
    if not os.access(target, os.W_OK):
        raise CannotRewrite("it is not writable", f"Run: chmod u+w {path}")
    folder = os.path.dirname(target)
    try:
        temporary = scratch.Scratch("migrate", folder)
    except OSError as error:
        raise CannotRewrite(f"its directory is not writable: {error.strerror}") from None
    try:
        with temporary:
            _replace(target, os.path.join(temporary.path, "new"), old, new)
        sync_folder(folder)
    except OSError as error:
        raise CannotRewrite(f"cannot write it: {error.strerror}") from None


def _replace(target: str, temporary: str, old: bytes, new: bytes) -> None:
    with open(temporary, "xb") as stream:
        stream.write(new)
        stream.flush()
        sync_handle(stream.fileno())
    os.chmod(temporary, os.stat(target).st_mode & 0o7777)
    if read(target) != old:
        raise CannotRewrite("it changed during the rewrite", "Run the command again.")
    os.replace(temporary, target)

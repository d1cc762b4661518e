"""A YAML file for people, with a JSON copy next to it for speed.

The copy (``.<name>.json``) records the YAML file's size, modification time and inode, and is valid
while they are unchanged: reading it needs no YAML parser, and a manual edit takes effect at once.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from scriptrun.runtime import files
from scriptrun.spec.digests import digest_of
from scriptrun.spec.errors import WorkspaceException
from scriptrun.store import yaml_reader, yaml_writer
from scriptrun.store.document_limits import RECORD, MalformedDocument
from scriptrun.store.records import DamagedRecord
from scriptrun.store.yaml_reader import PlainScalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


def read(path: Path) -> Json | None:
    """The mapping in ``path``; None if the file does not exist.

    Raises DamagedRecord, with file and line, if it is not a YAML mapping.
    """
    try:
        stamp = _stamp(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DamagedRecord(path, f" cannot be read: {error.strerror}") from None
    copy = files.read_object(_copy_path(path)) or {}
    if copy.get("of") == stamp and isinstance(copy.get("value"), dict):
        value: Json = copy["value"]
        if copy.get("digest") == digest_of(value):
            return value
    value = parse(path)
    _write_copy(path, stamp, value)
    return value


def create(path: Path, value: Json) -> bool:
    """Write ``value`` to ``path`` unless it exists; True if this call created it."""
    data = _dump(value)
    files.make_folders(path.parent)
    if not files.publish(path, data):
        return False
    _update_copy(path, data, value)
    return True


def replace(path: Path, value: Json) -> None:
    """Write ``value`` to ``path``, replacing any existing file."""
    data = _dump(value)
    files.make_folders(path.parent)
    files.write_atomic(path, data)
    _update_copy(path, data, value)


def remove(path: Path) -> None:
    """Remove the file and its copy if they exist."""
    path.unlink(missing_ok=True)
    Path(_copy_path(path)).unlink(missing_ok=True)


def plain(value: Json) -> Json:
    """``value`` as it would be read from a file: JSON values only, tuples as lists."""
    result: Json = json.loads(json.dumps(value))
    return result


def _copy_path(path: Path) -> str:
    return str(path.with_name(f".{path.name}.json"))


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def _update_copy(path: Path, data: bytes, value: Json) -> None:
    """Update the copy, unless another process has rewritten the file."""
    try:
        stamp = _stamp(path)
        if files.read_bytes(path) != data:
            return
    except OSError:
        return
    _write_copy(path, stamp, plain(value))


def _write_copy(path: Path, stamp: list[int], value: Json) -> None:
    try:
        copy = files.to_json({"of": stamp, "digest": digest_of(value), "value": value})
        files.write_atomic(_copy_path(path), copy, durable=False)
    except OSError:
        pass  # a read-only workspace: the YAML is parsed each time


def _dump(value: Json) -> bytes:
    return yaml_writer.dump(plain(value)).encode("utf-8")


def is_copy_whole(path: Path, value: Json) -> bool:
    """Whether the copy of ``path``, whose value is ``value``, agrees or is not used."""
    copy: object = files.read_json(_copy_path(path))
    if not isinstance(copy, dict) or copy.get("of") != _stamp(path):
        return True
    return bool(copy.get("value") == value)


def parse(path: Path) -> Json:
    """The mapping in ``path``, read from the YAML itself. Raises WorkspaceException."""
    try:
        with files.open_record(path) as handle:
            data = handle.read(RECORD.characters + 1)
        document = yaml_reader.parse(data, keep_text=True, limits=RECORD)
    except MalformedDocument as error:
        line = f", line {error.line}" if error.line else ""
        hint = "Fix the line, or remove the file."
        raise DamagedRecord(path, f"{line}: {error.problem}", hint) from None
    except OSError as error:
        raise DamagedRecord(path, f" cannot be read: {error.strerror}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise DamagedRecord(
            path,
            f", line 1: expected a mapping (`key: value` lines), "
            f"not {_describe_value(_value(document))}",
            "Fix the file, or remove it.",
        )
    return plain({str(key): _value(item, key in _TEXTS) for key, item in document.items()})


def _value(item: object, is_text: bool = False) -> object:
    """What the parsed ``item`` stands for; ``is_text`` if its scalars end as text.

    Earlier versions left a text unquoted if YAML 1.1 reads it as text: it stays text.
    """
    if isinstance(item, dict):
        return {str(key): _value(value, is_text or key in _TEXTS) for key, value in item.items()}
    if isinstance(item, list):
        return [_value(element, is_text) for element in item]
    if not isinstance(item, PlainScalar):
        return item
    if yaml_writer.is_unquoted_text(item) or (is_text and not yaml_writer.writes(item)):
        return str(item)
    return item.value


def _describe_value(value: object) -> str:
    return "a list" if isinstance(value, list) else f"the value {value!r}"


def file_name(name: str) -> str:
    """``name`` encoded as a file name that is valid on any system; unique for each name.

    Raises WorkspaceException if ``name`` is empty, longer than 200 bytes or has a lone surrogate.
    """
    if re.search("[\ud800-\udc7f\udd00-\udfff]", name):
        raise WorkspaceException(
            f"Invalid name {name[:50]!r}: it contains a lone surrogate.", "Remove that character."
        )
    if not name or len(name.encode("utf-8", "replace")) > 200:
        raise WorkspaceException(f"Invalid name {name[:50]!r}: it must have 1 to 200 characters.")
    encoded = "".join(_escape(char) for char in name)
    if encoded[-1] in ". ":
        encoded = encoded[:-1] + f"%{ord(encoded[-1]):02X}"
    return f"%{ord(encoded[0]):02X}{encoded[1:]}" if encoded.upper() in _RESERVED else encoded


def name_from_file(encoded: str) -> str:
    """The inverse of ``file_name``."""
    data, rest = b"", os.fsencode(encoded)
    while rest:
        plain_part, percent, rest = rest.partition(b"%")
        data += plain_part
        if percent:
            try:
                data += bytes([int(rest[:2], 16)])
                rest = rest[2:]
            except ValueError:
                data += b"%"
    return data.decode("utf-8", "surrogateescape")


#: fields of records whose values are texts, or mappings of texts
_TEXTS = frozenset(("tags", "properties", "description", "variables", "environment_variables"))
_UNSAFE = frozenset('/\\:*?"<>|%')
_RESERVED = frozenset(
    ["CON", "PRN", "AUX", "NUL", *(f"{kind}{n}" for kind in ("COM", "LPT") for n in range(1, 10))]
)


def _escape(char: str) -> str:
    if (
        char in _UNSAFE
        or ord(char) < 32
        or 0x7F <= ord(char) < 0xA0
        or 0xD800 <= ord(char) < 0xE000
    ):
        return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
    return char

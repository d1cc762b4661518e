"""Queries and forms of requests: URL-encoded, and multipart with files."""

import codecs
import io
import os
import re
from urllib.parse import parse_qsl

from scriptrun.runtime.serving.errors import BadRequest
from scriptrun.runtime.serving.http.multi_dict import Headers, MultiDict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO, List, Optional, Tuple, Union

    from scriptrun.runtime.hints import StrPath

URL_ENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_PARTS = 1000
#: those that texts are in; Python knows others that are none, or that take very long
_CHARACTER_SETS = re.compile(
    r"(utf-8(-sig)?|utf-(16|32)(-[bl]e)?|ascii|iso8859-\d+|cp\d+|mac-\w+|koi8-\w|gb2312|gbk|gb18030"
    r"|big5|big5hkscs|shift_jis\w*|euc_\w+|iso2022_\w+|johab|hz|tis-620|ptcp154|kz1048)\Z"
)
_PARAMETER = re.compile(r';\s*([\w*-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;\s]*)')


class FileStorage:
    """A file of a form: ``filename``, ``name``, ``content_type``, ``headers``, ``stream``."""

    def __init__(self, name: str, filename: str, headers: Headers, data: bytes) -> None:
        self.name, self.filename, self.headers = name, filename, headers
        self.content_type = headers.get("Content-Type") or "application/octet-stream"
        self.mimetype = self.content_type.partition(";")[0].strip().lower()
        self.content_length = len(data)
        self.stream = io.BytesIO(data)
        for method in ("read", "readline", "readlines", "seek", "tell", "close"):
            setattr(self, method, getattr(self.stream, method))

    def save(self, dst: "Union[StrPath, BinaryIO]", buffer_size: int = 16384) -> None:
        """Write the file to ``dst``, a path or an open binary file."""
        if isinstance(dst, (str, os.PathLike)):
            with open(dst, "wb") as file:
                file.write(self.stream.read())
        else:
            dst.write(self.stream.read())

    def __iter__(self) -> "Iterator[bytes]":
        return iter(self.stream)

    def __bool__(self) -> bool:
        return bool(self.filename)

    def __repr__(self) -> str:
        return "<FileStorage: {!r} ({!r})>".format(self.filename, self.content_type)


class Form:
    """The fields and files of a form."""

    def __init__(
        self,
        fields: "Optional[List[Tuple[str, str]]]" = None,
        files: "Optional[List[Tuple[str, FileStorage]]]" = None,
    ) -> None:
        self.fields, self.files = MultiDict(fields or []), MultiDict(files or [])


def parse_query(query: str) -> MultiDict:
    """The pairs of a query. Raises BadRequest for too many."""
    return MultiDict(_pairs(query))


def _pairs(text: str) -> "List[Tuple[str, str]]":
    if text.count("&") >= _PARTS:
        raise BadRequest("The request has more than {} fields.".format(_PARTS))
    return parse_qsl(text, keep_blank_values=True, errors="replace")


def parse_form(content_type: str, body: bytes) -> Form:
    """The form in ``body``; an empty one for other content types. Raises BadRequest if damaged."""
    kind, parameters = _parse_options(content_type)
    if kind == URL_ENCODED:
        return Form(_pairs(body.decode("utf-8", "replace")))
    if kind == MULTIPART:
        return _parse_multipart(body, parameters.get("boundary", ""))
    return Form()


def is_form(content_type: "Optional[str]") -> bool:
    """Whether a body of this type is a form."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind in (URL_ENCODED, MULTIPART)


def charset(content_type: "Optional[str]") -> str:
    """The character set that the content type names; UTF-8 by default, or if it is unknown."""
    given = _parse_options(content_type or "")[1].get("charset") or "utf-8"
    try:
        name = codecs.lookup(given).name
    except (LookupError, ValueError):
        return "utf-8"
    return name if _CHARACTER_SETS.match(name) else "utf-8"


def _parse_options(value: str) -> "Tuple[str, dict[str, str]]":
    kind = value.partition(";")[0].strip().lower()
    found = _PARAMETER.findall(value)
    return kind, {name.lower(): _unquote(text) for name, text in found}


def _unquote(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _parse_multipart(body: bytes, boundary: str) -> Form:
    if not 0 < len(boundary) <= 70:
        raise BadRequest("The form has no valid boundary.")
    mark = b"\r\n--" + boundary.encode("latin-1", "replace")
    parts = (b"\r\n" + body).split(mark, _PARTS + 2)
    if len(parts) > _PARTS + 2:
        raise BadRequest("The form has more than {} parts.".format(_PARTS))
    if len(parts) < 2 or not parts[-1].startswith(b"--"):
        raise BadRequest("The form does not end with its boundary.")
    fields: "List[Tuple[str, str]]" = []
    files: "List[Tuple[str, FileStorage]]" = []
    for part in parts[1:-1]:
        _read_part(part, fields, files)
    return Form(fields, files)


def _read_part(
    part: bytes,
    fields: "List[Tuple[str, str]]",
    files: "List[Tuple[str, FileStorage]]",
) -> None:
    head, separator, data = part.lstrip(b" \t").partition(b"\r\n\r\n")
    if not separator or not head.startswith(b"\r\n"):
        raise BadRequest("A part of the form has no valid headers.")
    lines = head[2:].decode("utf-8", "replace").split("\r\n")
    pairs = [line.partition(":") for line in lines]
    headers = Headers([(name.strip().lower(), value.strip()) for name, _, value in pairs])
    _, options = _parse_options(headers.get("Content-Disposition") or "")
    if "name" not in options:
        raise BadRequest("A part of the form has no name.")
    name = options["name"]
    if "filename" in options:
        files.append((name, FileStorage(name, options["filename"], headers, data)))
    else:
        text = data.decode(charset(headers.get("Content-Type")), "replace")
        fields.append((name, text))

"""Read requirement files as pip reads them.

https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Iterator

from scriptrun.config.environments.requirements import EDITABLE, split_option
from scriptrun.spec import requirement_syntax
from scriptrun.spec.errors import UserErrorException, refuse
from scriptrun.spec.values import Value
from scriptrun.store import document_limits
from scriptrun.store.document_limits import CONFIGURATION, LimitExceeded

_COMMENT = r"(^|\s)#.*$"
_NESTED = ("-r", "--requirement")
_CONSTRAINT = ("-c", "--constraint")
_FIND_LINKS = ("-f", "--find-links")
_INDEXES = ("-i", "--index-url", "--extra-index-url", "--trusted-host")
_WITHOUT_VALUE = ("--pre", "--no-index", "--prefer-binary", "--require-hashes", "--no-deps")
_VARIABLE = r"\$\{([A-Z0-9_]+)\}"
_CODING = rb"#.*?coding[:=]\s*([-\w.]+)"
#: how many files a requirements file may include, each as often as it is named, and how deeply
_MOST_FILES, _MOST_LEVELS = 1000, 50


class _Place(Value):
    """A line of a file; ``line`` 0 where it is not known. ``parents`` include the file."""

    file: str
    line: int
    parents: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}" if self.line else self.file


def read_requirements(path: str | os.PathLike[str]) -> list[str]:
    """The requirements and options of a requirements file, including nested ``-r`` files.

    Comments and blank lines are dropped, continued lines are joined, and relative paths
    (``-e ./lib``, ``./wheels/x.whl``, ``--find-links wheels``) are resolved against their own file.
    ``${NAME}`` is replaced if that variable is set, except in URLs, which may hold a password.
    Raises UserErrorException for a file that is missing, unreadable or includes itself, and one
    for all paths that do not exist and all lines that are not valid requirements.
    """
    reader = _Reader()
    lines = list(reader.read(os.path.abspath(os.fspath(path))))
    reader.refuse_problems()
    return lines


def expand_lines(
    lines: Iterable[str], path: str | os.PathLike[str], text: str | None = None
) -> list[str]:
    """Expand ``lines`` of the file ``path`` as ``read_requirements`` does.

    ``text`` is the content of the file, from which errors take the line.
    """
    file_path, reader = os.path.abspath(os.fspath(path)), _Reader()
    expanded: list[str] = []
    for line in lines:
        place = _Place(file_path, _line_of(text or "", line), (file_path,))
        for _, logical_line in _logical_lines(line):
            expanded += reader.expand(logical_line, place)
    reader.refuse_problems()
    return expanded


def _line_of(text: str, entry: str) -> int:
    """The first line of ``text`` that contains ``entry``, from 1; 0 if there is none."""
    position = text.find(entry.strip()) if entry.strip() else -1
    return text.count("\n", 0, position) + 1 if position >= 0 else 0


class _Reader:
    """Reads a file and those that it includes; ``problems`` are what is wrong with their lines."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._number = itertools.count(1)

    def refuse_problems(self) -> None:
        """Raise UserErrorException for paths that do not exist, and lines that cannot be parsed."""
        refuse(self.problems, "Cannot use these requirements")

    def read(self, path: str, included_at: _Place | None = None) -> Iterator[str]:
        """The lines of a file."""
        parents = included_at.parents if included_at else ()
        if path in parents:
            raise UserErrorException(
                f"Requirements file {str(path)!r} includes itself.",
                "Remove the line that includes it.",
            )
        if len(parents) > _MOST_LEVELS or next(self._number) > _MOST_FILES:
            raise UserErrorException(
                f"Requirements file {parents[0]!r} includes too many files.",
                f"It may include {_MOST_FILES} files, nested {_MOST_LEVELS} levels deep.",
            )
        for number, line in _logical_lines(_file_text(path, included_at)):
            yield from self.expand(line, _Place(path, number, (*parents, path)))

    def expand(self, line: str, place: _Place) -> Iterator[str]:
        """What a logical line stands for."""
        line = _with_variables(line)
        requirement, options = _split(line, place)
        if requirement:
            reason = requirement_syntax.problem(requirement, any_version=True)
            if reason:
                self.problems.append(f"{place}: invalid requirement {requirement!r}: {reason}")
            path = self._with_absolute_path(requirement, place)
            yield " ".join([path, *(text for _, _, text in options)])
            return
        for name, value, text in options:
            if name in _NESTED:
                yield from self._include(value, place)
            elif name in EDITABLE:
                yield f"{name} {self._local(_with_marker(value, line), line, place)}"
            elif name in _CONSTRAINT:
                yield f"{name} {self._existing(_absolute(value, place.file), line, place)}"
            elif name in _FIND_LINKS:
                yield f"{name} {_absolute(value, place.file)}"
            else:
                yield text

    def _include(self, value: str, place: _Place) -> Iterator[str]:
        if "://" in value:
            raise UserErrorException(
                f"{place}: requirements file {value!r} is not on this machine.",
                "Download it, and include that file.",
            )
        yield from self.read(_resolve_path(place.file, value), place)

    def _with_absolute_path(self, requirement: str, place: _Place) -> str:
        named = re.match(
            r"([A-Za-z0-9][\w.-]*(?:\[[^\]]*\])?)\s*@\s*((?:file:|[./]).*)", requirement
        )
        if named:
            from urllib import parse

            location = self._local(named[2], requirement, place)
            path, rest = _split_path(location, place.file)
            is_url = location.startswith("file:")
            return f"{named[1]} @ " + (location if is_url else f"file://{parse.quote(path)}{rest}")
        first_word = re.split(r"[ ;\[]", requirement, maxsplit=1)[0]
        is_path = first_word.startswith((".", "~", "/", "file:")) or (
            "@" not in first_word
            and "://" not in first_word
            and (
                "/" in first_word
                or "\\" in first_word
                or first_word.endswith((".whl", ".tar.gz", ".zip"))
            )
        )
        return self._local(requirement, requirement, place) if is_path else requirement

    def _local(self, value: str, line: str, place: _Place) -> str:
        """``value``, a path or URL with extras and markers behind it, with an absolute path."""
        if value.startswith("file:") and not value.startswith("file://"):
            value = value.removeprefix("file:")  # relative to the file, as ``./x``
        if "://" in value and not value.startswith("file://"):
            return value
        if value.startswith(("git+", "hg+", "svn+", "bzr+")) or re.match(r"[\w.-]+ *@ ", value):
            return value
        path, rest = _split_path(value, place.file)
        if value.startswith("file://"):
            from urllib import parse

            address = parse.urlsplit(path)
            if address.netloc not in ("", "localhost"):
                hint = _unset_variable(path) or "; write an absolute path as file:///path"
                self.problems.append(
                    f"{place}: {line!r}: file {path!r} does not exist on this machine{hint}"
                )
            else:
                self._existing(parse.unquote(address.path), line, place)
            return value
        return self._existing(_absolute(path, place.file), line, place) + rest

    def _existing(self, path: str, line: str, place: _Place) -> str:
        if "://" not in path and not os.path.exists(path):
            reason = _unset_variable(path)
            self.problems.append(f"{place}: {line!r}: {path!r} does not exist{reason}")
        return path


def _unset_variable(path: str) -> str:
    unset = [name for name in re.findall(_VARIABLE, path) if not os.environ.get(name)]
    return f"; the variable {unset[0]} is not set" if unset else ""


def _with_marker(value: str, line: str) -> str:
    """``value``, the option of ``line``, with the quotes of its marker, which splitting removed."""
    path, semicolon, marker = value.partition(";")
    written = line.partition(";")[2]
    import shlex

    try:
        shlex.split(written)
    except ValueError:
        written = marker  # a quote encloses the path and its marker
    return f"{path}{semicolon}{written}"


def _split_path(value: str, file: str) -> tuple[str, str]:
    """The path that ``value`` begins with, and its extras, marker or fragment."""
    if os.path.exists(_absolute(value, file)):
        return value, ""
    match = re.match(r"[^\[;#]*", value)
    path = match[0].rstrip() if match else value
    return path, value[len(path) :]


def _file_text(path: str, included_at: _Place | None) -> str:
    try:
        with document_limits.open_document(path) as handle:
            data = handle.read(4 * CONFIGURATION.characters + 1)
        text = _decode(data)
        document_limits.check_size(text, CONFIGURATION)
        return text
    except LimitExceeded as error:
        raise UserErrorException(f"Requirements file {str(path)!r}: {error}.") from None
    except (UnicodeDecodeError, LookupError) as error:
        reason = str(error) if isinstance(error, LookupError) else "is not UTF-8 text"
        raise UserErrorException(
            f"Requirements file {str(path)!r}: it {reason}."
            if isinstance(error, UnicodeDecodeError)
            else f"Requirements file {str(path)!r}: {reason}.",
            "Save it as UTF-8, or name its encoding in its first line: # coding: latin-1",
        ) from None
    except OSError as error:
        included_by = ""
        if included_at is not None:
            line = f", line {included_at.line}" if included_at.line else ""
            included_by = f" (included by {str(included_at.file)!r}{line})"
        reason = error.strerror or str(error)
        raise UserErrorException(
            f"Cannot read requirements file {str(path)!r}{included_by}: {reason}.",
            "Give the path of a file in pip's requirements format.",
        ) from None


def _decode(data: bytes) -> str:
    """The text of a file: by its byte order mark, else by a coding line (PEP 263), else UTF-8."""
    encoding = document_limits.marked_encoding(data)
    if encoding:
        return data.decode(encoding)
    for line in data.split(b"\n", 2)[:2]:
        match = re.match(_CODING, line)
        if match is not None:
            return data.decode(match[1].decode("ascii"))
    return data.decode("utf-8")


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines without comments, with continued lines joined, by the number of the first."""
    parts: list[str] = []
    first = 0
    for number, raw in enumerate(text.splitlines(), start=1):
        first = first if parts else number
        is_comment = raw.lstrip().startswith("#")
        if raw.endswith("\\") and not is_comment:
            parts.append(raw[:-1])
            continue
        line = "".join(parts) if is_comment else "".join([*parts, raw])
        parts = []
        line = re.sub(_COMMENT, "", line).strip()
        if line:
            yield first, line
    line = re.sub(_COMMENT, "", "".join(parts)).strip()
    if line:
        yield first, line


def _with_variables(line: str) -> str:
    """``line`` with the values of variables that are set; URLs and indexes keep their own."""
    if "${" not in line or (line.startswith("-") and split_option(line)[0] in _INDEXES):
        return line
    return re.sub(r"\S+", lambda match: _word_with_variables(match[0]), line)


def _word_with_variables(word: str) -> str:
    if "://" in word and "file://" not in word:
        return word
    return re.sub(_VARIABLE, lambda match: os.environ.get(match[1]) or match[0], word)


def _split(line: str, place: _Place) -> tuple[str, list[tuple[str, str, str]]]:
    """The requirement, and each option's name, value and text; quotes count in options only."""
    match = re.search(r"(?:^|\s)(?=-)", line)
    if match is None:
        return re.sub(r"\s+", " ", line), []
    requirement = re.sub(r"\s+", " ", line[: match.start()].strip())
    import shlex

    try:
        words = shlex.split(line[match.end() :])
    except ValueError as error:
        raise UserErrorException(
            f"{place}: cannot split {line!r} ({error}).", "Check its quotes and backslashes."
        ) from None
    options = []
    while words:
        word = words.pop(0)
        name, value = split_option(word)
        if not value and words and name not in _WITHOUT_VALUE and "=" not in word:
            # a requirement's marker or an unquoted path may have several words
            value = words.pop(0)
            while words and not words[0].startswith("-"):
                value += f" {words.pop(0)}"
            word = f"{word}={value}" if name == "--hash" else f"{word} {value}"
        options.append((name, value, word))
    return requirement, options


def _resolve_path(path: str, value: str) -> str:
    return os.path.normpath(os.path.join(os.path.dirname(path), os.path.expanduser(value)))


def _absolute(value: str, path: str) -> str:
    if "://" in value or (value.startswith("${") and not os.path.isabs(value)):
        return value
    return value if os.path.isabs(value) else _resolve_path(path, value)

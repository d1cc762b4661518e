"""The patterns of .gitignore files as regular expressions over bytes (git-scm.com/docs/gitignore).

Implemented here, not by a library, because the rules must match git exactly: the tests compare
every decision with ``git check-ignore``.
"""

from __future__ import annotations

import re

from scriptrun.spec.values import Value
from scriptrun.store import wildcards
from scriptrun.store.wildcards import ANY, FOLDERS, STAR, Piece

_SPECIAL = b"*?[\\"
_CLASSES = {
    b"alnum": rb"[0-9A-Za-z]",
    b"alpha": rb"[A-Za-z]",
    b"blank": rb"[ \t]",
    b"cntrl": rb"[\x00-\x1f\x7f]",
    b"digit": rb"[0-9]",
    b"graph": rb"[!-~]",
    b"lower": rb"[a-z]",
    b"print": rb"[ -~]",
    b"punct": rb"[!-/:-@\[-`{-~]",
    b"space": rb"[ \t-\r]",
    b"upper": rb"[A-Z]",
    b"xdigit": rb"[0-9A-Fa-f]",
}


class Pattern(Value):
    """One line of an ignore file. ``regex`` is matched in full against a path relative to it."""

    text: str
    line: int
    regex: bytes
    negated: bool
    folders_only: bool

    def targets_name(self, name: bytes) -> bool:
        """Whether the pattern names ``name`` itself, as in ``!name`` or ``!/a/name/``."""
        body = self.text.encode("utf-8", "surrogateescape").lstrip(b"!").strip(b"/")
        return body.rpartition(b"/")[2] == name


class PatternList:
    """The patterns of one ignore file; the last match decides."""

    def __init__(self, content: bytes) -> None:
        self.patterns = parse(content)
        self._file_patterns = _combine(
            [pattern for pattern in self.patterns if not pattern.folders_only]
        )
        self._folder_patterns = _combine(self.patterns)

    def find_match(self, path: bytes, is_folder: bool) -> Pattern | None:
        """The line that decides about ``path`` (relative to the file's folder), or None."""
        regex, patterns = self._folder_patterns if is_folder else self._file_patterns
        match = regex.fullmatch(path) if regex is not None else None
        return patterns[match.lastindex - 1] if match and match.lastindex else None


def _combine(patterns: list[Pattern]) -> tuple[re.Pattern[bytes] | None, list[Pattern]]:
    """One expression for all patterns, the last line first: the first match decides."""
    backwards = patterns[::-1]
    if not backwards:
        return None, []
    return re.compile(
        b"|".join(b"(%s)" % pattern.regex for pattern in backwards), re.DOTALL
    ), backwards


def parse(content: bytes) -> list[Pattern]:
    """The patterns of an ignore file's ``content``; skips lines that can match nothing."""
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    parsed = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        pattern = _parse_line(line.removesuffix(b"\r"), number)
        if pattern is not None:
            parsed.append(pattern)
    return parsed


def _parse_line(line: bytes, number: int) -> Pattern | None:
    line = line.split(b"\0", 1)[0]
    if line.startswith(b"#"):
        return None
    line = _without_trailing_spaces(line)
    negated = line.startswith(b"!")
    body = line[1:] if negated else line
    folders_only = body.endswith(b"/")
    body = body[:-1] if folders_only else body
    if not body:
        return None
    regex = _regex_of(body)
    if regex is None:
        return None
    text = line.decode("utf-8", "surrogateescape")
    return Pattern(text, number, regex, negated, folders_only)


def _without_trailing_spaces(line: bytes) -> bytes:
    """Strip trailing spaces, unless they are escaped by a backslash."""
    stripped = line.rstrip(b" ")
    backslashes = len(stripped) - len(stripped.rstrip(b"\\"))
    return stripped + b" " if backslashes % 2 and len(stripped) < len(line) else stripped


def _regex_of(body: bytes) -> bytes | None:
    if b"/" not in body:
        pieces = _pieces(body, anchored=False)
        folders: list[Piece] = [(FOLDERS, "")]
        return None if pieces is None else _regex_of_pieces(folders + pieces)
    pieces = _pieces(body.removeprefix(b"/"), anchored=True)
    return None if pieces is None else _regex_of_pieces(pieces)


def _regex_of_pieces(pieces: list[Piece]) -> bytes:
    return wildcards.regex_of(pieces).encode("latin-1")


def _pieces(glob: bytes, anchored: bool) -> list[Piece] | None:
    """The pieces of ``glob``; None if it matches nothing in git (an unclosed bracket)."""
    pieces: list[Piece] = []
    position = 0
    start = next((i for i, char in enumerate(glob) if char in _SPECIAL), len(glob))
    while position < len(glob):
        char = glob[position : position + 1]
        if char == b"*":
            kind, position = _stars(glob, position, start, anchored)
            pieces.append((kind, ""))
            continue
        if char == b"?":
            piece, position = b"[^/]", position + 1
        elif char == b"[":
            bracket = _bracket(glob, position + 1)
            if bracket is None:
                return None
            piece, position = bracket
        elif char == b"\\":
            if position + 1 >= len(glob):
                return None
            piece, position = re.escape(glob[position + 1 : position + 2]), position + 2
        else:
            piece, position = re.escape(char), position + 1
        pieces.append(("", piece.decode("latin-1")))
    return pieces


def _stars(glob: bytes, position: int, start: int, anchored: bool) -> tuple[str, int]:
    """``*`` stays within a name; ``**`` between slashes spans folders.

    git compares the text before the first wildcard separately, so a ``**`` at that position
    (``start``) counts as following a slash.
    """
    end = position
    while glob[end : end + 1] == b"*":
        end += 1
    opens = position == start or glob[position - 1 : position] == b"/"
    spans = anchored and end - position > 1 and opens
    if spans and glob[end : end + 1] == b"/":
        return FOLDERS, end + 1
    if spans and end == len(glob):
        return ANY, end
    return STAR, end


def _bracket(glob: bytes, position: int) -> tuple[bytes, int] | None:
    """The bracket expression whose content starts at ``position``: its byte set and its end."""
    negated = glob[position : position + 1] in (b"!", b"^")
    position += negated
    chosen: set[int] = set()
    first = True
    while first or glob[position : position + 1] != b"]":
        first = False
        if position >= len(glob):
            return None
        if glob[position : position + 2] == b"[:":
            end = glob.find(b"]", position + 2)
            if end < 0:
                return None
            if glob[end - 1 : end] == b":" and end - 1 >= position + 2:
                members = _CLASSES.get(glob[position + 2 : end - 1])
                if members is None:
                    return None
                chosen.update(i for i in range(256) if re.fullmatch(members, bytes([i])))
                position = end + 1
                continue
        low = _bracket_byte(glob, position)
        if low is None:
            return None
        position = low[1]
        high = low
        if glob[position : position + 1] == b"-" and glob[position + 1 : position + 2] not in (
            b"",
            b"]",
        ):
            end_of_range = _bracket_byte(glob, position + 1)
            if end_of_range is None:
                return None
            high, position = end_of_range, end_of_range[1]
        chosen.update((low[0], *range(low[0], high[0] + 1)))  # [b-a] is b, says git
    if negated:
        chosen = set(range(256)) - chosen
    return _byte_set(chosen - {ord("/")}), position + 1


def _bracket_byte(glob: bytes, position: int) -> tuple[int, int] | None:
    if glob[position : position + 1] == b"\\":
        position += 1
    return (glob[position], position + 1) if position < len(glob) else None


def _byte_set(chosen: set[int]) -> bytes:
    if not chosen:
        return b"(?!)"
    return b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(chosen)) + b"]"

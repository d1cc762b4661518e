"""The patterns of .gitignore files as regular expressions over bytes (git-scm.com/docs/gitignore).

Implemented here, not by a library, because the rules must match git exactly: the tests compare
every decision with ``git check-ignore``.
"""

from __future__ import annotations

import re

from scriptrun.spec.values import Value

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

    def names(self, name: bytes) -> bool:
        """Whether the pattern names ``name`` itself, as in ``!name`` or ``!/a/name/``."""
        body = self.text.encode("utf-8", "surrogateescape").lstrip(b"!").strip(b"/")
        return body.rpartition(b"/")[2] == name


class PatternList:
    """The patterns of one ignore file; the last match decides."""

    def __init__(self, content: bytes) -> None:
        self.patterns = parse(content)
        self._of_files = _joined([each for each in self.patterns if not each.folders_only])
        self._of_folders = _joined(self.patterns)

    def decides(self, path: bytes, is_folder: bool) -> Pattern | None:
        """The line that decides about ``path`` (relative to the file's folder), or None."""
        regex, patterns = self._of_folders if is_folder else self._of_files
        match = regex.fullmatch(path) if regex is not None else None
        return patterns[match.lastindex - 1] if match and match.lastindex else None


def _joined(patterns: list[Pattern]) -> tuple[re.Pattern[bytes] | None, list[Pattern]]:
    """One expression for all patterns, the last line first: the first match decides."""
    backwards = patterns[::-1]
    if not backwards:
        return None, []
    return re.compile(b"|".join(b"(%s)" % each.regex for each in backwards), re.DOTALL), backwards


def parse(content: bytes) -> list[Pattern]:
    """The patterns of an ignore file's ``content``; skips lines that can match nothing."""
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    found = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        pattern = _parse_line(line.removesuffix(b"\r"), number)
        if pattern is not None:
            found.append(pattern)
    return found


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
    kept = line.rstrip(b" ")
    backslashes = len(kept) - len(kept.rstrip(b"\\"))
    return kept + b" " if backslashes % 2 and len(kept) < len(line) else kept


def _regex_of(body: bytes) -> bytes | None:
    if b"/" not in body:
        rest = _glob(body, anchored=False)
        return None if rest is None else b"(?:.*/)?" + rest
    return _glob(body.removeprefix(b"/"), anchored=True)


def _glob(glob: bytes, anchored: bool) -> bytes | None:
    """``glob`` as an expression; None if it matches nothing in git (an unclosed bracket)."""
    out: list[bytes] = []
    at = 0
    start = next((i for i, char in enumerate(glob) if char in _SPECIAL), len(glob))
    while at < len(glob):
        char = glob[at : at + 1]
        if char == b"*":
            piece, at = _stars(glob, at, start, anchored)
        elif char == b"?":
            piece, at = b"[^/]", at + 1
        elif char == b"[":
            bracket = _bracket(glob, at + 1)
            if bracket is None:
                return None
            piece, at = bracket
        elif char == b"\\":
            if at + 1 >= len(glob):
                return None
            piece, at = re.escape(glob[at + 1 : at + 2]), at + 2
        else:
            piece, at = re.escape(char), at + 1
        out.append(piece)
    return b"".join(out)


def _stars(glob: bytes, at: int, start: int, anchored: bool) -> tuple[bytes, int]:
    """``*`` stays within a name; ``**`` between slashes spans folders.

    git compares the text before the first wildcard separately, so a ``**`` at that position
    (``start``) counts as following a slash.
    """
    end = at
    while glob[end : end + 1] == b"*":
        end += 1
    opens = at == start or glob[at - 1 : at] == b"/"
    spans = anchored and end - at > 1 and opens
    if spans and glob[end : end + 1] == b"/":
        return b"(?:.*/)?", end + 1
    if spans and end == len(glob):
        return b".*", end
    return b"[^/]*", end


def _bracket(glob: bytes, at: int) -> tuple[bytes, int] | None:
    """The bracket expression whose content starts at ``at``: its byte set, and where it ends."""
    negated = glob[at : at + 1] in (b"!", b"^")
    at += negated
    chosen: set[int] = set()
    first = True
    while first or glob[at : at + 1] != b"]":
        first = False
        if at >= len(glob):
            return None
        if glob[at : at + 2] == b"[:":
            end = glob.find(b"]", at + 2)
            if end < 0:
                return None
            if glob[end - 1 : end] == b":" and end - 1 >= at + 2:
                members = _CLASSES.get(glob[at + 2 : end - 1])
                if members is None:
                    return None
                chosen.update(i for i in range(256) if re.fullmatch(members, bytes([i])))
                at = end + 1
                continue
        low = _bracket_byte(glob, at)
        if low is None:
            return None
        at = low[1]
        high = low
        if glob[at : at + 1] == b"-" and glob[at + 1 : at + 2] not in (b"", b"]"):
            end_of_range = _bracket_byte(glob, at + 1)
            if end_of_range is None:
                return None
            high, at = end_of_range, end_of_range[1]
        chosen.update((low[0], *range(low[0], high[0] + 1)))  # [b-a] is b, says git
    if negated:
        chosen = set(range(256)) - chosen
    return _one_of(chosen - {ord("/")}), at + 1


def _bracket_byte(glob: bytes, at: int) -> tuple[int, int] | None:
    if glob[at : at + 1] == b"\\":
        at += 1
    return (glob[at], at + 1) if at < len(glob) else None


def _one_of(chosen: set[int]) -> bytes:
    if not chosen:
        return b"(?!)"
    return b"[" + b"".join(b"\\x%02x" % each for each in sorted(chosen)) + b"]"

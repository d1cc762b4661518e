"""IPython's syntax in cells: the one place that turns a cell into Python.

``to_calls`` writes IPython lines as the calls that IPython itself makes of them, to run the cell;
``mask`` replaces them with Python of the same length, to analyze and rewrite it.
"""

from __future__ import annotations

import ast
import re
import textwrap
from typing import NamedTuple

#: cell magics whose cell is still Python
PYTHON_MAGICS = ("time", "timeit", "capture", "prun")
#: line magics that IPython knows without their ``%``
_AUTOMAGIC_NAMES = (
    "cat cd conda config cp env less ll load_ext ls mamba matplotlib micromamba mkdir mv pip popd "
    "pushd pwd reload_ext rm rmdir run set_env store time timeit uv who whos"
)
_AUTOMAGIC = re.compile(
    r"^(?P<indent>[ \t]*)(?P<text>(?:ls|ll|pwd|who|whos)[ \t]*"
    rf"|(?:{'|'.join(_AUTOMAGIC_NAMES.split())})[ \t]+[\w\-./~\"'${{].*)$"
)
_ESCAPE = re.compile(
    r"^(?P<indent>[ \t]*)"
    r"(?P<target>[A-Za-z_*][\w.,* \t]*(?:\[[^\]=]*\])?[ \t]*(?::[ \t]*[\w.]+[ \t]*)?=[ \t]*)?"
    r"(?P<text>(?:!|%\S|%[ \t]+[A-Za-z]).*)$"
)
_HELP_BEFORE = re.compile(r"^(?P<indent>[ \t]*)(?P<text>\?.*)$")
_HELP_AFTER = re.compile(
    r"^(?P<indent>[ \t]*)(?P<name>%{0,2}[A-Za-z_*][\w.*]*(?:\[-?\d+\])*)(?P<mark>\?\??)[ \t]*$"
)
_CELL_MAGIC = re.compile(r"^[ \t]*%%(?P<name>\S*)(?: (?P<options>.*))?$")
_TIMED = re.compile(
    r"%(?:time|timeit|prun|memit)(?:[ \t]+-\w+(?:[ \t]*\d+)?)*[ \t]+(?P<code>[^-\s].*)$"
)
_STRING_OR_BRACKET = re.compile(r"'''|\"\"\"|['\"#()\[\]{}]")


class Escape(NamedTuple):
    """An IPython line: its first and last physical line, indent, target (``x = ``) and text."""

    first: int
    last: int
    indent: str
    target: str
    text: str


class CellMagic(NamedTuple):
    """The ``%%`` line of a cell: its index, the magic's name and options."""

    line: int
    name: str
    options: str


def cell_magic(lines: list[str]) -> CellMagic | None:
    """The cell's magic, which only blank lines and comments may precede."""
    for index, line in enumerate(lines):
        match = _CELL_MAGIC.match(line.rstrip())
        if match and not match["name"].endswith("?"):
            return CellMagic(index, match["name"], match["options"] or "")
        if line.strip() and not line.lstrip().startswith("#"):
            return None
    return None


def to_calls(source: str) -> str:
    """The cell as Python that calls ``get_ipython()``, with the same line numbers."""
    lines = textwrap.dedent(source).split("\n")
    magic = cell_magic(lines)
    if magic is not None:
        body = "\n".join(lines[magic.line + 1 :])
        body += "\n" if body and not body.endswith("\n") else ""
        call = f"get_ipython().run_cell_magic({magic.name!r}, {magic.options!r}, {body!r})"
        return "\n" * magic.line + call
    for escape in find_escapes(lines):
        lines[escape.first] = f"{escape.indent}{escape.target}{_call(escape)}"
        for index in range(escape.first + 1, escape.last + 1):
            lines[index] = ""
    return "\n".join(lines)


def prepare(lines: list[str]) -> list[str]:
    """Prepare a cell for IPython's own transformation, which then keeps line numbers.

    Magics get the ``%`` that they lack where the cell is not Python without it, continued lines are
    joined, and what precedes the cell's ``%%`` line is removed. Lines keep their ends.
    """
    bare = [line.rstrip("\r\n") for line in lines]
    magic = cell_magic(bare)
    if magic is not None:
        return lines[magic.line :]
    prepared = lines[:]
    for escape in find_escapes(bare):
        is_joined = escape.last > escape.first
        if is_joined or (bare[escape.first].lstrip()[:1] not in "?!%" and escape.text[:1] == "%"):
            prepared[escape.first] = f"{escape.indent}{escape.target}{escape.text}\n"
        for index in range(escape.first + 1, escape.last + 1):
            prepared[index] = "\n"
    return prepared


def is_automagic(line: str) -> bool:
    """Whether the line is a magic without its ``%``, unless its first word is a variable."""
    return _AUTOMAGIC.match(line) is not None


def find_escapes(lines: list[str]) -> list[Escape]:
    """The IPython lines of a cell that has no cell magic."""
    if parses("\n".join(lines)):
        return []
    escapes = _find(lines, automagic=False)
    if parses(_masked(lines, escapes)):
        return escapes
    with_automagic = _find(lines, automagic=True)
    return with_automagic if parses(_masked(lines, with_automagic)) else escapes


def mask(source: str) -> tuple[str, bool]:
    """Replace the IPython lines of ``source`` with Python of the same length, line by line.

    Returns False with a blank text if the result is still not valid Python.
    """
    lines = source.split("\n")
    magic = cell_magic(lines)
    if magic is not None:
        if magic.name not in PYTHON_MAGICS:
            return blank(source), True
        lines[magic.line] = blank(lines[magic.line])
    text = _masked(lines, find_escapes(lines))
    return (text, True) if parses(text) else (blank(source), False)


def timed_code(line: str) -> str | None:
    """The Python statement of a line such as ``%time x = f()``, or None."""
    match = _TIMED.match(line.strip())
    return match["code"] if match and parses(match["code"]) else None


def blank(text: str) -> str:
    """``text`` with blanks for everything but its line ends."""
    return re.sub(r"[^\r\n]", " ", text)


def parses(text: str) -> bool:
    """Whether ``text`` is valid Python."""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _find(lines: list[str], automagic: bool) -> list[Escape]:
    escapes, index = [], 0
    while index < len(lines):
        escape = _escape_at(lines, index, automagic)
        if escape is not None:
            escapes.append(escape)
        index = (_statement_end(lines, index) if escape is None else escape.last) + 1
    return escapes


def _escape_at(lines: list[str], index: int, automagic: bool) -> Escape | None:
    line = lines[index].rstrip("\r")
    after = _HELP_AFTER.match(line)
    if after is not None:
        return Escape(index, index, after["indent"], "", f"{after['mark']}{after['name']}")
    match = _ESCAPE.match(line) or _HELP_BEFORE.match(line)
    mark = ""
    if match is None and automagic:
        match, mark = _AUTOMAGIC.match(line), "%"
    if match is None:
        return None
    last = index
    while last + 1 < len(lines) and lines[last].rstrip("\r").endswith("\\"):
        last += 1
    parts = [match["text"], *lines[index + 1 : last + 1]]
    text = " ".join([*(part.rstrip()[:-1] for part in parts[:-1]), parts[-1].rstrip()])
    return Escape(
        index, last, match["indent"], match.groupdict().get("target") or "", f"{mark}{text}"
    )


def _statement_end(lines: list[str], index: int) -> int:
    """The index of the last physical line of the statement that begins at ``index``."""
    depth, quote = 0, ""
    for number in range(index, len(lines)):
        line = lines[number].rstrip("\r")
        depth, quote = _scan(line, depth, quote)
        if not quote and depth <= 0 and not line.endswith("\\"):
            return number
    return len(lines) - 1


def _scan(line: str, depth: int, quote: str) -> tuple[int, str]:
    """The depth of brackets and the open string's quote at the end of ``line``."""
    position = 0
    while True:
        pattern = re.compile(rf"\\.|{quote}") if quote else _STRING_OR_BRACKET
        match = pattern.search(line, position)
        if match is None:
            break
        position, token = match.end(), match[0]
        if quote:
            quote = "" if token == quote else quote
        elif token == "#":
            break
        elif token in "()[]{}":
            depth += 1 if token in "([{" else -1
        else:
            quote = token
    return depth, quote if len(quote) == 3 or line.endswith("\\") else ""


def _call(escape: Escape) -> str:
    """What IPython calls for the line."""
    text = escape.text
    if text.startswith("!"):
        captures = text.startswith("!!") and not escape.target
        method = "getoutput" if captures or escape.target else "system"
        return f"get_ipython().{method}({text[2 if captures else 1 :]!r})"
    if text.startswith("?"):
        name = text.lstrip("?") if text[:2] == "??" else text[1:]
        if not name:
            return "get_ipython().show_usage()"
        magic = "pinfo2" if text[:2] == "??" else "psearch" if "*" in name else "pinfo"
        return f"get_ipython().run_line_magic({magic!r}, {name!r})"
    name, _, arguments = text[1:].partition(" ")
    return f"get_ipython().run_line_magic({name!r}, {arguments!r})"


def _masked(lines: list[str], escapes: list[Escape]) -> str:
    masked = lines[:]
    for escape in escapes:
        line = lines[escape.first]
        end = "\r" if line.endswith("\r") else ""
        masked[escape.first] = _placeholder(line.removesuffix("\r"), escape) + end
        for index in range(escape.first + 1, escape.last + 1):
            masked[index] = blank(lines[index])
    return "\n".join(masked)


def _placeholder(line: str, escape: Escape) -> str:
    """A statement of the same length that binds the same names as the line."""
    start = f"{escape.indent}{escape.target}"
    width = len(line) - len(start)
    code = None if escape.target or escape.first != escape.last else timed_code(line)
    if code is not None:
        magic_width = len(line.rstrip()) - len(start) - len(code) - 1
        return f"{start}{'0':<{magic_width}};{line[len(start) + magic_width + 1 :]}"
    if escape.target or width < 4:
        return f"{start}{'0':<{width}}"
    return f"{start}{'pass':<{width}}"

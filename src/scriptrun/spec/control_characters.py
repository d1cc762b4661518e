r"""Clean text that others wrote before it reaches a terminal.

A name, tag, metric or log can hold sequences that move the cursor, set the clipboard or reverse the
reading order. ``escape`` makes them visible (``\x1b``); ``LogCleaner`` removes them from a log and
keeps its colours.
"""

from __future__ import annotations

import codecs

from scriptrun.runtime.injob.errors import CONTROL_ESCAPES

_ONE_LINE = {**CONTROL_ESCAPES, 9: " ", 10: " ", 0x2028: " ", 0x2029: " "}
#: a log's bytes that are not UTF-8 are U+DC80 and on (``surrogateescape``)
_IN_LOGS = {
    **CONTROL_ESCAPES,
    13: "\r",
    **{0xDC00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0xA0)},
    **dict.fromkeys((*range(9), 11, 12, *range(14, 27), *range(28, 32), 127), ""),
}


def escape(text: str) -> str:
    """``text`` with control characters and bidirectional controls as escapes, such as ``\\x1b``.

    Tabs and newlines stay.
    """
    return text.translate(CONTROL_ESCAPES)


def one_line(text: str) -> str:
    """``text`` as ``escape`` returns it, with spaces for tabs and line breaks."""
    return text.translate(_ONE_LINE)


class LogCleaner:
    """Cleans a log that arrives in pieces, as bytes.

    It keeps colours and other text attributes (SGR), tabs, line ends and the carriage returns by
    which progress bars redraw their line. It removes all other escape sequences, also those that
    are split between two pieces, and C0 controls. It shows C1 controls and bidirectional controls
    as escapes. A sequence without an end stops at the end of its line, so that it hides no others.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._sequence = ""
        #: whether colours are on at the end of what was cleaned
        self.is_coloured = False

    def clean(self, data: bytes, final: bool = False) -> bytes:
        """The next piece, cleaned; ``final`` ends the log."""
        text = self._decoder.decode(data, final)
        if not self._sequence and "\x1b" not in text:
            return _encode(text.translate(_IN_LOGS))
        parts: list[str] = []
        position = 0
        while position < len(text):
            if self._sequence:
                position = self._continue_sequence(text, position, parts)
                continue
            start = text.find("\x1b", position)
            end = len(text) if start < 0 else start
            parts.append(text[position:end].translate(_IN_LOGS))
            position = end
            if start >= 0:
                self._sequence = "\x1b"
                position += 1
        return _encode("".join(parts))

    def _continue_sequence(self, text: str, position: int, parts: list[str]) -> int:
        """Read on in the open sequence; return the position after what belongs to it."""
        char = text[position]
        kind = self._sequence[1:2]
        if char in "\n\r\x18\x1a":
            self._sequence = ""  # the sequence is broken off
            return position
        if char == "\x1b":
            self._sequence = "\x1b"  # another begins, or a string ends
        elif kind == "[":
            self._continue_csi(char, parts)
        elif kind:  # a string: OSC, DCS, SOS, PM or APC
            self._sequence = "" if char == "\a" else self._sequence
        elif char in _STRINGS or char == "[":
            self._sequence += char
        elif not " " <= char <= "/":  # ESC, intermediates, and this final character
            self._sequence = ""
            return position + ("0" <= char <= "~")
        return position + 1

    def _continue_csi(self, char: str, parts: list[str]) -> None:
        """CSI: parameters, and a final character; only SGR is kept."""
        if " " <= char <= "?":
            # what is longer than any SGR is none
            self._sequence = (self._sequence + char)[:_LONGEST_SGR]
            return
        parameters = self._sequence[2:]
        if char == "m" and len(self._sequence) < _LONGEST_SGR and not parameters.strip(_SGR):
            parts.append(f"{self._sequence}m")
            self.is_coloured = parameters.strip("0") != ""
        self._sequence = ""
        if not "@" <= char <= "~":
            parts.append(char.translate(_IN_LOGS))


#: what follows ESC and begins a string
_STRINGS = "]PX^_"
#: the characters of an SGR sequence's parameters
_SGR = "0123456789;:"
_LONGEST_SGR = 100


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")

"""Change the arguments of a call in place, preserving comments and line breaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import libcst as cst

from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program


class ArgumentComment(NamedTuple):
    """A comment above an argument, or behind it on its line; ``keyword`` is the argument's."""

    text: str
    keyword: str
    is_behind: bool


class Arguments:
    """Collects changes to the arguments of ``call``; ``edits()`` returns them.

    ``comments`` are those of dropped arguments.
    """

    comments: list[ArgumentComment]

    def __init__(self, program: Program, call: cst.Call) -> None:
        self.program, self.call = program, call
        self._edits: list[Edit] = []
        self._dropped: set[int] = set()
        self._added: list[str] = []
        self.comments = []
        spans = [program.span(arg) for arg in call.args]
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]
        self._close_offset = program.span(call)[1] - 1

    def rename(self, arg: cst.Arg, keyword: str) -> None:
        """Change the keyword of the argument."""
        if arg.keyword is not None:
            self._edits.append(Edit(*self.program.span(arg.keyword), keyword))

    def replace(self, arg: cst.Arg, text: str) -> None:
        """Replace the argument with ``text``, which may be several arguments."""
        self._edits.append(Edit(*self.program.span(arg), text))

    def drop(self, arg: cst.Arg) -> None:
        """Remove the argument and move its comments to ``comments``."""
        self._dropped.add(self._index(arg))

    def take_comment(self, arg: cst.Arg) -> None:
        """Move the comment behind the argument to ``comments``."""
        index = self._index(arg)
        end = self._end_with_comma(index)
        text = self.program.text[self._ends[index] : end]
        if "#" in text:
            start = self._ends[index] + len(text.partition("#")[0].rstrip())
            self._add_comment(text[text.index("#") :], arg, is_behind=True)
            self._edits.append(Edit(start, end, ""))

    def add(self, text: str) -> None:
        """Add an argument ``NAME=VALUE`` at the end, spaced like the others."""
        name, _, value = text.partition("=")
        self._added.append(f"{name}{self.equals()}{value}")

    def equals(self) -> str:
        """The equals sign between a name and a value, with the spaces that the call has."""
        signs = [arg.equal for arg in self.call.args if isinstance(arg.equal, cst.AssignEqual)]
        spaced = [
            sign
            for sign in signs
            if isinstance(sign.whitespace_before, cst.SimpleWhitespace)
            and sign.whitespace_before.value
        ]
        return " = " if len(spaced) * 2 > len(signs) else "="

    def join(self, arg: cst.Arg, texts: list[str]) -> str:
        """Join arguments that replace ``arg``, laid out like those around it."""
        return f",{self._gap(self._index(arg), 0)}".join(texts)

    def _index(self, arg: cst.Arg) -> int:
        return next(index for index, candidate in enumerate(self.call.args) if candidate is arg)

    def edits(self, name: str, func: cst.BaseExpression) -> list[Edit]:
        """All edits, including the one that replaces ``func`` (or a part of it) with ``name``."""
        self._edits.append(Edit(*self.program.span(func), name))
        for first, last in self._dropped_groups():
            self._cut(first, last)
        self._fix_last_comma()
        shift = self._shift(name, func)
        self._insert(shift)
        return self._edits

    # removing arguments

    def _add_comment(self, text: str, arg: cst.Arg, is_behind: bool) -> None:
        keyword = arg.keyword.value if arg.keyword is not None else ""
        self.comments.append(ArgumentComment(text, keyword, is_behind))

    def _end_with_comma(self, index: int) -> int:
        """Where the argument ends, including its comma and the comment on its line."""
        stop = self._starts[index + 1] if index + 1 < len(self._starts) else self._close_offset
        text = self.program.text[self._ends[index] : stop]
        line = text.splitlines()[0] if text else ""
        if len(line) < len(text):
            return self._ends[index] + len(line.rstrip())
        return self._ends[index] + len(text.rstrip())

    def _dropped_groups(self) -> list[tuple[int, int]]:
        """The first and the last of each row of neighbouring arguments that are dropped."""
        groups: list[tuple[int, int]] = []
        for index in sorted(self._dropped):
            if groups and groups[-1][1] == index - 1:
                groups[-1] = (groups[-1][0], index)
            else:
                groups.append((index, index))
        return groups

    def _cut(self, first: int, last: int) -> None:
        """Remove the arguments from ``first`` to ``last``, with one comma for each."""
        text = self.program.text
        begin, end = self._cut_span(first, last)
        bounds = [begin, *self._ends[first : last + 1]]
        gaps = zip(bounds, [*self._starts[first : last + 1], end], strict=True)
        for number, (start, stop) in enumerate(gaps, first):
            for is_behind, comment in _comments(text[start:stop], number > first):
                index = number - 1 if is_behind else min(number, last)
                self._add_comment(comment, self.call.args[index], is_behind)
        self._edits.append(Edit(begin, end, self._line_break(first, begin, end)))

    def _cut_span(self, first: int, last: int) -> tuple[int, int]:
        end, comma = self._end_with_comma(last), self._comma_after(last)
        has_next = last + 1 < len(self._starts)
        if first == 0:
            open_offset = self._open_offset()
            if has_next and "\n" not in self.program.text[open_offset : self._starts[0]]:
                return open_offset, self._starts[last + 1]  # the next argument moves up
            if has_next and comma is not None and comma >= end:
                return self._starts[0], self._starts[last + 1]
            return open_offset, end
        begin, comma_before = self._end_with_comma(first - 1), self._comma_after(first - 1)
        if comma_before is not None and comma_before < begin:
            return begin, end if comma is None or comma < end else comma + 1
        return begin, self._ends[last] if has_next and comma is not None and comma < end else end

    def _line_break(self, first: int, begin: int, end: int) -> str:
        """What replaces the cut arguments: a line break, where else a comment would go on."""
        text = self.program.text
        line = text[self._ends[first - 1] : begin].rpartition("\n")[2] if first else ""
        follows = text[end:].lstrip(" \t")
        if "#" not in line or follows.startswith(("\n", "\r")):
            return ""
        start = self._starts[first]
        before = text[self.program.lines.starts[self.program.lines.line(start) - 1] : start]
        indent = before[: len(before) - len(before.lstrip(" \t"))]
        return self.program.newline + (indent[:-1] if text[end] == " " else indent)

    def _open_offset(self) -> int:
        """The offset right after the call's opening parenthesis."""
        end = self.program.span(self.call.func)[1]
        return self.program.text.index("(", end) + 1

    def _remaining(self) -> list[int]:
        return [index for index in range(len(self._starts)) if index not in self._dropped]

    def _fix_last_comma(self) -> None:
        """Remove the comma after the new last argument if the old last one had none."""
        remaining, last_index = self._remaining(), len(self._starts) - 1
        if (
            not remaining
            or remaining[-1] == last_index
            or isinstance(self.call.args[last_index].comma, cst.Comma)
        ):
            return
        comma = self._comma_after(remaining[-1])
        is_removed = any(edit.start <= (comma or 0) < edit.end for edit in self._edits)
        if comma is not None and not is_removed:
            self._edits.append(Edit(comma, comma + 1, ""))

    def _comma_after(self, index: int) -> int | None:
        """The offset of the comma after the argument, which may follow comments; None if none."""
        offset, text = self._ends[index], self.program.text
        stop = self._starts[index + 1] if index + 1 < len(self._starts) else self._close_offset
        while offset < stop and text[offset] != ",":
            offset = text.index("\n", offset) if text[offset] == "#" else offset + 1
        return offset if offset < stop else None

    # adding arguments

    def _insert(self, shift: int) -> None:
        if not self._added:
            return
        remaining = self._remaining()
        if not remaining:
            offset = self._open_offset()
            self._edits.append(Edit(offset, offset, ", ".join(self._added)))
            return
        last_index = remaining[-1]
        gap = self._gap(last_index, shift)
        end = self._ends[last_index]
        following = self.program.text[end : self._end_with_comma(last_index)]
        if "#" in following:
            text = "".join(f"{argument},{gap}" for argument in self._added)
            self._edits.append(Edit(self._starts[last_index], self._starts[last_index], text))
        else:
            text = "".join(f",{gap}{new_argument}" for new_argument in self._added)
            self._edits.append(Edit(end, end, text))

    def _gap(self, index: int, shift: int) -> str:
        """What separates two arguments: a space, or a line break with indentation."""
        start = self._starts[index]
        column = start - self.program.lines.starts[self.program.lines.line(start) - 1]
        before = self.program.text[start - column : start]
        if before.strip():
            if len(self._starts) > 1 or self._is_short():
                return " "
            return self.program.newline + " " * (column + shift)
        if "\t" in before or column < self._open_column():
            shift = 0  # not aligned with the parenthesis
        indent = before + " " * shift if shift >= 0 else before[:shift]
        return self.program.newline + indent

    def _is_short(self) -> bool:
        start, end = self.program.span(self.call)
        return end - start + sum(map(len, self._added)) < 80

    # realigning lines

    def _shift(self, name: str, func: cst.BaseExpression) -> int:
        """By how much to move lines that are aligned with the call's parenthesis."""
        open_offset = self._open_offset()
        if not self._starts or self.program.lines.line(open_offset) != self.program.lines.line(
            self._starts[0]
        ):
            return 0
        start, end = self.program.span(func)
        return len(name) - (end - start)

    def _open_column(self) -> int:
        """The column right after the call's parenthesis."""
        open_offset = self._open_offset()
        return open_offset - self.program.lines.starts[self.program.lines.line(open_offset) - 1]


def _comments(text: str, follows_argument: bool) -> Iterator[tuple[bool, str]]:
    """The comments in ``text``, otherwise commas and whitespace, and which is on its first line."""
    for number, line in enumerate(text.splitlines()):
        if "#" in line:
            yield number == 0 and follows_argument, line[line.index("#") :].rstrip()

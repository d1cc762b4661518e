"""Change the arguments of a call in place, preserving comments and line breaks."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program


class Arguments:
    """Collects changes to the arguments of ``call``; ``edits()`` returns them.

    ``comments`` are those of dropped arguments.
    """

    def __init__(self, program: Program, call: cst.Call) -> None:
        self.program, self.call = program, call
        self._edits: list[Edit] = []
        self._gone: set[int] = set()
        self._new: list[str] = []
        self.comments: list[str] = []
        spans = [program.span(arg) for arg in call.args]
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]
        self._close = program.span(call)[1] - 1
        self._cut_to = 0

    def rename(self, arg: cst.Arg, keyword: str) -> None:
        """Change the keyword of the argument."""
        if arg.keyword is not None:
            self._edits.append(Edit(*self.program.span(arg.keyword), keyword))

    def replace(self, arg: cst.Arg, text: str) -> None:
        """Replace the argument with ``text``, which may be several arguments."""
        self._edits.append(Edit(*self.program.span(arg), text))

    def drop(self, arg: cst.Arg) -> None:
        """Remove the argument and move its comments to ``comments``."""
        self._gone.add(self._index(arg))

    def add(self, text: str) -> None:
        """Add an argument at the end."""
        self._new.append(text)

    def joined(self, arg: cst.Arg, texts: list[str]) -> str:
        """Join arguments that replace ``arg``, laid out like those around it."""
        return f",{self._gap(self._index(arg), 0)}".join(texts)

    def _index(self, arg: cst.Arg) -> int:
        return next(at for at, each in enumerate(self.call.args) if each is arg)

    def edits(self, name: str, func: cst.BaseExpression) -> list[Edit]:
        """All edits, including the one that replaces ``func`` (or a part of it) with ``name``."""
        self._edits.append(Edit(*self.program.span(func), name))
        for at in sorted(self._gone):
            self._cut(at)
        self._mend_end()
        shift = self._shift(name, func)
        self._insert(shift)
        return [*self._edits, *self._shifted(shift)]

    # removing arguments

    def _after(self, at: int) -> int:
        """Where the argument ends, including its comma and the comment on its line."""
        stop = self._starts[at + 1] if at + 1 < len(self._starts) else self._close
        text = self.program.text[self._ends[at] : stop]
        line = text.splitlines()[0] if text else ""
        if len(line) < len(text):
            return self._ends[at] + len(line.rstrip())
        return self._ends[at] + len(text.rstrip())

    def _cut(self, at: int) -> None:
        text = self.program.text
        begin = max(self._after(at - 1) if at else self._open(), self._cut_to)
        end = self._after(at)
        if at == 0 and "\n" not in text[begin : self._starts[0]] and len(self._starts) > 1:
            end = self._starts[1]  # the next argument moves up
        elif self._leads(at):
            begin, end = max(self._starts[at], self._cut_to), self._starts[at + 1]
        self.comments += _comments(self.program, text[begin : self._starts[at]])
        self.comments += _comments(self.program, text[self._ends[at] : end])
        self._edits.append(Edit(begin, end, ""))
        self._cut_to = end

    def _leads(self, at: int) -> bool:
        """Whether it and all before it are dropped, and the comma leads the next line."""
        if at + 1 == len(self._starts) or not self._gone.issuperset(range(at + 1)):
            return False
        between = self.program.text[self._ends[at] : self._starts[at + 1]]
        first, newline, _ = between.partition("\n")
        return bool(newline) and "," not in first.partition("#")[0]

    def _open(self) -> int:
        """The offset right after the call's opening parenthesis."""
        end = self.program.span(self.call.func)[1]
        return self.program.text.index("(", end) + 1

    def _kept(self) -> list[int]:
        return [at for at in range(len(self._starts)) if at not in self._gone]

    def _mend_end(self) -> None:
        """Remove the comma after the new last argument if the old last one had none."""
        kept, last = self._kept(), len(self._starts) - 1
        if not kept or kept[-1] == last or isinstance(self.call.args[last].comma, cst.Comma):
            return
        at = self.program.text.index(",", self._ends[kept[-1]])
        if not any(each.start <= at < each.end for each in self._edits):  # already removed
            self._edits.append(Edit(at, at + 1, ""))

    # adding arguments

    def _insert(self, shift: int) -> None:
        if not self._new:
            return
        kept = self._kept()
        if not kept:
            place = self._open()
            self._edits.append(Edit(place, place, ", ".join(self._new)))
            return
        last = kept[-1]
        gap = self._gap(last, shift)
        end = self._ends[last]
        following = self.program.text[end : self._after(last)]
        if "#" in following:
            text = "".join(f"{each},{gap}" for each in self._new)
            self._edits.append(Edit(self._starts[last], self._starts[last], text))
        else:
            text = "".join(f",{gap}{each}" for each in self._new)
            self._edits.append(Edit(end, end, text))

    def _gap(self, at: int, shift: int) -> str:
        """What separates two arguments: a space, or a line break with indentation."""
        start = self._starts[at]
        column = start - self.program.lines.starts[self.program.lines.line(start) - 1]
        before = self.program.text[start - column : start]
        if before.strip():
            if len(self._starts) > 1 or self._short():
                return " "
            return self.program.newline + " " * (column + shift)
        if "\t" in before or column < self._column():
            shift = 0  # not aligned with the parenthesis
        moved = before + " " * shift if shift >= 0 else before[:shift]
        return self.program.newline + moved

    def _short(self) -> bool:
        start, end = self.program.span(self.call)
        return end - start + sum(map(len, self._new)) < 80

    # realigning lines

    def _shift(self, name: str, func: cst.BaseExpression) -> int:
        """By how much to move lines that are aligned with the call's parenthesis."""
        opened = self._open()
        if not self._starts or self.program.lines.line(opened) != self.program.lines.line(
            self._starts[0]
        ):
            return 0
        start, end = self.program.span(func)
        return len(name) - (end - start)

    def _column(self) -> int:
        """The column right after the call's parenthesis."""
        opened = self._open()
        return opened - self.program.lines.starts[self.program.lines.line(opened) - 1]

    def _shifted(self, shift: int) -> list[Edit]:
        if not shift or self._has_long_text():
            return []
        lines, opened, column = self.program.lines, self._open(), self._column()
        made = []
        for number in range(lines.line(opened) + 1, lines.line(self._close) + 1):
            start = lines.starts[number - 1]
            if any(edit.start < start < edit.end for edit in self._edits):
                continue
            line = self.program.text[start : start + column]
            if line.strip(" ") or not self.program.text[start:].strip():
                continue  # not aligned with the parenthesis, or empty
            made.append(
                Edit(start, start, " " * shift) if shift > 0 else Edit(start, start - shift, "")
            )
        return made

    def _has_long_text(self) -> bool:
        start, end = self.program.span(self.call)
        return '"""' in self.program.text[start:end] or "'''" in self.program.text[start:end]


def _comments(program: Program, text: str) -> list[str]:
    """The comments in ``text``, which otherwise has only commas and whitespace."""
    return [line[line.index("#") :].rstrip() for line in text.splitlines() if "#" in line]

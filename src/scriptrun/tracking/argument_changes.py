"""Change some of a script's arguments, and leave all others as they are and where they are.

What an argument's name and values are is what ``parameters`` says. An argument keeps the form that
it has: ``lr=0.1`` changed by ``--lr 0.3`` is ``lr=0.3``. One that is missing is appended.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from scriptrun.query import numbers
from scriptrun.spec import suggestion
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.values import Value
from scriptrun.tracking import parameters
from scriptrun.tracking.parameters import Argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    #: a word of the original by its position, or a new one
    Word = int | str

REPLACE_HINT = "To replace all arguments, use --replace-args."
_NO = "no_"
#: a word of a shell command, with its quotes; nothing that a shell does more with than expand it
_SHELL_WORD = r"""(?:[^\s'"\\|&;<>()`#]|(?<=\S)#|'[^']*'|"(?:[^"\\`]|\\.)*"|\\[^\n])+"""


class Edit(Value):
    """New words in place of those from ``start`` to ``end``; of the positions, those stay."""

    start: int
    end: int
    words: tuple[Word, ...] = ()


class NamedChange(Value):
    """One argument that was changed: its words before and after; none where it is new or gone."""

    before: tuple[str, ...]
    after: tuple[str, ...]

    def __str__(self) -> str:
        before, after = (parameters.quoted_arguments(words) for words in (self.before, self.after))
        if self.before and self.after:
            return f"{before} -> {after}"
        return f"added {after}" if self.after else f"removed {before}"


def change(words: Sequence[str], given: Sequence[str], is_command: bool = False) -> list[Edit]:
    """The edits of ``words`` that give arguments the values that they have in ``given``.

    New ones go before a ``--``; in a command, to the end, as its script may come after that.
    Raises UserErrorException for words in ``given`` that have no name, and where it is unclear
    which words are an argument's values.
    """
    return _Change(words, parse_given(given), is_command).edits()


def remove(words: Sequence[str], names: Sequence[str]) -> list[Edit]:
    """The edits that remove the arguments of these names. Raises UserErrorException if none has."""
    found = parameters.parse(words)
    edits = []
    for text in names:
        name = _canonical(text)
        matching = [argument for argument in found if argument.name == name]
        if not matching:
            known = [argument.name for argument in found]
            raise UserErrorException(
                f"The run has no argument {text!r}.", suggestion.hint(name, known, "Arguments")
            )
        edits += [Edit(argument.start, argument.end) for argument in matching]
    return edits


def apply(words: Sequence[str], edits: Sequence[Edit]) -> list[Word]:
    """``words`` after ``edits``: the positions of those that stay, and the new ones."""
    changed: list[Word] = []
    position = 0
    for edit in sorted(edits, key=lambda each: (each.start, each.end)):
        changed += [*range(position, edit.start), *edit.words]
        position = max(position, edit.end)
    return [*changed, *range(position, len(words))]


def named_changes(words: Sequence[str], edits: Sequence[Edit]) -> list[NamedChange]:
    """What ``edits`` change, one argument each."""
    texts = [
        NamedChange(tuple(words[edit.start : edit.end]), tuple(texts_of(words, edit.words)))
        for edit in edits
    ]
    return [text for text in texts if text.before != text.after]


def texts_of(words: Sequence[str], changed: Sequence[Word]) -> list[str]:
    """The words that ``apply`` returns, as texts."""
    return [words[word] if isinstance(word, int) else word for word in changed]


def change_all(
    words: Sequence[str], given: Sequence[str], names: Sequence[str] = ()
) -> tuple[list[str], list[NamedChange]]:
    """``words`` after ``remove`` of ``names`` and ``change``, and what was changed."""
    removal = remove(words, names)
    kept = texts_of(words, apply(words, removal))
    edits = change(kept, given)
    done = [*named_changes(words, removal), *named_changes(kept, edits)]
    return texts_of(kept, apply(kept, edits)), done


def change_command(
    line: str, given: Sequence[str], names: Sequence[str] = ()
) -> tuple[str, list[NamedChange]]:
    """A shell line after ``remove`` of ``names`` and ``change``, and what was changed.

    What stays is written as before, but for spaces between words. Raises UserErrorException for a
    line of several commands.
    """
    import shlex

    matches = [*re.finditer(_SHELL_WORD, line)]
    rest = re.sub(_SHELL_WORD, "", line)
    if rest.strip() or "\n" in line:
        raise UserErrorException(
            f"Cannot change the arguments of the shell line {parameters.masked_command(line)}",
            "Only those of a single command without pipes and redirections can be changed.",
        )
    words = [" ".join(shlex.split(match[0])) for match in matches]
    raw = [match[0] for match in matches]
    removal = remove(words, names)
    stay = apply(words, removal)
    kept, raw = texts_of(words, stay), _rewritten(raw, stay)
    edits = change(kept, given, is_command=True)
    done = [*named_changes(words, removal), *named_changes(kept, edits)]
    return (" ".join(_rewritten(raw, apply(kept, edits))) if done else line), done


def _rewritten(raw: Sequence[str], changed: Sequence[Word]) -> list[str]:
    """The words of a shell line, with its own quotes or, where they are new, with new ones."""
    import shlex

    return [raw[word] if isinstance(word, int) else shlex.quote(word) for word in changed]


def parse_given(given: Sequence[str]) -> list[Argument]:
    """The arguments in ``given``; all words after an option are its values.

    Raises UserErrorException for a word without a name.
    """
    found: list[Argument] = []
    for argument in parameters.parse(given):
        _refuse_unnamed(given, found[-1].end if found else 0, argument.start)
        found.append(argument if argument.joined else _with_all_values(given, argument))
    _refuse_unnamed(given, found[-1].end if found else 0, len(given))
    return found


def _with_all_values(given: Sequence[str], option: Argument) -> Argument:
    ends = parameters.end_of_plain_words if parameters.is_secret(option.name) else _end_of_values
    end = ends(given, option.start + 1)
    return option.replace(values=tuple(given[option.start + 1 : end]), end=end)


def _refuse_unnamed(given: Sequence[str], start: int, end: int) -> None:
    for word in given[start:end]:
        raise UserErrorException(
            f"{word!r} has no name, so it is unknown which argument of the run it changes.",
            f"Use --NAME VALUE or NAME=VALUE. {REPLACE_HINT}",
        )


def _end_of_values(words: Sequence[str], start: int) -> int:
    """Where the plain words end that begin at ``start``."""
    end = start
    while end < len(words) and parameters.is_value(words[end]):
        end += 1
    return end


def _canonical(text: str) -> str:
    """The name in ``--learning-rate``, ``learning-rate`` or ``learning_rate=``."""
    found = parameters.parse([f"--{text.lstrip('-').rstrip('=')}"])
    return found[0].name if found else text


class _Change:
    """The change of ``words`` by ``given``."""

    def __init__(
        self, words: Sequence[str], given: Sequence[Argument], is_command: bool = False
    ) -> None:
        self.words, self.found = words, parameters.parse(words)
        self.given = self._with_values(given)
        self.names = {argument.name for argument in self.found}
        #: where new arguments go
        self.end = len(words) if is_command or "--" not in words else words.index("--")

    def _with_values(self, given: Sequence[Argument]) -> list[Argument]:
        """``given``: what looks like an override is the value of an option that has one now."""
        options = {each.name for each in self.found if each.is_option and each.values}
        joined: list[Argument] = []
        for argument in given:
            flag = joined[-1] if joined else argument
            is_bare = flag.is_option and not flag.values and flag.end == argument.start
            if is_bare and not argument.is_option and flag.name in options:
                value = argument.head + argument.values[0]
                joined[-1] = flag.replace(values=(value,), end=argument.end)
            else:
                joined.append(argument)
        return joined

    def edits(self) -> list[Edit]:
        """All edits."""
        return [edit for group in self._groups() for edit in self._edits_of(group)]

    def _groups(self) -> Iterator[list[Argument]]:
        """The given arguments by name, without flags that only lead to a missing override."""
        groups: dict[str, list[Argument]] = {}
        for argument in self.given:
            if not self._leads(argument):
                groups.setdefault(argument.name, []).append(argument)
        yield from groups.values()

    def _leads(self, flag: Argument) -> bool:
        """Whether a flag belongs to a missing override after it, as in ``--set x=1``."""
        after = [each for each in self.given if each.start == flag.end]
        is_flag = flag.is_option and not flag.values
        return is_flag and any(not each.is_option and each.name not in self.names for each in after)

    def _edits_of(self, group: list[Argument]) -> list[Edit]:
        if not any(argument.values for argument in group):
            return self._set_flag(group[-1])
        old = [argument for argument in self.found if argument.name == group[0].name]
        if not old:
            words = [word for argument in group for word in self._given_words(argument)]
            return [Edit(self.end, self.end, tuple(words))]
        edits = [self._replaced(before, after) for before, after in zip(old, group, strict=False)]
        edits += [Edit(surplus.start, surplus.end) for surplus in old[len(group) :]]
        more = [word for argument in group[len(old) :] for word in self._given_words(argument)]
        return edits if not more else [*edits, Edit(edits[-1].end, edits[-1].end, tuple(more))]

    def _set_flag(self, flag: Argument) -> list[Edit]:
        """Set a flag: ``--x`` in place of ``--no-x`` and the reverse, if that counts now."""
        opposite = flag.name.removeprefix(_NO) if flag.name.startswith(_NO) else _NO + flag.name
        both = [argument for argument in self.found if argument.name in (flag.name, opposite)]
        last = both[-1] if both else None
        if last is not None and last.name == flag.name:
            if last.values and not last.joined:
                words = parameters.quoted_arguments(self.words[last.start : last.end])
                raise UserErrorException(
                    f"{flag.head} has no value; the run has {words}.",
                    f"Use {flag.head} VALUE. {REPLACE_HINT}",
                )
            is_set = not last.joined
            return [] if is_set else [Edit(last.start, last.end, (self._bare(last),))]
        if last is not None and not last.values:
            return [Edit(last.start, last.end, (flag.head,))]
        return [Edit(self.end, self.end, (flag.head,))]

    def _given_words(self, argument: Argument) -> list[str]:
        """A new argument, as it was given."""
        if argument.joined:
            leading = [
                each.head
                for each in self.given
                if each.end == argument.start and not argument.is_option and self._leads(each)
            ]
            return [*leading, argument.head + argument.values[0]]
        return [argument.head, *argument.values]

    def _replaced(self, old: Argument, new: Argument) -> Edit:
        """``old`` with the values of ``new``, in its own form."""
        values = new.values
        end = old.end if old.joined else self._end(old, len(values))
        if not old.is_option:
            return Edit(old.start, end, (self._override(old, new),))
        if old.joined and len(values) == 1 and self._fits(old, values[0]):
            same = values == old.values
            return Edit(old.start, end, (old.start if same else old.head + values[0],))
        bare = self._bare(old)
        if len(values) == 1 and self._needs_joining(bare, values[0]):
            return Edit(old.start, end, (f"{bare}={values[0]}",))
        head: Word = bare if old.joined else old.start
        return Edit(old.start, end, (head, *values))

    def _end(self, old: Argument, count: int) -> int:
        """Where the values of an option end that now gets ``count``."""
        if not count:
            return old.start + 1
        plain = _end_of_values(self.words, old.start + 1) - old.start - 1
        if count == 1 or len(old.values) > 1:
            return old.end
        if plain > count:
            words = " ".join(self.words[old.start : old.start + 1 + plain])
            raise UserErrorException(
                f"It is unknown which words of {words!r} are values of {old.head}.", REPLACE_HINT
            )
        return old.start + 1 + plain

    def _override(self, old: Argument, new: Argument) -> Word:
        if len(new.values) != 1:
            raise UserErrorException(
                f"{old.head}{old.values[0]} can only get a single value.",
                f"Write {old.head}VALUE. {REPLACE_HINT}",
            )
        if new.values == old.values and (new.is_option or new.head == old.head):
            return old.start
        return (old.head if new.is_option or new.head[:1] != "+" else new.head) + new.values[0]

    def _fits(self, old: Argument, value: str) -> bool:
        """Whether the value can be joined to the option: only a number to ``-b``."""
        return old.head.endswith("=") or (
            value[:1].isdigit() and numbers.parse_number(value) is not None
        )

    def _needs_joining(self, bare: str, value: str) -> bool:
        """Whether the value would be taken for an argument of its own in the next word."""
        if not parameters.is_plain(value):
            return True
        is_long = bare.startswith("--")
        return is_long and not parameters.is_value(value) and not parameters.is_secret(bare)

    def _bare(self, old: Argument) -> str:
        return re.sub(r"=$", "", old.head)

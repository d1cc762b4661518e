"""The parameters of a run: its script's arguments by name, and what MLflow logged as parameters.

``--lr 0.1``, ``--lr=0.1``, ``-b 32`` and ``lr=0.1`` (as Hydra has it) have a name and a value; an
option without a value is ``true``. Of an argument that is given twice, the last one counts.
Positional arguments have no name. The values are texts; those of passwords and tokens are masked.
All words after such an option, up to the next one, may be secret: none is taken for ``lr=0.1``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from scriptrun.query import fields, numbers
from scriptrun.runtime import files
from scriptrun.runtime.injob.metrics import mlflow_reader
from scriptrun.spec import url_logins
from scriptrun.spec.job import JobSpec
from scriptrun.spec.values import Value

MASK = "***"
#: the longest value that is stored of a parameter
MAX_LENGTH = 500
_OPTION = r"--?([^\W\d][\w.-]*)(?:=(.*))?"
_OVERRIDE = r"\+{0,2}([^\W\d][\w./@-]*)=(.*)"
_SHORT_WITH_NUMBER = r"-([A-Za-z])(\d[\d.eE+-]*)"
_SECRET = r"(?:^|_)(?:password|passwd|secret|token|credentials?|api_?key|access_?key|auth)(?:$|_)"
#: what separates commands in a shell line
_OPERATORS = "();<>|&`"
#: names that look like a secret's, and are none
_HARMLESS = r"(?:max|num|n|min|pad|eos|bos|unk|mask|sep|cls|special|new)_(?:\w+_)?token"


def of_job(job: JobSpec) -> dict[str, str]:
    """The parameters in the arguments of ``job``, or in its command."""
    words = list(job.arguments)
    if job.command:
        words = _split(job.command)
    return of_arguments([str(word) for word in words])


def of_mlflow(folder: Path) -> dict[str, str]:
    """The parameters that MLflow logged in the run in ``folder``."""
    found: dict[str, str] = {}
    top = os.path.join(str(folder), mlflow_reader.ROOT)
    if not os.path.isdir(top):
        return found
    for current, folders, names in os.walk(top):
        folders.sort()
        parts = os.path.relpath(current, top).split(os.sep)
        if len(parts) >= 3 and parts[2] == "params":
            for name in sorted(names):
                value = _first_characters(os.path.join(current, name))
                path = "/".join([*parts[3:], name])
                _add(found, fields.canonical(fields.PARAMS, path), value)
    return found


def _first_characters(path: str) -> str:
    try:
        with files.open_record(path) as handle:
            return handle.read(4 * MAX_LENGTH).decode("utf-8", "replace")
    except OSError:
        return ""


class Argument(Value):
    """An argument with a name, which ``words[start:end]`` are.

    ``head`` is what its first value follows: ``--lr``, or with ``joined``, in the same word,
    ``--lr=``, ``-b`` (of ``-b32``) or ``lr=``. An option without values is a flag.
    """

    name: str
    head: str
    values: tuple[str, ...]
    start: int
    end: int
    joined: bool = False

    @property
    def is_option(self) -> bool:
        """Whether it begins with a dash; an override (``lr=0.1``) does not."""
        return self.head.startswith("-")


def of_arguments(words: Sequence[str]) -> dict[str, str]:
    """The parameters in ``words``, by name, in their order."""
    found: dict[str, str] = {}
    for argument in parse(words):
        _add(found, argument.name, " ".join(argument.values) if argument.values else "true")
    return found


def parse(words: Sequence[str]) -> list[Argument]:
    """The arguments with a name in ``words``, in their order."""
    found: list[Argument] = []
    start = 0
    while start < len(words):
        argument = None if words[start] == "--" else _parse_word(words, start)
        found += [argument] if argument is not None else []
        start = start + 1 if argument is None else argument.end
        if argument is not None and _has_secret(argument):
            start = end_of_plain_words(words, start)
    return found


def _has_secret(argument: Argument) -> bool:
    """Whether the words after an argument may be secret."""
    return not argument.joined and is_secret(argument.name)


def _parse_word(words: Sequence[str], start: int) -> Argument | None:
    word = words[start]
    short = re.fullmatch(_SHORT_WITH_NUMBER, word)
    option = short or re.fullmatch(_OPTION, word, re.DOTALL)
    match = option or re.fullmatch(_OVERRIDE, word, re.DOTALL)
    if match is None:
        return None
    name, value = fields.canonical(fields.PARAMS, match[1]), match[2]
    if value is not None:
        head = word[: len(word) - len(value)]
        return Argument(name, head, (value,), start, start + 1, joined=True)
    if is_secret(name):
        values = tuple(words[start + 1 : end_of_plain_words(words, start + 1)][:1])
    else:
        values = tuple(_values(words, start + 1))
    return Argument(name, word, values, start, start + 1 + len(values))


def quoted_arguments(words: Sequence[str]) -> str:
    """``shown_arguments`` as a shell would be given them."""
    return " ".join(map(_quoted, masked_arguments(words)))


def _quoted(word: str) -> str:
    import shlex

    typed = word.replace(MASK, "x")  # stars that mask something need no quotes
    return word if shlex.quote(typed) == typed else shlex.quote(word)


def shown_arguments(words: Sequence[str]) -> str:
    """``words`` in one line, with stars for passwords, tokens and keys."""
    return " ".join(masked_arguments(words))


def masked_command(line: str) -> str:
    """A shell line; one with passwords, tokens or keys, with stars for them."""
    words = _shell_words(line)
    masked = masked_arguments(words)
    if masked == words:
        return line
    operators = {word for word in masked if word and set(word) <= set(_OPERATORS)}
    return " ".join(word if word in operators else _quoted(word) for word in masked)


def masked_value(name: str, value: str) -> str:
    """The value of a parameter or variable of this name, with stars for what is secret."""
    return MASK if is_secret(name) else url_logins.mask(value)


def masked_arguments(words: Sequence[str]) -> list[str]:
    """``words`` with stars for passwords, tokens and keys."""
    shown: list[str] = []
    while len(shown) < len(words):
        word = words[len(shown)]
        option = re.fullmatch(_OPTION, word, re.DOTALL)
        match = option or re.fullmatch(_OVERRIDE, word, re.DOTALL)
        if match is None or not is_secret(match[1]):
            shown.append(url_logins.mask(word))
        elif match[2] is not None:
            shown.append(word[: len(word) - len(match[2])] + MASK)
        else:
            secrets = end_of_plain_words(words, len(shown) + 1) - len(shown) - 1
            shown += [word, *[MASK] * secrets]
    return shown


def end_of_plain_words(words: Sequence[str], start: int) -> int:
    """Where the words end that begin at ``start`` and do not begin an option."""
    end = start
    while end < len(words) and is_plain(words[end]):
        end += 1
    return end


def _values(words: Sequence[str], start: int) -> list[str]:
    """The values of an option: the next word, and more numbers after a number; none, of a flag."""
    end = start
    while end < len(words) and is_value(words[end]):
        end += 1
        if numbers.parse_number(words[end - 1]) is None or not _is_number(words, end):
            break
    return list(words[start:end])


def _is_number(words: Sequence[str], index: int) -> bool:
    return index < len(words) and numbers.parse_number(words[index]) is not None


def is_value(word: str) -> bool:
    """Whether ``word`` may be the value of an option before it."""
    return is_plain(word) and (_is_negative(word) or not re.fullmatch(_OVERRIDE, word, re.DOTALL))


def is_plain(word: str) -> bool:
    """Whether ``word`` does not begin an option."""
    return not word.startswith("-") or _is_negative(word)


def _is_negative(word: str) -> bool:
    """Whether a word is ``-``, or a number, which may begin with a dash, too."""
    return word == "-" or numbers.parse_number(word) is not None


def _add(found: dict[str, str], name: str, value: str) -> None:
    found.pop(name, None)
    found[name] = masked_value(name, value)[:MAX_LENGTH]


def is_secret(name: str) -> bool:
    """Whether a parameter of this name holds a password, token or key."""
    lower = name.lower().replace("-", "_").replace(".", "_")
    return re.search(_SECRET, lower) is not None and not re.search(_HARMLESS, lower)


def _shell_words(line: str) -> list[str]:
    """The words of a shell line of several commands, and what is between these."""
    import shlex

    lexer = shlex.shlex(line, posix=True, punctuation_chars=_OPERATORS)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        return list(lexer)
    except ValueError:
        return line.split()


def _split(command: str) -> list[str]:
    """The words of a shell command; of one that is not closed, those between spaces."""
    import shlex

    try:
        return shlex.split(command.replace(os.linesep, " "))
    except ValueError:
        return command.split()

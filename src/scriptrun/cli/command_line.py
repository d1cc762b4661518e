"""This process's own command line: values that others must not read in it.

Other users can read the arguments of every process (``ps``). ``hide`` overwrites those of this one,
and a process that is forked from it shows the same.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

#: options whose argument is NAME=VALUE with a value that may be secret
_OPTIONS = ("--env", "--set")
MASK = "***"
#: positions in /proc/self/stat, behind the name: where the arguments begin in memory (man 5 proc)
_ARGUMENTS_BEGIN = 45


def masked(words: Sequence[str]) -> list[str]:
    """``words`` with the values of ``--env`` and ``--set`` masked, up to the script's arguments."""
    shown: list[str] = []
    for number, word in enumerate(words):
        if word == "--":
            return [*shown, *words[number:]]
        option, equals, argument = word.partition("=")
        if equals and option in _OPTIONS:
            shown.append(f"{option}={_masked_value(argument)}")
        elif number and words[number - 1] in _OPTIONS:
            shown.append(_masked_value(word))
        else:
            shown.append(word)
    return shown


def _masked_value(text: str) -> str:
    name, equals, _ = text.partition("=")
    return f"{name}={MASK}" if equals else text


def hide(words: Sequence[str]) -> None:
    """Mask the values in what the system shows as this process's arguments (Linux).

    Does nothing where ``words`` are not the end of this process's command line.
    """
    shown = masked(words)
    if shown == list(words):
        return
    try:
        with open("/proc/self/cmdline", "rb") as file:
            old = file.read()
        arguments = old.split(b"\0")[:-1]
        count = len(arguments) - len(words)
        if arguments[count:] != [os.fsencode(word) for word in words]:
            return
        arguments[count:] = [os.fsencode(word) for word in shown]
        _overwrite(old, b"\0".join(arguments)[: len(old) - 1].ljust(len(old), b"\0"))
    except (OSError, ValueError):
        pass  # another system, or a kernel that does not allow it


def _overwrite(old: bytes, new: bytes) -> None:
    with open("/proc/self/stat", "rb") as file:
        address = int(file.read().rpartition(b")")[2].split()[_ARGUMENTS_BEGIN])
    memory = os.open("/proc/self/mem", os.O_RDWR | os.O_CLOEXEC)
    try:
        if os.pread(memory, len(old), address) == old:
            os.pwrite(memory, new, address)
    finally:
        os.close(memory)

"""The files of the source that a job runs, and whether they are in its snapshot."""

from __future__ import annotations

import itertools
import os
import posixpath
import re

from scriptrun.store.snapshots import snapshots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: programs that run the file which is their first argument
_INTERPRETERS = r"(python|pypy|bash|dash|ksh|sh|zsh|Rscript|julia|perl|node)[\d.]*"
_SHELLS = frozenset(("bash", "dash", "ksh", "sh", "zsh"))
#: options of these programs that take the next word as their value
_WITH_VALUE = {True: ("-O", "-o", "--rcfile", "--init-file"), False: ("-W", "-X")}
#: programs that start the program or the script behind their options
_STARTERS = (
    r"accelerate|conda|deepspeed|horovodrun|mamba|micromamba|mpiexec|mpirun|numactl|pipenv|pixi"
    r"|poetry|srun|stdbuf|sudo|taskset|timeout|torchrun|uv|xvfb-run"
)
_SCRIPT = r".*\.(py|sh|bash|R|r|jl|pl|js)"
#: words before the program: ``exec python train.py``
_PREFIXES = frozenset(("exec", "time", "nohup", "env", "command", "nice"))


def problems(source: Path, script: str | None, command: str | None) -> list[str]:
    """A sentence for each file that the job runs and that the ignore rules leave out."""
    messages = []
    for name in entry_files(source, script, command):
        reason = why_ignored(source, name)
        if reason is not None:
            messages.append(
                f"the script {name!r} is not part of the snapshot: {reason}; change that rule, or "
                "move the script"
            )
    return messages


def why_ignored(source: Path, name: str) -> str | None:
    """Why the file ``name``, or the file in ``source`` that it is a link to, is left out."""
    reason = snapshots.why_ignored(source, name)
    if reason is not None:
        return reason
    root, target = os.path.realpath(source), os.path.realpath(source / name)
    if target == os.path.join(root, name) or not target.startswith(root + os.sep):
        return None
    return snapshots.why_ignored(source, os.path.relpath(target, root).replace(os.sep, "/"))


def entry_files(source: Path, script: str | None, command: str | None) -> list[str]:
    """The files in ``source`` that are run: the script, else those that ``command`` names."""
    names = [script] if script else list(_files_of_command(source, command or ""))
    paths = (os.path.normpath(name).replace(os.sep, "/") for name in names)
    return [path for path in dict.fromkeys(paths) if not path.startswith(("/", "../"))]


def _files_of_command(source: Path, command: str, folder: str = "") -> Iterator[str]:
    for words in _simple_commands(command):
        if words[0] in ("cd", "pushd"):
            folder = posixpath.join(folder, *words[1:2])
            if len(words) != 2 or not _is_in(source, folder, os.path.isdir):
                return  # what follows is run elsewhere
        else:
            yield from _files_of(source, folder, words)


def _is_in(source: Path, path: str, exists: Callable[[str], bool]) -> bool:
    path = posixpath.normpath(path)
    return not path.startswith(("/", "../")) and exists(os.path.join(source, path))


def _simple_commands(command: str) -> Iterator[list[str]]:
    """The words of each program that ``command`` starts, as far as that is easy to see."""
    import shlex

    lexer = shlex.shlex(command.replace("\n", " ; "), posix=True, punctuation_chars=";&|()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        for token in [*lexer, ";"]:
            if not set(token) <= set(";&|()"):
                words.append(token)
                continue
            while words and (words[0] in _PREFIXES or re.match(r"\w+=", words[0])):
                words.pop(0)
            if words:
                yield words
            words = []
    except ValueError:
        return  # an open quote: the shell says so


def _files_of(source: Path, folder: str, words: list[str]) -> Iterator[str]:
    """The files that one program runs in ``folder`` of the source."""
    program, *rest = words
    name = os.path.basename(program)
    if "/" in program and _is_in(source, posixpath.join(folder, program), os.path.isfile):
        yield posixpath.join(folder, program)
    elif name in ("source", "."):
        yield from _existing(source, folder, rest[:1])
    elif re.fullmatch(_STARTERS, name):
        inner = (number for number, word in enumerate(rest) if _interpreter_of(word))
        started = next(inner, None)
        if started is None:
            yield from _first_script(source, folder, rest)
        else:
            yield from _files_of(source, folder, rest[started:])
    elif _interpreter_of(program):
        yield from _files_of_interpreter(source, folder, _interpreter_of(program), rest)


def _interpreter_of(program: str) -> str:
    """The kind of interpreter that ``program`` is, "" for any other program."""
    match = re.fullmatch(_INTERPRETERS, os.path.basename(program))
    return match[1] if match else ""


def _files_of_interpreter(source: Path, folder: str, kind: str, words: list[str]) -> Iterator[str]:
    is_shell, rest = kind in _SHELLS, iter(words)
    for word in rest:
        if not word.startswith("-"):
            yield from _existing(source, folder, [word])
            return
        if is_shell and re.fullmatch("-[a-z]*c", word):
            yield from _files_of_command(source, next(rest, ""), folder)
            return
        if not is_shell and word == "-m":
            module = next(rest, "").replace(".", "/")
            files = _existing(source, folder, [f"{module}.py", f"{module}/__main__.py"])
            yield from list(files)[:1] or _first_script(source, folder, list(rest))
            return
        if not is_shell and word in ("-c", "-e"):
            return
        if word in _WITH_VALUE[is_shell]:
            next(rest, "")


def _existing(source: Path, folder: str, names: list[str]) -> Iterator[str]:
    paths = (posixpath.join(folder, name) for name in names)
    return (path for path in paths if _is_in(source, path, os.path.isfile))


def _first_script(source: Path, folder: str, words: list[str]) -> Iterator[str]:
    """The first word that looks like a script and is one, as the last starter runs it."""
    names = [word for word in words if "/" in word or re.fullmatch(_SCRIPT, word)]
    return itertools.islice(_existing(source, folder, names), 1)

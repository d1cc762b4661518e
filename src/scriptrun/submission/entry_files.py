"""The files of the source that a job runs, and whether they are in its snapshot."""

from __future__ import annotations

import os
import re

from scriptrun.store.snapshots import snapshots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: programs that run the file which is their first argument
_INTERPRETERS = r"(python|pypy|torchrun|bash|sh|zsh|Rscript|julia|perl|node)[\d.]*"
#: options of these programs that take the next word as their value
_WITH_VALUE = frozenset(
    ("-W", "-X", "-O", "--nproc_per_node", "--nnodes", "--node_rank", "--master_addr")
)
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


def _files_of_command(source: Path, command: str) -> Iterator[str]:
    for words in _simple_commands(command):
        if words[0] in ("cd", "pushd"):
            return  # what follows is run elsewhere
        name = _file_of(source, words)
        if name is not None:
            yield name


def _simple_commands(command: str) -> Iterator[list[str]]:
    """The words of each program that ``command`` starts, as far as that is easily told."""
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


def _file_of(source: Path, words: list[str]) -> str | None:
    program, *rest = words
    if "/" in program and not os.path.isabs(program) and (source / program).is_file():
        return program
    if not re.fullmatch(_INTERPRETERS, os.path.basename(program)):
        return None
    while rest:
        word = rest.pop(0)
        if word == "-m":
            return _file_of_module(source, rest[0]) if rest else None
        if word in _WITH_VALUE and rest:
            rest.pop(0)
        elif word == "-c":
            return None
        elif not word.startswith("-"):
            return word if (source / word).is_file() else None
    return None


def _file_of_module(source: Path, module: str) -> str | None:
    stem = module.replace(".", "/")
    names = (f"{stem}.py", f"{stem}/__main__.py")
    return next((name for name in names if (source / name).is_file()), None)

"""Errors that users see follow one convention, which CONTRIBUTING.md describes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "scriptrun"
#: what stands for a value in a message
VALUE = "\N{OBJECT REPLACEMENT CHARACTER}"
#: names of programs and packages that are written in lower case
PROGRAMS = {"scriptrun", "py-rattler", "fsspec"}
#: the message itself says what is valid, or what the system said
NEEDS_NO_HINT = re.compile(
    r"\b(must|may contain|requires?|takes|expected)\b|cannot be (used|combined|both)|\bUse \w"
    rf"|^Cannot |: {VALUE}+\.?$|server {VALUE}\.$",
    re.DOTALL,
)
#: those that quote other errors or a log, that end what the user canceled, or that callers complete
COMPLETE_WITHOUT_HINT = {"ActivityFailedException", "BuildCanceled", "RunConfigurationException"}
COMPLETED_BY_CALLERS = {"FileChanged", "FileExists", "FileMissing", "NoRanges", "StoreUnreachable"}
#: writes its message itself
OTHER_ARGUMENTS = {"DamagedRecord"}


class Message(NamedTuple):
    """What a call that makes an error says; None for what only the program knows."""

    place: str
    error: str
    text: str | None
    hint: str | None
    has_hint: bool
    names: frozenset[str]


@cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text("utf-8")) for path in sorted(SOURCE.rglob("*.py"))}


@cache
def error_classes() -> set[str]:
    """The names of ScriptrunError and of all that derive from it."""
    classes = [
        (node.name, {each.id for each in node.bases if isinstance(each, ast.Name)})
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    found = {"ScriptrunError"}
    while more := {name for name, bases in classes if bases & found} - found:
        found |= more
    return found


@cache
def messages() -> list[Message]:
    return [each for path, tree in trees().items() for each in messages_of(tree, place_of(path))]


def place_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def messages_of(tree: ast.Module, place: str) -> Iterator[Message]:
    names = frozenset(names_in(tree))
    for node in ast.walk(tree):
        name = called(node)
        if isinstance(node, ast.Call) and name in error_classes() - OTHER_ARGUMENTS and node.args:
            more = [*node.args[1:2], *(each.value for each in node.keywords if each.arg == "hint")]
            hint = text_of(more[0]) if more else None
            line = f"{place}:{node.lineno}"
            yield Message(line, name, text_of(node.args[0]), hint, bool(more), names)


def called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def names_in(tree: ast.Module) -> Iterator[str]:
    """The names of a module's functions and arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.FunctionDef):
            yield node.name


def text_of(node: ast.expr) -> str | None:
    """The text of a literal, with VALUE for each value in it; None if there is no literal."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr():
            parts = [
                str(each.value) if isinstance(each, ast.Constant) else VALUE for each in node.values
            ]
            return "".join(parts)
        case ast.BinOp(op=ast.Add()):
            sides = [text_of(node.left), text_of(node.right)]
            return None if sides == [None, None] else "".join(each or VALUE for each in sides)
    return None


def problems(message: Message) -> Iterator[str]:
    """What is wrong with a message and its hint."""
    if message.text is not None:
        if not begins_well(message.text, message.names):
            yield "begin the message with a capital, or with the name of an argument"
        if not message.text.endswith((".", "?", VALUE)):
            yield "end the message with a full stop"
        if not message.has_hint and needs_hint(message.error, message.text):
            yield "add a hint that says what to do"
    if message.hint:
        if not begins_well(message.hint, message.names):
            yield "begin the hint with a capital, or with the name of an argument"
        if not message.hint.endswith((".", VALUE)) and not ends_with_command(message.hint):
            yield "end the hint with a full stop, or with a command after a colon"


def needs_hint(error: str, text: str) -> bool:
    has_no_hint = COMPLETE_WITHOUT_HINT | COMPLETED_BY_CALLERS
    return error not in has_no_hint and not NEEDS_NO_HINT.search(text)


def begins_well(text: str, names: frozenset[str]) -> bool:
    if not text[:1].isalpha() or text[0].isupper():
        return True
    word = re.split(r"[\s.:=]", text, maxsplit=1)[0]
    return word in PROGRAMS or word in names or "_" in word


def ends_with_command(hint: str) -> bool:
    """What is typed or opened has no full stop after it: ``To list runs, run: scriptrun list``."""
    return re.search(r": \S[^\n]*$|see https://\S+$", hint) is not None


def test_every_error_follows_the_convention():
    assert len(messages()) > 400
    wrong = [f"{each.place}: {why}: {each.text!r}" for each in messages() for why in problems(each)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ('UserErrorException("it failed.", "Try again.")', "begin the message"),
        ('UserErrorException("It failed", "Try again.")', "end the message"),
        ('UserErrorException(f"Run {name} not found.")', "add a hint"),
        ('UserErrorException("It failed.", "try again.")', "begin the hint"),
        ('UserErrorException("It failed.", hint="Try again")', "end the hint"),
    ],
)
def test_a_breach_is_found(call, why):
    (message,) = messages_of(ast.parse(f"raise {call}"), "here")
    assert [each[: len(why)] for each in problems(message)] == [why]


@pytest.mark.parametrize(
    "call",
    [
        'UserErrorException("It failed.", "Try again.")',
        'UserErrorException(f"Run {name!r} not found.", "To list runs, run: scriptrun list")',
        'UserErrorException("--limit must be at least 1, not 0.")',
        'UserErrorException(f"Cannot write {path}: {error.strerror}.")',
        'DatastoreException("mode must be one of these.", **dict(mode=1))',
        "UserErrorException(reason(), hint)",
    ],
)
def test_what_follows_the_convention_passes(call):
    (message,) = messages_of(ast.parse(f"def check(mode):\n    raise {call}"), "here")
    assert list(problems(message)) == []

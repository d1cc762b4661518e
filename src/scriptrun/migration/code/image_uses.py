"""Whether code outlives the images of the SDK's first deployment API: another file, or a line."""

from __future__ import annotations

import os
import re

import libcst as cst
from libcst import matchers

from scriptrun.migration import candidates
from scriptrun.migration.code import files
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators.call import CannotRewrite

#: code that fetches an image by its name
_FETCHES = re.compile(r"(?<!\w)Image\(|\.images\b|\bImage\.list\(")
#: calls within print() that change nothing
_HARMLESS = ("str", "repr", "len", "type")
_HARMLESS_METHODS = ("format", "join", "wait_for_creation", "get", "upper", "lower", "strip")


def fetching_file(path: str, program: Program, name: cst.BaseExpression | None) -> str | None:
    """A file of the project around ``path`` that may fetch the image ``name``; or None."""
    literal = str(name.evaluated_value) if isinstance(name, cst.SimpleString) else ""
    pattern = re.compile(rf"""["']{re.escape(literal)}\\?["']""") if literal else re.compile("")
    texts = [(path, program.text)] if pattern.search(program.text) else []
    for other in candidates.files([_project(path)]) if os.path.exists(path) else ():
        if other.endswith(candidates.SUFFIXES[:2]) and not os.path.samefile(path, other):
            texts.append((other, _text(other)))
    return next(
        (each for each, text in texts if _FETCHES.search(text) and pattern.search(text)), None
    )


def _text(path: str) -> str:
    try:
        return files.read(path).decode("utf-8", "replace")
    except CannotRewrite:
        return ""


def _project(path: str) -> str:
    """The git repository around the file, else its directory."""
    own = folder = os.path.dirname(os.path.abspath(path))
    while not os.path.exists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            return own
        folder = above
    return folder


def is_idle(program: Program, value: cst.BaseExpression) -> bool:
    """Whether ``value`` only waits for an image, or prints something of it."""
    if not isinstance(value, cst.Call):
        return False
    is_wait = matchers.matches(
        value.func, matchers.Attribute(attr=matchers.Name("wait_for_creation"))
    )
    if not is_wait and program.source(value.func) != "print":
        return False
    if matchers.findall(value, matchers.NamedExpr() | matchers.Await() | matchers.Yield()):
        return False
    inner = [call for call in matchers.findall(value, matchers.Call()) if call is not value]
    return all(isinstance(call, cst.Call) and _is_harmless(program, call) for call in inner)


def _is_harmless(program: Program, call: cst.Call) -> bool:
    if isinstance(call.func, cst.Attribute):
        return call.func.attr.value in _HARMLESS_METHODS
    return program.source(call.func) in _HARMLESS

"""Calls of the SDK v1 compared with those accepted here: names, order, defaults, members."""

from __future__ import annotations

import ast
import importlib
import inspect
from typing import NamedTuple

from scriptrun.spec import values
from scriptrun.spec.values import Value

REQUIRED = object()
SELF = ("self", "cls")

#: a default that is no plain value, and so is not compared
UNKNOWN = object()
STARS = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


class Parameter(NamedTuple):
    """A parameter: its name with its stars, its default, and whether only its name passes it."""

    name: str
    default: object = REQUIRED
    by_name_only: bool = False

    @property
    def is_starred(self) -> bool:
        """Whether it takes any number of arguments."""
        return self.name.startswith("*")


def listed(signature: str) -> list[Parameter]:
    """The parameters of a listed signature, without ``self``."""
    parsed = ast.parse(f"def f{signature}: pass").body[0].args
    positional = [*parsed.posonlyargs, *parsed.args]
    defaults = [None] * (len(positional) - len(parsed.defaults)) + list(parsed.defaults)
    found = [
        Parameter(arg.arg, plain(default))
        for arg, default in zip(positional, defaults, strict=True)
    ]
    if parsed.vararg:
        found.append(Parameter(f"*{parsed.vararg.arg}", UNKNOWN))
    for arg, default in zip(parsed.kwonlyargs, parsed.kw_defaults, strict=True):
        found.append(Parameter(arg.arg, plain(default), by_name_only=True))
    if parsed.kwarg:
        found.append(Parameter(f"**{parsed.kwarg.arg}", UNKNOWN))
    return [each for each in found if not each.name.startswith("_") and each.name not in SELF]


def plain(default: ast.expr | None) -> object:
    """The value of a listed default."""
    if default is None:
        return REQUIRED
    try:
        return ast.literal_eval(default)
    except ValueError:
        return UNKNOWN


def taken(call: object) -> list[Parameter]:
    """The parameters that a function or a class here takes, without ``self``."""
    if isinstance(call, type) and issubclass(call, Value) and call.__init__ is Value.__init__:
        return [
            Parameter(name, REQUIRED if default is values._MISSING else default)
            for name, default in call._fields.items()
        ]
    try:
        found = inspect.signature(call).parameters
    except (TypeError, ValueError):
        return []
    return [
        Parameter(
            STARS.get(each.kind, "") + name,
            UNKNOWN if each.kind in STARS
            else REQUIRED if each.default is each.empty else each.default,
            each.kind is each.KEYWORD_ONLY,
        )
        for name, each in found.items()
        if name not in SELF and not name.startswith("_")
    ]  # fmt: skip


def problem(call: object, signature: str) -> str:
    """How ``call`` differs from the listed signature; "" if it accepts all calls of it."""
    theirs, ours = listed(signature), taken(call)
    by_name = {each.name: each for each in ours}
    takes_any_name = any(each.name.startswith("**") for each in ours)
    takes_any = any(each.is_starred and not each.name.startswith("**") for each in ours)
    wrong = []
    for each in theirs:
        if each.is_starred:
            continue
        mine = by_name.get(each.name)
        if mine is None:
            if not takes_any_name:
                wrong.append(f"lacks {each.name}")
        else:
            wrong += _different_default(each, mine)
    positions = [each.name for each in theirs if not (each.is_starred or each.by_name_only)]
    here = [each.name for each in ours if not (each.is_starred or each.by_name_only)]
    if not takes_any and not wrong and here[: len(positions)] != positions:
        wrong.append(f"order {here} instead of {positions}")
    if any(each.name.startswith("**") for each in theirs) and not takes_any_name:
        wrong.append("lacks **kwargs")
    known = {each.name for each in theirs}
    wrong += [
        f"requires {each.name}"
        for each in ours
        if each.default is REQUIRED and not each.is_starred and each.name not in known
    ]
    return "; ".join(wrong)


def _different_default(theirs: Parameter, ours: Parameter) -> list[str]:
    if theirs.default is not REQUIRED and ours.default is REQUIRED:
        return [f"requires {theirs.name}"]
    if theirs.default in (REQUIRED, UNKNOWN) or ours.default is UNKNOWN:
        return []
    if ours.default != theirs.default and isinstance(ours.default, (str, int, float, type(None))):
        return [f"{theirs.name}={ours.default!r} instead of {theirs.default!r}"]
    return []


def find(full: str) -> object:
    """The class or function ``full`` of the drop-in."""
    module, _, name = full.rpartition(".")
    return getattr(importlib.import_module(module), name)


def method_of(owner: type, name: str) -> object:
    """A method as an instance of ``owner`` calls it; None where it is missing."""
    call = getattr(owner, name, None)
    if inspect.isfunction(inspect.getattr_static(owner, name, None)):
        return call.__get__(object())
    return call


def kind_of(owner: type, name: str) -> str:
    """``static``, ``class``, ``property`` or "" for an instance's method."""
    member = inspect.getattr_static(owner, name, None)
    kinds = {staticmethod: "static", classmethod: "class", property: "property"}
    return next((kind for each, kind in kinds.items() if isinstance(member, each)), "")

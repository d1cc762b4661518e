"""How a function or a class here differs from the SDK v1's signature of it, compared exactly.

A call that v1 accepts must be accepted: each public parameter by its name, in v1's order as a
positional argument, with v1's default where that is a plain value. What follows v1's own
parameters must be optional, since no call of v1 reaches it.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable

from scriptrun.spec import values
from scriptrun.spec.values import Value

#: a default that is not a plain value: a constant's name, or one that is created for each call
SYMBOL = object()
REQUIRED = object()
#: name (with stars), default, whether it must be passed by name
Parameter = tuple[str, object, bool]


def listed(signature: str) -> list[Parameter]:
    """The parameters of a listed signature, without private ones (``_underlying_structure``)."""
    [function] = ast.parse(f"def f{signature}: pass").body
    assert isinstance(function, ast.FunctionDef)
    found = function.args
    plain = [*found.posonlyargs, *found.args]
    required = [None] * (len(plain) - len(found.defaults))
    parameters = [
        (each.arg, plain_value(default), False)
        for each, default in zip(plain, [*required, *found.defaults], strict=True)
    ]
    if found.vararg:
        parameters.append((f"*{found.vararg.arg}", SYMBOL, False))
    parameters += [
        (each.arg, plain_value(default), True)
        for each, default in zip(found.kwonlyargs, found.kw_defaults, strict=True)
    ]
    if found.kwarg:
        parameters.append((f"**{found.kwarg.arg}", SYMBOL, False))
    return _without_private(parameters)


def _without_private(parameters: list[Parameter]) -> list[Parameter]:
    """The public parameters; those that follow a private one are passed by name."""
    found, is_by_name = [], False
    for name, default, by_name in parameters:
        if name.startswith("_"):
            is_by_name = True
        else:
            found.append((name, default, by_name or (is_by_name and name[0] != "*")))
    return found


def plain_value(default: ast.expr | None) -> object:
    if default is None:
        return REQUIRED
    try:
        return ast.literal_eval(default)
    except ValueError:
        return SYMBOL


def taken(call: object) -> list[Parameter]:
    """The same of a function or a class here."""
    if isinstance(call, type) and issubclass(call, Value) and call.__init__ is Value.__init__:
        return [(name, field_default(each), False) for name, each in call._fields.items()]
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    assert callable(call)
    return [
        (
            stars.get(each.kind, "") + name,
            SYMBOL
            if each.kind in stars
            else REQUIRED
            if each.default is each.empty
            else each.default,
            each.kind is each.KEYWORD_ONLY,
        )
        for name, each in inspect.signature(call).parameters.items()
    ]


def field_default(default: object) -> object:
    if default is values._MISSING:
        return REQUIRED
    return SYMBOL if isinstance(default, values.DefaultFactory) else default


def bound(owner: type, name: str) -> Callable[..., object]:
    """``owner.name`` as its callers see it: without ``self``."""
    call: Callable[..., object] = getattr(owner, name)
    raw = inspect.getattr_static(owner, name)
    return call.__get__(object()) if inspect.isfunction(raw) else call


def problem(call: object, signature: str) -> str:
    """How ``call`` differs from the listed signature; "" if it accepts all calls of it."""
    theirs, ours = listed(signature), taken(call)
    wrong = _misplaced(theirs, ours) or _too_few_stars(theirs, ours)
    if wrong:
        return wrong
    ours_by_name = {name: default for name, default, _ in ours}
    names = {name for name, _, _ in theirs}
    extra = [name for name, default, _ in ours if default is REQUIRED and name not in names]
    if extra:
        return f"also requires {extra}"
    for name, default, _ in theirs:
        if name.startswith("*"):
            continue
        here = ours_by_name[name]
        if default is not REQUIRED and here is REQUIRED:
            return f"requires {name}"
        if SYMBOL not in (default, here) and REQUIRED not in (default, here) and (
            str(as_list(here)).lower() != str(as_list(default)).lower()
        ):  # fmt: skip
            return f"{name}={here!r} instead of {default!r}"
    return ""


def as_list(value: object) -> object:
    """A default that is a tuple here and a list in v1, as the list."""
    return list(value) if isinstance(value, tuple) else value


def _misplaced(theirs: list[Parameter], ours: list[Parameter]) -> str:
    positional = [name for name, _, by_name in theirs if not by_name and name[0] != "*"]
    here = [name for name, _, by_name in ours if not by_name and name[0] != "*"]
    if here[: len(positional)] != positional:
        return f"takes {here} instead of {positional}"
    by_name = {name for name, _, by_name in theirs if by_name}
    unknown = sorted(by_name - {name for name, _, _ in ours})
    return f"does not take {unknown}" if unknown else ""


def _too_few_stars(theirs: list[Parameter], ours: list[Parameter]) -> str:
    stars = {name.rpartition("*")[0] + "*" for name, _, _ in theirs if name[0] == "*"}
    lost = stars - {name.rpartition("*")[0] + "*" for name, _, _ in ours if name[0] == "*"}
    return f"does not take {', '.join(sorted(lost))}" if lost else ""

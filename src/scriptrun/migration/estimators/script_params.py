"""Convert the dictionary ``script_params`` to the list ``arguments``.

An Estimator passed each flag and then its value: only the flag if the value is None or "", and each
element of a list as a separate argument.
"""

from __future__ import annotations

from typing import NamedTuple

import libcst as cst

from scriptrun.migration import datastores
from scriptrun.migration.code import constants
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program

_WHOLE = (
    "[word for flag, value in {pairs}.items() for word in "
    "(flag, *(value if isinstance(value, list) else [] if value is None or value == {empty} "
    "else [value]))]"
)
_EITHER = "*([] if {0} is None or {0} == {empty} else {0} if isinstance({0}, list) else [{0}])"
_ONCE = (
    "*(lambda value: [] if value is None or value == {empty} else value "
    "if isinstance(value, list) else [value])({0})"
)
#: functions and methods that return a single argument
_BUILTINS = ("str", "int", "float", "len", "round", "abs", "repr", "bool", "max", "min", "sum")
_NAMES = (
    "as_mount as_download as_upload as_hdfs as_direct as_named_input as_input as_output as_cache "
    "path format join lower upper strip replace get_default_datastore abspath basename dirname "
    "register_on_complete read_delimited_files as_posix"
)
_METHODS = frozenset(_NAMES.split())


class Changed(NamedTuple):
    """The edits that turn the dictionary into a list, and the data ``references`` in it.

    ``uncertain`` values are converted by code that handles every case at run time.
    """

    edits: list[Edit]
    references: list[datastores.Reference]
    unsure: list[str]


def whole(program: Program, text: str) -> str:
    """An expression that converts any dictionary to a list."""
    return _WHOLE.format(pairs=text, empty=empty(program))


def empty(program: Program) -> str:
    """An empty string literal, in the program's usual quotes."""
    quote = "'" if program.text.count("'") >= program.text.count('"') else '"'
    return quote * 2


def of_literal(program: Program, node: cst.Dict) -> Changed | None:
    """Convert the literal ``node`` to a list; None if its keys are uncertain."""
    keys = []
    for each in node.elements:
        key = constants.constant(program, each.key) if isinstance(each, cst.DictElement) else None
        keys.append(key)
    if constants.UNKNOWN in keys or len(set(keys)) < len(keys) or None in keys:
        return None
    start, end = program.span(node)
    edits = [Edit(start, start + 1, "["), Edit(end - 1, end, "]")]
    changed = Changed(edits, [], [])
    for each in node.elements:
        assert isinstance(each, cst.DictElement)
        _element(program, each, changed)
    return changed


def _element(program: Program, each: cst.DictElement, changed: Changed) -> None:
    key_end = _whole_end(program, each.key)
    value_start, value_end = key_end, program.span(each)[1]
    between = program.source(each.value)
    value_start = value_end - len(between)
    reference = datastores.reference(program, each.value)
    if reference is not None:
        changed.references.append(reference)
        changed.edits.append(Edit(value_start, value_end, f"str({reference.name})"))
    text = None if reference is not None else word(program, each.value)
    if text == "":
        changed.edits.append(Edit(key_end, value_end, ""))
        return
    if text is not None:
        changed.edits.append(Edit(value_start, value_end, text))
        if "isinstance" in text:
            changed.unsure.append(between)
    colon = program.text.index(":", key_end, value_start)
    gap = program.text[key_end:colon]
    changed.edits.append(Edit(colon - len(gap), colon + 1, ","))


def _whole_end(program: Program, node: cst.BaseExpression) -> int:
    """The end of ``node``, including parentheses around it."""
    end = program.span(node)[1]
    for _ in node.rpar:
        end = program.text.index(")", end) + 1
    return end


def word(program: Program, node: cst.BaseExpression) -> str | None:
    """The code of the value in a list: None if unchanged, "" if it is left out."""
    text = program.source(node)
    value = constants.constant(program, node)
    if value is None or (isinstance(value, str) and value == "") or value == []:
        return ""
    if isinstance(node, cst.List):
        inside = [program.source(each.value) for each in node.elements]
        plain = all(isinstance(each, cst.Element) for each in node.elements)
        return ", ".join(inside) if plain and "#" not in text else f"*{text}"
    if isinstance(constants.follow(program, node), cst.List) and _never_changed(program, node):
        return f"*{text}"
    if value is not constants.UNKNOWN and not isinstance(value, list):
        return None
    if _is_one_word(program, constants.follow(program, node)):
        return None
    form = _EITHER if constants.is_pure(node) else _ONCE
    return form.format(text, empty=empty(program))


def _never_changed(program: Program, node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name)  # a list stays a list, whatever is added to it


def _is_one_word(program: Program, node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.BinaryOperation):
        texts = (cst.SimpleString, cst.FormattedString, cst.Integer, cst.Float)
        return isinstance(node.left, texts) or isinstance(node.right, texts)
    if isinstance(node, cst.Call):
        return _gives_one_word(program, node.func)
    if isinstance(node, cst.Name):
        return _is_counted(program, node)
    return isinstance(node, _TEXTS)


_TEXTS = (cst.FormattedString, cst.ConcatenatedString, cst.Comparison, cst.UnaryOperation)


def _gives_one_word(program: Program, func: cst.BaseExpression) -> bool:
    if isinstance(func, cst.Name) and func.value in _BUILTINS:
        return all(not hasattr(each, "node") for each in program.assignments(func.value, func))
    if program.qualified(func).startswith(("azureml.", "scriptrun.", "os.path.")):
        return True
    return isinstance(func, cst.Attribute) and func.attr.value in _METHODS


def _is_counted(program: Program, name: cst.Name) -> bool:
    """Whether ``name`` is bound only by loops over constants."""
    found = program.assignments(name.value, name)
    loops = [program.parent(each.node) if hasattr(each, "node") else None for each in found]
    return bool(loops) and all(_counts(program, each) for each in loops)


def _counts(program: Program, loop: cst.CSTNode | None) -> bool:
    if not isinstance(loop, cst.For | cst.CompFor):
        return False
    values = constants.follow(program, loop.iter)
    if isinstance(values, cst.Call):
        return program.source(values.func) == "range"
    listed = constants.constant(program, values)
    if not isinstance(listed, list):
        return False
    return all(each is not None and each != "" and not isinstance(each, list) for each in listed)

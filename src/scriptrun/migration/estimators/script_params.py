"""Convert the dictionary ``script_params`` to the list ``arguments``.

An Estimator passed each flag and then its value: only the flag if the value is None or "", and each
element of a list as a separate argument.
"""

from __future__ import annotations

from typing import NamedTuple

import libcst as cst

from scriptrun.migration import datastores
from scriptrun.migration.code import argument_parsers, constants
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program

#: the function that converts any dictionary; ``{empty}`` and the indentation are the program's
_HELPER = """\
def {name}(script_params):
    \"\"\"Return the script's arguments: each name, and its value unless that is empty.\"\"\"
    arguments = []
    for name, value in (script_params or {{}}).items():
        arguments.append(name)
        if isinstance(value, list):
            arguments.extend(value)
        elif value is not None and value != {empty}:
            arguments.append(value)
    return arguments
"""
_HELPER_NAME = "to_arguments"
#: functions and methods that return a single argument
_BUILTINS = ("str", "int", "float", "len", "round", "abs", "repr", "bool", "max", "min", "sum")
_NAMES = (
    "as_mount as_download as_upload as_hdfs as_direct as_named_input as_input as_output as_cache "
    "path format join lower upper strip replace get_default_datastore abspath basename dirname "
    "register_on_complete read_delimited_files as_posix"
)
_METHODS = frozenset(_NAMES.split())


class ListConversion(NamedTuple):
    """The edits that turn the dictionary into a list, and the data ``references`` in it.

    With ``uncertain`` values it stays a dictionary: the edits only name the references, and the
    program's helper converts it at run time.
    """

    edits: list[Edit]
    references: list[datastores.Reference]
    uncertain: list[str]


def convert_any(program: Program, text: str) -> str:
    """An expression that converts any dictionary to a list, with the program's helper."""
    return f"{helper_name(program)}({text})"


def helper_name(program: Program) -> str:
    """The name of the function that converts any dictionary."""
    return program.name_for(program.module, _HELPER_NAME)


def helper_lines(program: Program) -> list[str]:
    """The lines of the function that converts any dictionary."""
    empty = empty_string(program)
    text = _HELPER.format(name=helper_name(program), empty=empty)
    return text.replace("    ", program.module.default_indent).splitlines()


def empty_string(program: Program) -> str:
    """An empty string literal, in the program's usual quotes."""
    quote = "'" if program.text.count("'") >= program.text.count('"') else '"'
    return quote * 2


def convert_literal(
    program: Program, node: cst.Dict, keep_dictionary: bool = False
) -> ListConversion | None:
    """Convert the literal ``node`` to a list; None if its keys are uncertain.

    With ``keep_dictionary`` it stays one, because of values that are added to it later.
    """
    keys = []
    for element in node.elements:
        key = (
            constants.constant(program, element.key)
            if isinstance(element, cst.DictElement)
            else None
        )
        keys.append(key)
    if constants.UNKNOWN in keys or len(set(keys)) < len(keys) or None in keys:
        return None
    elements = [element for element in node.elements if isinstance(element, cst.DictElement)]
    uncertain = [
        program.source(element.value)
        for element in elements
        if keep_dictionary or is_uncertain(program, element.value)
    ]
    if uncertain:
        return _keep_dictionary(program, elements, uncertain)
    start, end = program.span(node)
    edits = [Edit(start, start + 1, "["), Edit(end - 1, end, "]")]
    conversion = ListConversion(edits, [], [])
    for element in elements:
        _convert_element(program, element, conversion)
    return conversion


def _keep_dictionary(
    program: Program, elements: list[cst.DictElement], uncertain: list[str]
) -> ListConversion:
    conversion = ListConversion([], [], uncertain)
    for element in elements:
        reference = datastores.find_reference(program, element.value)
        if reference is not None:
            end = program.span(element)[1]
            start = end - len(program.source(element.value))
            conversion.references.append(reference)
            conversion.edits.append(Edit(start, end, f"str({reference.name})"))
    return conversion


def is_uncertain(program: Program, node: cst.BaseExpression) -> bool:
    """Whether the value may be None, "" or a list when the code runs."""
    if datastores.find_reference(program, node) is not None:
        return False
    if isinstance(node, cst.List) or constants.constant(program, node) is not constants.UNKNOWN:
        return False
    value = constants.resolve(program, node)
    return not (isinstance(value, cst.List) or _is_single_argument(program, value))


def _convert_element(
    program: Program, element: cst.DictElement, conversion: ListConversion
) -> None:
    key_end = _end_with_parentheses(program, element.key)
    value_start, value_end = key_end, program.span(element)[1]
    value_text = program.source(element.value)
    value_start = value_end - len(value_text)
    reference = datastores.find_reference(program, element.value)
    if reference is not None:
        conversion.references.append(reference)
        conversion.edits.append(Edit(value_start, value_end, f"str({reference.name})"))
    text = None if reference is not None else argument_code(program, element.value)
    if text == "":
        conversion.edits.append(Edit(key_end, value_end, ""))
        return
    if text is not None:
        conversion.edits.append(Edit(value_start, value_end, text))
    colon = program.text.index(":", key_end, value_start)
    gap = program.text[key_end:colon]
    conversion.edits.append(Edit(colon - len(gap), colon + 1, ","))


def _end_with_parentheses(program: Program, node: cst.BaseExpression) -> int:
    """The end of ``node``, including parentheses around it."""
    end = program.span(node)[1]
    for _ in node.rpar:
        end = program.text.index(")", end) + 1
    return end


def argument_code(program: Program, node: cst.BaseExpression) -> str | None:
    """The code of the value in a list: None if unchanged, "" if it is left out."""
    text = program.source(node)
    value = constants.constant(program, node)
    if value is None or (isinstance(value, str) and value == "") or value == []:
        return ""
    if isinstance(node, cst.List):
        items = [program.source(element.value) for element in node.elements]
        plain = all(isinstance(candidate, cst.Element) for candidate in node.elements)
        return ", ".join(items) if plain and "#" not in text else f"*{text}"
    if isinstance(constants.resolve(program, node), cst.List) and _never_changed(program, node):
        return f"*{text}"
    return None


def _never_changed(program: Program, node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name)  # a list stays a list, whatever is added to it


def _is_single_argument(program: Program, node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.BinaryOperation):
        texts = (cst.SimpleString, cst.FormattedString, cst.Integer, cst.Float)
        return isinstance(node.left, texts) or isinstance(node.right, texts)
    if isinstance(node, cst.Call):
        return _returns_single_argument(program, node.func)
    if isinstance(node, cst.Name):
        is_parameter = argument_parsers.is_single_parameter(program, node)
        return is_parameter or _is_loop_variable(program, node)
    if isinstance(node, cst.Attribute):
        return argument_parsers.is_single_value(program, node)
    return isinstance(node, _TEXTS)


_TEXTS = (cst.FormattedString, cst.ConcatenatedString, cst.Comparison, cst.UnaryOperation)


def _returns_single_argument(program: Program, func: cst.BaseExpression) -> bool:
    if isinstance(func, cst.Name) and func.value in _BUILTINS:
        return all(
            not hasattr(assignment, "node") for assignment in program.assignments(func.value, func)
        )
    if program.qualified_name(func).startswith(("azureml.", "scriptrun.", "os.path.")):
        return True
    return isinstance(func, cst.Attribute) and func.attr.value in _METHODS


def _is_loop_variable(program: Program, name: cst.Name) -> bool:
    """Whether ``name`` is bound only by loops over constants."""
    assignments = program.assignments(name.value, name)
    loops = [
        program.parent(assignment.node) if hasattr(assignment, "node") else None
        for assignment in assignments
    ]
    return bool(loops) and all(_loops_over_constants(program, loop) for loop in loops)


def _loops_over_constants(program: Program, loop: cst.CSTNode | None) -> bool:
    if not isinstance(loop, cst.For | cst.CompFor):
        return False
    values = constants.resolve(program, loop.iter)
    if isinstance(values, cst.Call):
        return program.source(values.func) == "range"
    items = constants.constant(program, values)
    if not isinstance(items, list):
        return False
    return all(item is not None and item != "" and not isinstance(item, list) for item in items)

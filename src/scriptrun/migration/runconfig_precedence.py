"""Which settings a ScriptRunConfig takes from a loaded file: those it does not set itself."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration.code import constants
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators.call import CannotRewrite
from scriptrun.migration.loaded_runconfigs import LoadedSettings

_BY_POSITION = ("source_directory", "script", "arguments")


def script_arguments(program: Program, call: cst.Call, settings: LoadedSettings) -> list[str]:
    """The file's script, command and arguments as arguments that ``call`` lacks.

    Arguments of the call itself take precedence. Raises CannotRewrite if that is uncertain.
    """
    arguments = {arg.keyword.value: arg.value for arg in call.args if arg.keyword}
    arguments.update(zip(_BY_POSITION, [a.value for a in call.args if not a.keyword], strict=False))
    result: list[str] = []
    for names in (("script", "command"), ("arguments",)):
        if names == ("arguments",) and (
            "command" in arguments or any(text.startswith("command=") for text in result)
        ):
            break  # a command takes no arguments
        loaded = [f"{name}={settings.script[name]}" for name in names if name in settings.script]
        explicit = [arguments[name] for name in names if name in arguments]
        if loaded and explicit and not any(_is_nonempty(program, node) for node in explicit):
            raise CannotRewrite(
                f"it is uncertain whether its own {names[0]} or that of {settings.file} "
                "takes effect"
            )
        result += [] if explicit else loaded
    return result


def _is_nonempty(program: Program, node: cst.BaseExpression) -> bool:
    """Whether ``node`` is certainly not None, an empty string or an empty list."""
    node = constants.resolve(program, node)
    if isinstance(node, cst.List | cst.Tuple):
        return any(isinstance(element, cst.Element) for element in node.elements)
    if isinstance(node, cst.FormattedString):
        return any(isinstance(part, cst.FormattedStringText) for part in node.parts)
    value = constants.constant(program, node)
    return value is not constants.UNKNOWN and bool(value)


def later_lines_edit(program: Program, call: cst.Call, settings: LoadedSettings) -> Edit:
    """The edit that adds further settings after the statement that assigns ``call``."""
    parent, statement = program.parent(call), program.statement(call)
    target = parent.targets[0].target if isinstance(parent, cst.Assign) else None
    indent = program.indent(statement) if statement is not None else None
    plain = isinstance(target, cst.Name | cst.Attribute) and indent is not None
    if statement is None or not plain or target is None or len(statement.body) > 1:
        raise CannotRewrite(
            "it has settings made before an unnamed ScriptRunConfig",
            "Assign the ScriptRunConfig to a variable.",
        )
    name = program.source(target)
    lines = [line.replace("config.", f"{name}.", 1) if line.startswith("config.") else line
             for line in settings.later_lines]  # fmt: skip
    end = program.line_end(statement)
    return Edit(end, end, "".join(f"{program.newline}{indent}{line}" for line in lines))

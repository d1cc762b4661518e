"""Which settings a ScriptRunConfig takes from a loaded file: those it does not set itself."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration.code import constants
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators.call import Refused
from scriptrun.migration.loaded_runconfigs import Said

_BY_POSITION = ("source_directory", "script", "arguments")


def script(program: Program, call: cst.Call, said: Said) -> list[str]:
    """The file's script, command and arguments as arguments that ``call`` lacks.

    Arguments of the call itself take precedence. Raises CannotRewrite if that is uncertain.
    """
    own = {arg.keyword.value: arg.value for arg in call.args if arg.keyword}
    own.update(zip(_BY_POSITION, [a.value for a in call.args if not a.keyword], strict=False))
    made: list[str] = []
    for names in (("script", "command"), ("arguments",)):
        if names == ("arguments",) and (
            "command" in own or any(each.startswith("command=") for each in made)
        ):
            break  # a command takes no arguments
        taken = [f"{name}={said.script[name]}" for name in names if name in said.script]
        given = [own[name] for name in names if name in own]
        if taken and given and not any(_is_something(program, each) for each in given):
            raise Refused(
                f"it is uncertain whether its own {names[0]} or that of {said.file} takes effect"
            )
        made += [] if given else taken
    return made


def _is_something(program: Program, node: cst.BaseExpression) -> bool:
    """Whether ``node`` is certainly not None, an empty string or an empty list."""
    node = constants.follow(program, node)
    if isinstance(node, cst.List | cst.Tuple):
        return any(isinstance(each, cst.Element) for each in node.elements)
    if isinstance(node, cst.FormattedString):
        return any(isinstance(each, cst.FormattedStringText) for each in node.parts)
    value = constants.constant(program, node)
    return value is not constants.UNKNOWN and bool(value)


def after(program: Program, call: cst.Call, said: Said) -> Edit:
    """The edit that adds further settings after the statement that assigns ``call``."""
    above, statement = program.parent(call), program.statement(call)
    target = above.targets[0].target if isinstance(above, cst.Assign) else None
    indent = program.indent(statement) if statement is not None else None
    plain = isinstance(target, cst.Name | cst.Attribute) and indent is not None
    if statement is None or not plain or target is None or len(statement.body) > 1:
        raise Refused(
            "it has settings made before an unnamed ScriptRunConfig",
            "Assign the ScriptRunConfig to a variable.",
        )
    name = program.source(target)
    lines = [line.replace("config.", f"{name}.", 1) if line.startswith("config.") else line
             for line in said.after]  # fmt: skip
    place = program.line_end(statement)
    return Edit(place, place, "".join(f"{program.newline}{indent}{line}" for line in lines))

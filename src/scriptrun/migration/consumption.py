"""Write DatasetConsumptionConfig(...) as methods of the dataset, which scriptrun has, too."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration.code import constants
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.imports import Imports
from scriptrun.migration.code.program import Program
from scriptrun.migration.findings import REWRITTEN
from scriptrun.migration.rewrite_program import ProgramFinding, RewriteResult

_CLASS = "azureml.data.dataset_consumption_config.DatasetConsumptionConfig"
_PARAMETERS = ("name", "dataset", "mode", "path_on_compute")
_METHODS = {"mount": "as_mount", "download": "as_download"}


def rewrite(program: Program) -> RewriteResult:
    """Rewrite the calls whose mode is certain, and drop the import if none is left."""
    result, imports = RewriteResult(), Imports(program)
    rewritten: set[cst.CSTNode] = set()
    for call in program.calls:
        if program.qualified_name(call.func) != _CLASS:
            continue
        text = _text(program, call)
        if text:
            rewritten.add(call.func)
            result.edits.append(Edit(*program.span(call), text))
            reason = f"now {text.partition('(')[0]}(...)"
            finding = ProgramFinding(
                program.line(call), REWRITTEN, program.source(call.func), reason
            )
            result.findings.append(finding)
    for alias in program.nodes(cst.ImportAlias):
        statement = program.parent(alias)
        is_class = alias.evaluated_name == _CLASS.rpartition(".")[2]
        if not is_class or not isinstance(statement, cst.ImportFrom):
            continue
        uses = program.references(alias.evaluated_name, alias)
        if uses and rewritten.issuperset(uses):
            imports.drop(statement, alias.evaluated_name)
    result.edits += imports.edits()
    return result


def _text(program: Program, call: cst.Call) -> str:
    """The same as methods of the dataset, or "" if its mode is uncertain."""
    given: dict[str, cst.BaseExpression] = {}
    for index, arg in enumerate(call.args):
        name = arg.keyword.value if arg.keyword is not None else _PARAMETERS[index : index + 1]
        name = name if isinstance(name, str) else "".join(name)
        if arg.star or name not in _PARAMETERS:
            return ""
        given[name] = arg.value
    if not {"name", "dataset"} <= given.keys() or "#" in program.source(call):
        return ""
    dataset = given["dataset"]
    mode = constants.constant(program, given["mode"]) if "mode" in given else "direct"
    path = program.source(given["path_on_compute"]) if "path_on_compute" in given else ""
    if not isinstance(dataset, cst.Name | cst.Attribute | cst.Call):
        return ""
    text = f"{program.source(dataset)}.as_named_input({program.source(given['name'])})"
    if mode == "direct" and not path:
        return text
    return f"{text}.{_METHODS[str(mode)]}({path})" if mode in _METHODS else ""

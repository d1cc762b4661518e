"""Convert downloaded data references to datasets where the job certainly gets the same files.

scriptrun downloads a reference exactly like a dataset of the same path: it lists the files at
submission, and delivers a single file as that file. Mounted references differ (for a local
datastore, the job can write to the folder itself), and so do named references, which the script may
look up by name.
"""

from __future__ import annotations

import libcst as cst

from scriptrun.migration import datastores
from scriptrun.migration.code import constants
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.imports import Imports
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators import call as estimator_call
from scriptrun.migration.estimators.call import CannotRewrite
from scriptrun.migration.findings import LEFT_ALONE, REWRITTEN
from scriptrun.migration.rewrite_program import ProgramFinding, RewriteResult

_DATASETS = frozenset(("azureml.core.Dataset", "azureml.core.dataset.Dataset", "scriptrun.Dataset"))
_ARGUMENT_PARAMETERS = ("arguments", "script_params")
_UPLOAD_CODE = "OutputFileDatasetConfig(destination=(datastore, path)).as_upload()"


def rewrite(program: Program) -> RewriteResult:
    """Convert references to datasets, and report why the others stay."""
    result, imports = RewriteResult(), Imports(program)
    anchor = _anchor(program)
    for call in sorted(program.calls, key=program.span):
        if not datastores.is_reference(program, call):
            continue
        line, subject = program.line(call), " ".join(program.source(call.func).split())
        try:
            text = _dataset_code(program, call)
            _check_uses(program, call, f"If only a job's arguments use it: {text}")
            if "#" in program.source(call) and "\n" in program.source(call):
                raise CannotRewrite("it contains a comment", f"Without it: {text}")
            _check_import(program, anchor)
        except CannotRewrite as problem:
            result.findings.append(
                ProgramFinding(line, LEFT_ALONE, subject, problem.reason, problem.advice)
            )
            continue
        assert anchor is not None, "it was checked"
        imports.need("Dataset", call, anchor)
        result.edits.append(Edit(*program.span(call), text))
        reason = "is now a dataset, which downloads the same files"
        result.findings.append(ProgramFinding(line, REWRITTEN, subject, reason))
    result.edits += imports.edits()
    return result


def _dataset_code(program: Program, call: cst.Call) -> str:
    """The code of the dataset that replaces the reference ``call``. Raises CannotRewrite."""
    func = call.func
    if program.qualified_name(func).endswith(".DataReference"):
        return _convert_data_reference(program, call)
    assert isinstance(func, cst.Attribute)
    path = constants.resolve(program, func.value)
    is_path = datastores.is_method_call(path, "path")
    location = f"({program.source(func.value)}, '')"
    if is_path:
        location = _location(program, func.value, path)
    if func.attr.value != "as_download":
        raise _mode_problem(func.attr.value.removeprefix("as_"), location)
    if not is_path:
        raise _name_problem("the datastore's", location)
    assert isinstance(path, cst.Call)
    _check_path(program, path, location)
    name = func.value
    if isinstance(name, cst.Name) and len(program.references(name.value, name)) > 1:
        raise CannotRewrite(
            f"{name.value} is also used elsewhere, and its references share one name",
            f"If that does not matter: {_from_files_code(location, '')}",
        )
    return _from_files_code(location, _target_path(program, call, location))


def _from_files_code(location: str, target: str) -> str:
    return f"Dataset.File.from_files({location}, validate=False).as_download({target})"


def _mode_problem(mode: str, location: str) -> CannotRewrite:
    if mode == "upload":
        return CannotRewrite(
            "it uploads, which datasets do not support", f"Use an output: {_UPLOAD_CODE}"
        )
    return CannotRewrite(
        "it is mounted, so the job may write to the datastore",
        f"If it only reads: Dataset.File.from_files({location}).as_mount()",
    )


def _name_problem(name: str, location: str) -> CannotRewrite:
    return CannotRewrite(
        f"it has a name ({name}), so the script may read AZUREML_DATAREFERENCE_<name>",
        f"If it does not: {_from_files_code(location, '')}",
    )


def _location(program: Program, node: cst.BaseExpression, path: cst.BaseExpression) -> str:
    """The argument of ``from_files`` for ``node``, whose value is ``path``."""
    if node is not path or not isinstance(path, cst.Call) or len(path.args) != 1:
        return program.source(node)
    assert isinstance(path.func, cst.Attribute)
    datastore = path.func.value
    if not datastores.is_datastore(program, datastore):
        return program.source(node)
    return f"({program.source(datastore)}, {program.source(path.args[0].value)})"


def _check_path(program: Program, path: cst.Call, location: str) -> None:
    """Check that the reference has a path and no explicit name."""
    if any(arg.star for arg in path.args):
        raise CannotRewrite("its path is uncertain")
    names = [path_arg.keyword.value if path_arg.keyword else "path" for path_arg in path.args]
    if len(path.args) > 1 or "data_reference_name" in names:
        raise _name_problem(program.source(path.args[-1].value), location)
    _check_text(program, path.args[0].value if path.args else None, location)


def _check_text(program: Program, node: cst.BaseExpression | None, location: str) -> None:
    """Check that ``node`` is a string: without a path, a reference has the datastore's name."""
    if node is None:
        raise _name_problem("the datastore's", location)
    value = constants.resolve(program, node)
    if not isinstance(value, cst.FormattedString | cst.ConcatenatedString) and not isinstance(
        constants.constant(program, value), str
    ):
        reason = "it may have no path; it then has the datastore's name"
        raise CannotRewrite(reason, f"If it has a path: {_from_files_code(location, '')}")


def _target_path(program: Program, call: cst.Call, location: str) -> str:
    """The argument of ``as_download``, which also fits a dataset's, or ""."""
    names = [arg.keyword.value if arg.keyword else "path_on_compute" for arg in call.args]
    if names not in ([], ["path_on_compute"]) or any(argument.star for argument in call.args):
        raise _overwrite_problem(location)
    return program.source(call.args[0].value) if call.args else ""


def _overwrite_problem(location: str) -> CannotRewrite:
    return CannotRewrite(
        "it may overwrite files at path_on_compute, which a dataset does not",
        f"If there are none: {_from_files_code(location, '')}",
    )


def _convert_data_reference(program: Program, call: cst.Call) -> str:
    """Convert ``DataReference(...)``, if it has only keyword arguments and downloads."""
    arguments = {arg.keyword.value: arg.value for arg in call.args if arg.keyword is not None}
    if len(arguments) < len(call.args) or "datastore" not in arguments:
        raise CannotRewrite("its arguments are uncertain", "Use keyword arguments.")
    sources = {name: program.source(value) for name, value in arguments.items()}
    location = f"({sources['datastore']}, {sources.get('path_on_datastore', repr(''))})"
    mode = constants.constant(program, arguments["mode"]) if "mode" in arguments else "mount"
    if mode is constants.UNKNOWN:
        raise CannotRewrite("it may not download", f"If so: {_from_files_code(location, '')}")
    if mode != "download":
        raise _mode_problem(str(mode), location)
    if "data_reference_name" in arguments:
        raise _name_problem(sources["data_reference_name"], location)
    if "overwrite" in arguments:
        raise _overwrite_problem(location)
    _check_text(program, arguments.get("path_on_datastore"), location)
    return _from_files_code(location, sources.get("path_on_compute", ""))


def _check_uses(program: Program, call: cst.Call, advice: str) -> None:
    """Check that the reference is used only in arguments of jobs."""
    if _is_argument(program, call):
        return
    name = _bound_name(program, call)
    uses = program.references(name.value, name) if name is not None else []
    if not uses:
        raise CannotRewrite("its use is unknown, or uses more than its path", advice)
    for use in uses:
        if not _is_argument(program, use):
            user = next(
                ancestor for ancestor in program.ancestors(use) if not isinstance(ancestor, cst.Arg)
            )
            code = " ".join(program.source(user).split())[:80]
            raise CannotRewrite(f"it is used outside a job's arguments: {code}", advice)


def _is_argument(program: Program, node: cst.CSTNode) -> bool:
    """Whether ``node`` is an element of a job's arguments, and nothing else."""
    parent = program.parent(node)
    if not isinstance(parent, cst.Element | cst.DictElement) or parent.value is not node:
        return False
    container = program.parent(parent)
    if not isinstance(container, cst.List | cst.Dict):
        return False
    if _is_job_arguments(program, container):
        return True
    name = _bound_name(program, container)
    uses = program.references(name.value, name) if name is not None else []
    return bool(uses) and all(_is_job_arguments(program, use) for use in uses)


def _is_job_arguments(program: Program, node: cst.CSTNode) -> bool:
    """Whether ``node`` is passed to an Estimator or ScriptRunConfig as its arguments."""
    arg = program.parent(node)
    call = program.parent(arg) if isinstance(arg, cst.Arg) else None
    if not isinstance(arg, cst.Arg) or not isinstance(call, cst.Call) or arg.keyword is None:
        return False
    class_name = program.qualified_name(estimator_call.called_class(program, call))
    is_job = (
        estimator_call.framework_name(class_name) is not None
        or class_name.rpartition(".")[2] == "ScriptRunConfig"
    )
    return is_job and not arg.star and arg.keyword.value in _ARGUMENT_PARAMETERS


def _bound_name(program: Program, value: cst.CSTNode) -> cst.Name | None:
    """The variable that holds ``value`` and nothing else, if all of its uses are visible."""
    parent = program.parent(value)
    if not isinstance(parent, cst.Assign) or len(parent.targets) != 1:
        return None
    name = parent.targets[0].target
    if not isinstance(name, cst.Name) or name.value in program.hidden:
        return None
    return name if len(program.assignments(name.value, name)) == 1 else None


def _check_import(program: Program, anchor: cst.CSTNode | None) -> None:
    scope = program.scope(program.module)
    qualified_names = {
        qualified.name
        for assignment in (scope["Dataset"] if scope is not None else ())
        for qualified in assignment.get_qualified_names_for("Dataset")
    }
    if anchor is None:
        raise CannotRewrite("no top-level azureml import to add Dataset to")
    if not qualified_names <= _DATASETS:
        raise CannotRewrite("the program uses the name Dataset for something else")


def _anchor(program: Program) -> cst.CSTNode | None:
    """The first top-level import of azureml."""
    for statement in program.nodes(cst.Import, cst.ImportFrom):
        if program.indent(statement) == "" and "azureml" in program.source(statement):
            return statement
    return None

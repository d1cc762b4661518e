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
from scriptrun.migration.estimators.call import Refused
from scriptrun.migration.findings import LEFT, REWRITTEN
from scriptrun.migration.rewrite_program import Result, Told

_DATASETS = frozenset(("azureml.core.Dataset", "azureml.core.dataset.Dataset", "scriptrun.Dataset"))
_WORDS = ("arguments", "script_params")
_UPLOADED = "OutputFileDatasetConfig(destination=(datastore, path)).as_upload()"


def rewrite(program: Program) -> Result:
    """Convert references to datasets, and report why the others stay."""
    result, imports = Result(), Imports(program)
    anchor = _anchor(program)
    for call in sorted(program.calls, key=program.span):
        if not datastores.is_reference(program, call):
            continue
        line, what = program.line(call), " ".join(program.source(call.func).split())
        try:
            text = _dataset(program, call)
            _check_uses(program, call, f"If only a job's arguments use it: {text}")
            if "#" in program.source(call) and "\n" in program.source(call):
                raise Refused("it contains a comment", f"Without it: {text}")
            _check_import(program, anchor)
        except Refused as problem:
            result.told.append(Told(line, LEFT, what, problem.reason, problem.advice))
            continue
        assert anchor is not None, "it was checked"
        imports.need("Dataset", call, anchor)
        result.edits.append(Edit(*program.span(call), text))
        reason = "is now a dataset, which downloads the same files"
        result.told.append(Told(line, REWRITTEN, what, reason))
    result.edits += imports.edits()
    return result


def _dataset(program: Program, call: cst.Call) -> str:
    """The code of the dataset that replaces the reference ``call``. Raises CannotRewrite."""
    func = call.func
    if program.qualified(func).endswith(".DataReference"):
        return _by_name(program, call)
    assert isinstance(func, cst.Attribute)
    path = constants.follow(program, func.value)
    is_path = datastores.is_call_of(path, "path")
    place = f"({program.source(func.value)}, '')"
    if is_path:
        place = _place(program, func.value, path)
    if func.attr.value != "as_download":
        raise _other_mode(func.attr.value.removeprefix("as_"), place)
    if not is_path:
        raise _named("the datastore's", place)
    assert isinstance(path, cst.Call)
    _check_path(program, path, place)
    name = func.value
    if isinstance(name, cst.Name) and len(program.references(name.value, name)) > 1:
        raise Refused(
            f"{name.value} is also used elsewhere, and its references share one name",
            f"If that does not matter: {_written(place, '')}",
        )
    return _written(place, _where(program, call, place))


def _written(place: str, where: str) -> str:
    return f"Dataset.File.from_files({place}, validate=False).as_download({where})"


def _other_mode(mode: str, place: str) -> Refused:
    if mode == "upload":
        return Refused("it uploads, which datasets do not support", f"Use an output: {_UPLOADED}")
    return Refused(
        "it is mounted, so the job may write to the datastore",
        f"If it only reads: Dataset.File.from_files({place}).as_mount()",
    )


def _named(name: str, place: str) -> Refused:
    return Refused(
        f"it has a name ({name}), so the script may read AZUREML_DATAREFERENCE_<name>",
        f"If it does not: {_written(place, '')}",
    )


def _place(program: Program, node: cst.BaseExpression, path: cst.BaseExpression) -> str:
    """The argument of ``from_files`` for ``node``, whose value is ``path``."""
    if node is not path or not isinstance(path, cst.Call) or len(path.args) != 1:
        return program.source(node)
    assert isinstance(path.func, cst.Attribute)
    store = path.func.value
    if not datastores.is_datastore(program, store):
        return program.source(node)
    return f"({program.source(store)}, {program.source(path.args[0].value)})"


def _check_path(program: Program, path: cst.Call, place: str) -> None:
    """Check that the reference has a path and no explicit name."""
    if any(each.star for each in path.args):
        raise Refused("its path is uncertain")
    names = [each.keyword.value if each.keyword else "path" for each in path.args]
    if len(path.args) > 1 or "data_reference_name" in names:
        raise _named(program.source(path.args[-1].value), place)
    _check_text(program, path.args[0].value if path.args else None, place)


def _check_text(program: Program, node: cst.BaseExpression | None, place: str) -> None:
    """Check that ``node`` is a string: without a path, a reference has the datastore's name."""
    if node is None:
        raise _named("the datastore's", place)
    value = constants.follow(program, node)
    if not isinstance(value, cst.FormattedString | cst.ConcatenatedString) and not isinstance(
        constants.constant(program, value), str
    ):
        reason = "it may have no path; it then has the datastore's name"
        raise Refused(reason, f"If it has a path: {_written(place, '')}")


def _where(program: Program, call: cst.Call, place: str) -> str:
    """The argument of ``as_download``, which also fits a dataset's, or ""."""
    names = [each.keyword.value if each.keyword else "path_on_compute" for each in call.args]
    if names not in ([], ["path_on_compute"]) or any(each.star for each in call.args):
        raise _overwriting(place)
    return program.source(call.args[0].value) if call.args else ""


def _overwriting(place: str) -> Refused:
    return Refused(
        "it may overwrite files at path_on_compute, which a dataset does not",
        f"If there are none: {_written(place, '')}",
    )


def _by_name(program: Program, call: cst.Call) -> str:
    """Convert ``DataReference(...)``, if it has only keyword arguments and downloads."""
    given = {each.keyword.value: each.value for each in call.args if each.keyword is not None}
    if len(given) < len(call.args) or "datastore" not in given:
        raise Refused("its arguments are uncertain", "Use keyword arguments.")
    text = {name: program.source(each) for name, each in given.items()}
    place = f"({text['datastore']}, {text.get('path_on_datastore', repr(''))})"
    mode = constants.constant(program, given["mode"]) if "mode" in given else "mount"
    if mode is constants.UNKNOWN:
        raise Refused("it may not download", f"If so: {_written(place, '')}")
    if mode != "download":
        raise _other_mode(str(mode), place)
    if "data_reference_name" in given:
        raise _named(text["data_reference_name"], place)
    if "overwrite" in given:
        raise _overwriting(place)
    _check_text(program, given.get("path_on_datastore"), place)
    return _written(place, text.get("path_on_compute", ""))


def _check_uses(program: Program, call: cst.Call, advice: str) -> None:
    """Check that the reference is used only in arguments of jobs."""
    if _is_word(program, call):
        return
    name = _name_of(program, call)
    users = program.references(name.value, name) if name is not None else []
    if not users:
        raise Refused("its use is unknown, or uses more than its path", advice)
    for each in users:
        if not _is_word(program, each):
            user = next(a for a in program.above(each) if not isinstance(a, cst.Arg))
            what = " ".join(program.source(user).split())[:80]
            raise Refused(f"it is used outside a job's arguments: {what}", advice)


def _is_word(program: Program, node: cst.CSTNode) -> bool:
    """Whether ``node`` is an element of a job's arguments, and nothing else."""
    above = program.parent(node)
    if not isinstance(above, cst.Element | cst.DictElement) or above.value is not node:
        return False
    listed = program.parent(above)
    if not isinstance(listed, cst.List | cst.Dict):
        return False
    if _is_given(program, listed):
        return True
    name = _name_of(program, listed)
    users = program.references(name.value, name) if name is not None else []
    return bool(users) and all(_is_given(program, each) for each in users)


def _is_given(program: Program, node: cst.CSTNode) -> bool:
    """Whether ``node`` is passed to an Estimator or ScriptRunConfig as its arguments."""
    arg = program.parent(node)
    call = program.parent(arg) if isinstance(arg, cst.Arg) else None
    if not isinstance(arg, cst.Arg) or not isinstance(call, cst.Call) or arg.keyword is None:
        return False
    called = program.qualified(estimator_call.called(program, call))
    is_one = (
        estimator_call.family(called) is not None or called.rpartition(".")[2] == "ScriptRunConfig"
    )
    return is_one and not arg.star and arg.keyword.value in _WORDS


def _name_of(program: Program, value: cst.CSTNode) -> cst.Name | None:
    """The variable that holds ``value`` and nothing else, if all of its uses are visible."""
    above = program.parent(value)
    if not isinstance(above, cst.Assign) or len(above.targets) != 1:
        return None
    name = above.targets[0].target
    if not isinstance(name, cst.Name) or name.value in program.hidden:
        return None
    return name if len(program.assignments(name.value, name)) == 1 else None


def _check_import(program: Program, anchor: cst.CSTNode | None) -> None:
    scope = program.scope(program.module)
    homes = {
        found.name
        for each in (scope["Dataset"] if scope is not None else ())
        for found in each.get_qualified_names_for("Dataset")
    }
    if anchor is None:
        raise Refused("no top-level azureml import to add Dataset to")
    if not homes <= _DATASETS:
        raise Refused("the program uses the name Dataset for something else")


def _anchor(program: Program) -> cst.CSTNode | None:
    """The first top-level import of azureml."""
    for each in program.nodes(cst.Import, cst.ImportFrom):
        if program.indent(each) == "" and "azureml" in program.source(each):
            return each  # type: ignore[no-any-return]
    return None

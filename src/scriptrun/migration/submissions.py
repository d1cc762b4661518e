"""Write what azureml's names decide by themselves into calls of scriptrun's: pins and outputs.

Under azureml's names pins may be relaxed, and ``start_logging`` keeps what is written to
``outputs``. scriptrun's own do so only when asked.
"""

from __future__ import annotations

import re

import libcst as cst

from scriptrun.migration import experiment_values
from scriptrun.migration.code import constants
from scriptrun.migration.code.call_layout import Arguments
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators import call as estimator_call
from scriptrun.migration.experiment_values import EXPERIMENT, LOGGED_RUN, UNKNOWN
from scriptrun.migration.findings import NEEDS_REVIEW, REWRITTEN
from scriptrun.migration.rewrite_program import ProgramFinding, RewriteResult

#: methods that submit, and whose they are
_SUBMISSIONS = {"submit": EXPERIMENT, "submit_many": EXPERIMENT, "submit_child": LOGGED_RUN}
#: classes whose objects only experiments and runs can submit
_CONFIGURATIONS = ("ScriptRunConfig", "HyperDriveConfig", "HyperDriveRunConfig")
_OUTPUTS = "outputs"
_DEPLOY = re.compile(r"(azureml\.core\.(\w+\.)?|scriptrun\.)Model\.deploy$")
#: the arguments of a deployment that gives an environment: workspace, name, models, and it
_LEAST_WITH_CONFIG = 4


def rewrite(program: Program, keeps_experiments: bool = False) -> RewriteResult:
    """Complete the submissions and interactive runs of ``program``.

    With ``keeps_experiments``, its experiments stay azureml's.
    """
    result = RewriteResult()
    for attribute in program.nodes(cst.Attribute):
        call = program.parent(attribute)
        is_called = isinstance(call, cst.Call) and call.func is attribute
        name = attribute.attr.value
        if keeps_experiments and _is_experiment(program, attribute):
            continue
        if name == "deploy" and isinstance(call, cst.Call) and is_called:
            _rewrite_deployment(program, attribute, call, result)
        elif name in _SUBMISSIONS:
            _rewrite_submission(program, attribute, call if is_called else None, result)
        elif name == "start_logging" and isinstance(call, cst.Call) and is_called:
            _rewrite_logging(program, attribute, call, result)
    return result


def _is_experiment(program: Program, attribute: cst.Attribute) -> bool:
    """Whether a method of something that may be an experiment is used."""
    if attribute.attr.value not in (*_SUBMISSIONS, "start_logging"):
        return False
    return experiment_values.find_kind(program, attribute.value) in (EXPERIMENT, UNKNOWN)


def _rewrite_submission(
    program: Program, attribute: cst.Attribute, call: cst.CSTNode | None, result: RewriteResult
) -> None:
    kind = experiment_values.find_kind(program, attribute.value)
    if isinstance(call, cst.Call) and (_argument(call, "pins") or _is_pipeline(program, call)):
        return
    if kind == UNKNOWN and isinstance(call, cst.Call) and _submits_job(program, call):
        kind = _SUBMISSIONS[attribute.attr.value]
    if kind == _SUBMISSIONS[attribute.attr.value]:
        if isinstance(call, cst.Call):
            setting = f"pins={_quoted(program, 'relax')}"
            equals = Arguments(program, call).equals()
            result.edits += _added(program, call, setting.replace("=", equals, 1))
            reason = f"{setting}, which azureml's names imply"
            _add_finding(program, attribute, REWRITTEN, reason, result)
            return
        reason = "it is passed on, so its pins are exact from now on"
    elif kind == UNKNOWN and _may_be_submission(attribute.attr.value, call):
        reason = "if it submits a job: its pins are exact from now on"
    else:
        return
    advice = (
        "To replace versions that are no longer available, as before, call it with pins='relax'."
    )
    _add_finding(program, attribute, NEEDS_REVIEW, reason, result, advice)


def _rewrite_deployment(
    program: Program, attribute: cst.Attribute, call: cst.Call, result: RewriteResult
) -> None:
    """Let a deployment that gives an environment treat its pins as before."""
    if not _DEPLOY.match(program.qualified_name(attribute)):
        return
    if _argument(call, "pins") or _has_stars(call) or len(call.args) < _LEAST_WITH_CONFIG:
        return
    setting = f"pins={_quoted(program, 'relax')}"
    result.edits += _added(
        program, call, setting.replace("=", Arguments(program, call).equals(), 1)
    )
    reason = f"{setting}, which azureml's names imply"
    _add_finding(program, attribute, REWRITTEN, reason, result)


def _may_be_submission(method: str, call: cst.CSTNode | None) -> bool:
    """Whether a call on something unknown may submit a job: it has a configuration, and tags."""
    if not isinstance(call, cst.Call) or method == "submit_child":
        return False
    names = [arg.keyword.value for arg in call.args if arg.keyword is not None]
    return 0 < len(call.args) <= 3 and {"config", "tags", "configs"}.issuperset(names)


def _rewrite_logging(
    program: Program, attribute: cst.Attribute, call: cst.Call, result: RewriteResult
) -> None:
    kind = experiment_values.find_kind(program, attribute.value)
    given = _argument(call, _OUTPUTS)
    setting = f"{_OUTPUTS}={_quoted(program, _OUTPUTS)}"
    if kind == EXPERIMENT and given is None and not _has_stars(call):
        result.edits += _added(program, call, setting)
    elif kind == EXPERIMENT and given is not None and program.source(given.value) == "None":
        result.edits.append(Edit(*program.span(given), setting))
    elif given is None or constants.constant(program, given.value) is constants.UNKNOWN:
        reason = "without outputs=, it creates and uploads no folder"
        advice = f"To upload one, as before, pass {setting}."
        _add_finding(program, attribute, NEEDS_REVIEW, reason, result, advice)
        return
    else:
        return
    reason = f"{setting}, which azureml's names imply"
    _add_finding(program, attribute, REWRITTEN, reason, result)


def _add_finding(
    program: Program,
    attribute: cst.Attribute,
    kind: str,
    reason: str,
    result: RewriteResult,
    advice: str = "",
) -> None:
    subject = " ".join(program.source(attribute).split())[-60:]
    result.findings.append(
        ProgramFinding(program.line(attribute.attr), kind, subject, reason, advice)
    )


def _added(program: Program, call: cst.Call, setting: str) -> list[Edit]:
    """The edit that adds an argument to ``call``, laid out like its last one."""
    if not call.args:
        opening = program.text.index("(", program.span(call.func)[1]) + 1
        return [Edit(opening, opening, setting)]
    last = call.args[-1]
    end, indent, line_end = program.span(last)[1], program.indent(last), program.line_end(last)
    if indent is None:
        return [Edit(end, end, f", {setting}")]
    break_line = f"{program.newline}{indent}"
    following = program.text[end:line_end].lstrip()
    if following.startswith(",") and "#" in following:  # the comment stays with its argument
        return [Edit(line_end, line_end, f"{break_line}{setting},")]
    return [
        Edit(end, end, f", {setting}" if following.startswith("#") else f",{break_line}{setting}")
    ]


def _argument(call: cst.Call, name: str) -> cst.Arg | None:
    named = [arg for arg in call.args if arg.keyword is not None and arg.keyword.value == name]
    return named[0] if named else None


def _has_stars(call: cst.Call) -> bool:
    return any(arg.star == "**" for arg in call.args)


def _submits_job(program: Program, call: cst.Call) -> bool:
    """Whether the call is given the configuration of a job or a sweep."""
    name = _submitted_class(program, call)
    is_job = name.rpartition(".")[2] in _CONFIGURATIONS
    return is_job or estimator_call.framework_name(name) is not None


def _is_pipeline(program: Program, call: cst.Call) -> bool:
    """Whether the call submits a pipeline, which is not a job of scriptrun."""
    return _submitted_class(program, call).startswith("azureml.pipeline")


def _submitted_class(program: Program, call: cst.Call) -> str:
    """The full name of the class of what the call is given, or ""."""
    for arg in call.args[:1]:
        value = constants.resolve(program, arg.value)
        if isinstance(value, cst.Call):
            return program.qualified_name(value.func)
    return ""


def _quoted(program: Program, text: str) -> str:
    """``text`` as a literal in the quotes that the program prefers."""
    quote = "'" if program.text.count("'") > program.text.count('"') else '"'
    return f"{quote}{text}{quote}"

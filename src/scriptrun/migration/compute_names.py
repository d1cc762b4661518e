"""Name the compute targets that a workspace should have: the default replaces others."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import libcst as cst

from scriptrun.migration import clusters
from scriptrun.migration.code import constants
from scriptrun.migration.code.program import Program
from scriptrun.migration.findings import NEEDS_REVIEW
from scriptrun.migration.rewrite_program import ProgramFinding

#: names that mean this machine
_HERE = ("local", "amlcompute")
_CODE = re.compile(r"compute_target|\.target\b")
_KEYWORDS = ("compute_target", "default_compute_target")
_CONFIGURATION_TARGET = re.compile(
    r"^\s*[\"']?target[\"']?\s*:\s*[\"']?([\w.-]+)[\"']?,?\s*$", re.M
)


def may_matter(text: str) -> bool:
    """Whether the code names compute targets."""
    return bool(_CODE.search(text))


def find(program: Program) -> list[ProgramFinding]:
    """A finding for each compute target that the program names, but does not create."""
    created = clusters.created(program)
    lines: dict[str, int] = {}
    for node, value in _values(program):
        name = constants.constant(program, value)
        if isinstance(name, str) and name and name not in (*_HERE, *created):
            lines.setdefault(name, program.line(node))
    return [finding(name, line) for name, line in lines.items()]


def finding(name: str, line: int) -> ProgramFinding:
    """The finding for the compute target ``name``."""
    reason = "the default target is used where the workspace has none of that name"
    advice = (
        f"To use this machine under that name: scriptrun compute alias {shlex.quote(name)} local"
    )
    return ProgramFinding(line, NEEDS_REVIEW, f"compute target {name}", reason, advice)


def in_configuration(text: str) -> str:
    """The compute target that a .runconfig names, or "" if it names none or this machine."""
    match = _CONFIGURATION_TARGET.search(text)
    return match[1] if match is not None and match[1] not in (*_HERE, "null") else ""


def _values(program: Program) -> Iterator[tuple[cst.CSTNode, cst.BaseExpression]]:
    """Where the program names compute targets, and the values."""
    for node in program.nodes(cst.Arg, cst.Subscript, cst.Assign):
        if isinstance(node, cst.Arg):
            if node.keyword is not None and node.keyword.value in _KEYWORDS:
                yield node, node.value
        elif isinstance(node, cst.Assign):
            target = node.targets[0].target
            if isinstance(target, cst.Attribute) and target.attr.value == "target":
                yield node, node.value
        elif isinstance(node, cst.Subscript) and (name := clusters.subscripted(node)) is not None:
            yield node, name

"""Rewrite one file: compute its new content, the findings and the diff."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable
from typing import Any

import libcst as cst

from scriptrun.migration import azureml_imports, candidates, references, rewrite_program
from scriptrun.migration.code import files, star_imports
from scriptrun.migration.code.documents import Document
from scriptrun.migration.code.program import Program, check
from scriptrun.migration.estimators.call import Refused
from scriptrun.migration.findings import LEFT, LOOK, Finding
from scriptrun.spec.values import Value, fresh

#: the SDKs that rewritten code can use
AZUREML, SCRIPTRUN = "azureml", "scriptrun"
#: what to look for before each pass, so that most programs are never parsed
_CALLED = re.compile(r"azureml\.train|RunConfiguration|EstimatorStep")
_REFERRED = re.compile(r"DataReference\(|\.as_(download|mount|upload)\(")
_IMPORTED = re.compile(r"^[ \t]*(from|import)[ \t]+azureml|;[ \t]*(from|import)[ \t]+azureml", re.M)
_STARRED = re.compile(r"^[ \t]*from[ \t]+azureml[\w.]*[ \t]+import[ \t]*\*", re.M)
#: given a module and name: what to do instead if scriptrun lacks it, or None
Alternative = Callable[[str, str], str | None]


class Outcome(Value, frozen=False):
    """The result for the file ``path``: its old and new content, and the findings.

    ``diff`` has the lines of a unified diff.
    """

    path: str
    old: bytes
    new: bytes
    findings: list[Finding] = fresh(default_factory=list)
    diff: list[str] = fresh(default_factory=list)

    @property
    def is_changed(self) -> bool:
        """Whether the content differs."""
        return self.old != self.new


def look_at(path: str, to: str, alternative: Alternative) -> Outcome | None:
    """Compute the outcome for the file, or None if it does not mention azureml."""
    if path.endswith(".runconfig"):
        reason = "ScriptRunConfig(run_config=RunConfiguration.load(...)) accepts it unchanged"
        advice = f"To show it as a ScriptRunConfig, run: scriptrun import {path}"
        return Outcome(path, b"", b"", [_refused(path, Refused(reason, advice, LEFT))])
    try:
        raw = files.read(path)
    except Refused as problem:
        return Outcome(path, b"", b"", [_refused(path, problem)])
    if candidates.MARK not in raw:
        return None
    try:
        return rewritten(path, raw, to, alternative)
    except Refused as problem:
        return Outcome(path, raw, raw, [_refused(path, problem)])
    except Exception as error:  # a failure on one file must not hide the others
        reason = f"internal error (this is a bug): {type(error).__name__}: {error}"
        return Outcome(path, raw, raw, [_refused(path, Refused(reason, "Please report it."))])


def _refused(path: str, problem: Refused) -> Finding:
    return Finding(path, 0, 1, problem.kind, os.path.basename(path), problem.reason, problem.advice)


def rewritten(path: str, raw: bytes, to: str, alternative: Alternative) -> Outcome:
    """Rewrite the content ``raw``. Raises CannotRewrite if it cannot be decoded or parsed."""
    document = Document(path, raw)
    text = document.program()
    program: Program | None = None
    findings = [
        Finding(path, cell + 1, 1, LOOK, "cell", "skipped: not valid Python 3")
        for cell in document.broken
    ]
    start, original = list(document.pieces), text
    if _STARRED.search(text):
        result = star_imports.named(_parsed(document.parsed, text))
        findings += _placed(document, result.told, start)
        document.apply(result.edits)
        text = document.program()
    if to == SCRIPTRUN and _REFERRED.search(text):
        result = references.rewrite(_parsed(document.parsed, text))
        findings += _placed(document, result.told, start)
        document.apply(result.edits)
        text = document.program()
    if _CALLED.search(text):
        program = _parsed(document.parsed, text)
        result = rewrite_program.rewrite(program, to == SCRIPTRUN, os.path.dirname(path) or ".")
        findings += _placed(document, _as_it_was(result.told, text, original), start)
        if result.edits:
            document.apply(result.edits)
            text, program = document.program(), None
    if to == SCRIPTRUN and _IMPORTED.search(text):
        result = azureml_imports.move(program or _parsed(document.parsed, text), alternative)
        findings += _placed(document, _as_it_was(result.told, text, original), start)
        document.apply(result.edits)
    _parsed(check, document.program())
    new = document.bytes()
    return Outcome(path, raw, new, sorted(findings), _diff(path, document))


def _parsed(parse: Callable[[str], Any], text: str) -> Any:
    """Parse ``text`` with ``parse``. Raises CannotRewrite if it is invalid."""
    try:
        return parse(text)
    except cst.ParserSyntaxError as error:
        hint = "Convert Python 2 with 2to3 first." if "print " in text else ""
        reason = error.message.splitlines()[0]
        raise Refused(f"not valid Python 3 (line {error.raw_line}: {reason})", hint) from None
    except (RecursionError, cst.CSTValidationError) as error:
        raise Refused(f"cannot parse it: {error}") from None


def _as_it_was(told: list[rewrite_program.Told], new: str, old: str) -> list[rewrite_program.Told]:
    """Convert the line numbers of findings from ``new`` to ``old``."""
    if new == old or not told:
        return told
    lines = _before(new, old)
    return [each.replace(line=lines[each.line - 1]) for each in told]


def _before(new: str, old: str) -> list[int]:
    """For each line of ``new``, the matching or nearest line of ``old``."""
    matcher = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False)
    found = []
    for _, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        last = max(old_end, old_start + 1)
        found += [min(old_start + n, last - 1) + 1 for n in range(new_end - new_start)]
    return [*found, len(old.splitlines()) or 1]


def _placed(
    document: Document, told: list[rewrite_program.Told], pieces: list[str]
) -> list[Finding]:
    found = []
    for each in told:
        cell, line = document.place(each.line, pieces)
        found.append(
            Finding(document.path, cell, line, each.kind, each.what, each.reason, each.advice)
        )
    return found


def _diff(path: str, document: Document) -> list[str]:
    lines: list[str] = []
    for number, (old, new) in enumerate(
        zip(document.original(), document.pieces, strict=True), start=1
    ):
        if old != new:
            name = f"{path}, cell {number}" if document.is_notebook else path
            lines += difflib.unified_diff(
                old.splitlines(), new.splitlines(), name, name, lineterm=""
            )
    return lines

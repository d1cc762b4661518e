"""Rewrite one file: compute its new content, the findings and the diff."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable

import libcst as cst

from scriptrun.migration import (
    azureml_imports,
    candidates,
    clusters,
    compute_names,
    consumption,
    container_images,
    idle_calls,
    references,
    rewrite_program,
    sdk_requirements,
)
from scriptrun.migration.code import alignment, files, import_order, line_lengths, star_imports
from scriptrun.migration.code.documents import Document
from scriptrun.migration.code.program import MOST_CHARACTERS, Program, TooLong, check
from scriptrun.migration.estimators.call import CannotRewrite
from scriptrun.migration.findings import LEFT_ALONE, NEEDS_REVIEW, Finding
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")

#: the SDKs that rewritten code can use
AZUREML, SCRIPTRUN = "azureml", "scriptrun"
#: what to look for before each pass, so that most programs are never parsed
_ESTIMATOR_CODE = re.compile(r"azureml\.train|RunConfiguration|EstimatorStep")
_AZUREML_IMPORT = re.compile(
    r"^[ \t]*(from|import)[ \t]+azureml|;[ \t]*(from|import)[ \t]+azureml", re.M
)
_STAR_IMPORT = re.compile(r"^[ \t]*from[ \t]+azureml[\w.]*[ \t]+import[ \t]*\*", re.M)
#: what rewrites code where no Azure is, and the code that each may change
_FOR_SCRIPTRUN = {
    re.compile(r"ComputeTarget|AmlCompute|AksCompute"): clusters.rewrite,
    re.compile(r"\bauth\b|set_diagnostics_collection"): idle_calls.rewrite,
    re.compile("DatasetConsumptionConfig"): consumption.rewrite,
    re.compile(r"DataReference\(|\.as_(download|mount|upload)\("): references.rewrite,
}
_IMAGE_CODE = re.compile(r"ContainerImage\b")
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
        return self.old != self.new or bool(self.diff)

    def without_contents(self) -> Outcome:
        """The same without the contents, which may be large."""
        return self.replace(old=b"", new=b"")


def compute_outcome(path: str, to: str, alternative: Alternative) -> Outcome | None:
    """Compute the outcome for the file, or None if it does not mention azureml."""
    if path.endswith(".runconfig"):
        reason = "ScriptRunConfig(run_config=RunConfiguration.load(...)) accepts it unchanged"
        advice = f"To show it as a ScriptRunConfig, run: scriptrun import {path}"
        problem = CannotRewrite(reason, advice, LEFT_ALONE)
        findings = [_file_finding(path, problem)]
        return Outcome(path, b"", b"", [*findings, *_configured_target(path, to)])
    try:
        raw = files.read(path)
    except CannotRewrite as problem:
        return Outcome(path, b"", b"", [_file_finding(path, problem)])
    if candidates.MARK not in raw:
        return None
    try:
        return rewrite_content(path, raw, to, alternative)
    except CannotRewrite as problem:
        return Outcome(path, raw, raw, [_file_finding(path, problem)])
    except Exception as error:  # a failure on one file must not hide the others
        reason = f"internal error (this is a bug): {type(error).__name__}: {error}"
        return Outcome(
            path, raw, raw, [_file_finding(path, CannotRewrite(reason, "Please report it."))]
        )


def _configured_target(path: str, to: str) -> list[Finding]:
    """A finding for the compute target that a run configuration names."""
    try:
        text = files.read(path).decode("utf-8", "replace")
    except CannotRewrite:
        return []
    name = compute_names.in_configuration(text)
    if not name or to != SCRIPTRUN:
        return []
    item = compute_names.finding(name, text[: text.index(name)].count("\n") + 1)
    return [Finding(path, 0, item.line, item.kind, item.what, item.reason, item.advice)]


def _file_finding(path: str, problem: CannotRewrite) -> Finding:
    return Finding(path, 0, 1, problem.kind, os.path.basename(path), problem.reason, problem.advice)


def rewrite_content(path: str, raw: bytes, to: str, alternative: Alternative) -> Outcome:
    """Rewrite the content ``raw``. Raises CannotRewrite if it cannot be decoded or parsed."""
    document = Document(path, raw)
    if candidates.MARK.decode() not in "".join(document.pieces):
        return Outcome(path, raw, raw)  # only the outputs of a notebook mention it
    code = _Code(document)
    if _STAR_IMPORT.search(code.text):
        code.apply(star_imports.expand(code.program))
    for pattern, rewrite in _FOR_SCRIPTRUN.items() if to == SCRIPTRUN else ():
        if pattern.search(code.text):
            code.apply(rewrite(code.program))
    if to == SCRIPTRUN and _IMAGE_CODE.search(code.text):
        code.apply(container_images.rewrite(code.program, path))
    if _ESTIMATOR_CODE.search(code.text):
        folder = os.path.dirname(path) or "."
        code.apply(rewrite_program.rewrite(code.program, to == SCRIPTRUN, folder))
    named = _named(code) if to == SCRIPTRUN else []
    if to == SCRIPTRUN and _AZUREML_IMPORT.search(code.text):
        result = azureml_imports.move(code.program, alternative)
        aligned = alignment.edits(code.program, result.edits)
        code.apply(result.replace(edits=[*result.edits, *aligned]))
    if document.is_changed:
        _tidy_lines(code)
    code.add_findings(named)
    _parse(check, document.program_text())
    new = document.to_bytes() if document.is_changed else raw
    return Outcome(path, raw, new, sorted(code.findings), _diff(path, document))


class _Code:
    """The code of a document: each of its versions is parsed at most once."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.text = self.original_text = document.program_text()
        self._original_pieces = list(document.pieces)
        self._program: Program | None = None
        self.findings = [
            Finding(document.path, cell + 1, 1, NEEDS_REVIEW, "cell", "skipped: not valid Python 3")
            for cell in document.invalid_cells
        ]

    @property
    def program(self) -> Program:
        """The parsed code. Raises CannotRewrite if it is invalid."""
        if self._program is None:
            self._program = _parse(self.document.parse, self.text)
        return self._program

    def apply(self, result: rewrite_program.RewriteResult) -> None:
        """Apply the edits of the current version, and add the findings."""
        self.findings += self._located(self.with_original_lines(result.findings))
        if not result.edits:
            return
        self.document.apply_edits(result.edits)
        text = self.document.program_text()
        if text != self.text:
            self.text, self._program = text, None

    def with_original_lines(
        self, findings: list[rewrite_program.ProgramFinding]
    ) -> list[rewrite_program.ProgramFinding]:
        """Convert the line numbers of findings from the current version to the original one."""
        return _with_original_lines(findings, self.text, self.original_text)

    def add_findings(self, findings: list[rewrite_program.ProgramFinding]) -> None:
        """Add findings, with original lines, about what no other finding is about."""
        known = {finding.what for finding in self.findings}
        self.findings += self._located([item for item in findings if item.what not in known])

    def _located(self, findings: list[rewrite_program.ProgramFinding]) -> list[Finding]:
        return _locate(self.document, findings, self._original_pieces)


def _named(code: _Code) -> list[rewrite_program.ProgramFinding]:
    """Findings for what the code names: compute targets, and packages of the SDK."""
    found = list[rewrite_program.ProgramFinding]()
    if compute_names.may_matter(code.text):
        found += compute_names.find(code.program)
    if sdk_requirements.may_matter(code.text):
        packages = sdk_requirements.find(code.program, os.path.dirname(code.document.path) or ".")
        found += [item for item in packages if item.what in code.original_text]
    return code.with_original_lines(found)


def _tidy_lines(code: _Code) -> None:
    """Merge the imports, and wrap the lines that have become too long."""
    longest = line_lengths.limit(code.original_text)
    original_lines = code.original_text.splitlines()
    may_merge = import_order.may_merge(code.text, longest)
    if may_merge or line_lengths.may_wrap(code.text, original_lines, longest):
        edits = import_order.merge(code.program, longest, code.document.boundaries())
        edits += line_lengths.wrap(code.program, original_lines, longest)
        code.document.apply_edits(edits)
    code.document.trim()


def _parse(parse: Callable[[str], T], text: str) -> T:
    """Parse ``text`` with ``parse``. Raises CannotRewrite if it is invalid."""
    try:
        return parse(text)
    except cst.ParserSyntaxError as error:
        hint = "Convert Python 2 with 2to3 first." if "print " in text else ""
        reason = error.message.splitlines()[0]
        raise CannotRewrite(f"not valid Python 3 (line {error.raw_line}: {reason})", hint) from None
    except TooLong:
        raise CannotRewrite(
            f"it has more than {MOST_CHARACTERS >> 20} MiB of code",
            "Move the code that uses azureml to a separate file.",
        ) from None
    except (RecursionError, cst.CSTValidationError) as error:
        raise CannotRewrite(f"cannot parse it: {error}") from None


def _with_original_lines(
    findings: list[rewrite_program.ProgramFinding], new: str, old: str
) -> list[rewrite_program.ProgramFinding]:
    """Convert the line numbers of findings from ``new`` to ``old``."""
    if new == old or not findings:
        return findings
    lines = _original_lines(new, old)
    return [finding.replace(line=lines[finding.line - 1]) for finding in findings]


def _original_lines(new: str, old: str) -> list[int]:
    """For each line of ``new``, the matching or nearest line of ``old``."""
    old_lines, new_lines = old.splitlines(), new.splitlines()
    # without autojunk, the time grows with the square of how often a line is repeated
    autojunk = len(old_lines) > _COMPARED_EXACTLY
    matcher = difflib.SequenceMatcher(None, old_lines, new_lines, autojunk=autojunk)
    numbers = []
    for _, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        stop = max(old_end, old_start + 1)
        numbers += [min(old_start + n, stop - 1) + 1 for n in range(new_end - new_start)]
    return [*numbers, len(old_lines) or 1]


#: the lines up to which two versions are compared without a heuristic
_COMPARED_EXACTLY = 1000


def _locate(
    document: Document, findings: list[rewrite_program.ProgramFinding], pieces: list[str]
) -> list[Finding]:
    located = []
    for finding in findings:
        cell, line = document.locate(finding.line, pieces)
        located.append(
            Finding(
                document.path,
                cell,
                line,
                finding.kind,
                finding.what,
                finding.reason,
                finding.advice,
            )
        )
    return located


def _diff(path: str, document: Document) -> list[str]:
    lines: list[str] = []
    for number, (old, new) in enumerate(
        zip(document.original_pieces(), document.pieces, strict=True), start=1
    ):
        if old != new:
            name = f"{path}, cell {number}" if document.is_notebook else path
            lines += difflib.unified_diff(
                old.splitlines(), new.splitlines(), name, name, lineterm=""
            )
    return lines

"""Run Azure ML SDK v1 code unchanged.

scriptrun provides the ``azureml`` modules, for this code only. Everything after FILE
or MODULE is passed to it.

A notebook runs in the Python of the kernel it names, else in that of the active virtual
environment or of .venv in its directory, else in scriptrun's own.

examples:
  scriptrun exec submit.py --epochs 5
  scriptrun exec -m project.submit
  scriptrun exec train.ipynb
  scriptrun exec --python 3.12 train.ipynb
  scriptrun exec --check submit.py notebooks/

--check exits with 0 if all names are supported, 1 if unsupported ones are used, 2 if a
file cannot be read.
"""

from __future__ import annotations

import argparse
import importlib
import os
from pathlib import Path

from scriptrun.cli import errors as cli_errors
from scriptrun.cli.options import default_python
from scriptrun.cli.terminal import output, streams
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriptrun.cli.parsers import Parser
    from scriptrun.dropin.scan import Findings, UnsupportedName
    from scriptrun.runtime.hints import Json


def arguments(parser: Parser) -> None:
    """Add the command's arguments."""
    parser.takes_rest = True
    parser.usage = (
        "scriptrun exec [--python PYTHON] FILE [ARGS]\n"
        "       scriptrun exec [--python PYTHON] -m MODULE [ARGS]\n"
        "       scriptrun exec --check [--json] PATH...\n"
        "       scriptrun exec --install-kernel"
    )
    parser.add_argument(
        "--python",
        metavar="PYTHON",
        help="Python to run the code in: a path, virtual environment or version",
    )
    parser.add_argument(
        "-m",
        dest="module",
        nargs=argparse.REMAINDER,
        metavar="MODULE",
        help="run a module, followed by its arguments, like python -m",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="list unsupported azureml names in files and directories; run nothing",
    )
    parser.add_argument("--json", action="store_true", help="with --check, print JSON")
    parser.add_argument(
        "--install-kernel",
        action="store_true",
        help="install a Jupyter kernel that runs azureml notebooks",
    )
    parser.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="FILE",
        help="script or notebook, followed by its arguments",
    )


def run(args: argparse.Namespace) -> int:
    """Run or check the code; return the script's exit code, or that of the check."""
    importlib.import_module("scriptrun.dropin")
    _restore_separator(args)
    if args.python is not None and (args.check or args.install_kernel):
        option = "--check" if args.check else "--install-kernel"
        raise UserErrorException(
            f"--python and {option} cannot be used together.", "Use one of them."
        )
    if args.json and not args.check:
        raise UserErrorException(
            "--json requires --check.", "Arguments of the script follow it: exec FILE --json"
        )
    if args.check:
        return _check_as_json(args.words) if args.json else _check(args.words)
    if args.install_kernel:
        print(importlib.import_module("scriptrun.dropin.notebook.kernel").install())
        return 0
    _start_other_python(args)
    runner = importlib.import_module("scriptrun.dropin.exec")
    with streams.raw_output():
        if args.module:
            return int(runner.module(args.module[0], args.module[1:]))
        return int(runner.script(_first(args.words), args.words[1:]))


def _restore_separator(args: argparse.Namespace) -> None:
    """Give ``--`` and what follows it to the code: it is one of its arguments."""
    words = args.module or args.words
    if args.rest is not None:
        words += ["--", *args.rest] if words else args.rest


def _start_other_python(args: argparse.Namespace) -> None:
    """Continue in another Python if one is requested, or the notebook belongs to one."""
    is_notebook = not args.module and args.words[:1] and args.words[0].endswith(".ipynb")
    if args.python is None and not (is_notebook and os.path.isfile(args.words[0])):
        return
    other_python = importlib.import_module("scriptrun.dropin.other_python")
    if other_python.is_running():
        return
    if args.python is not None:
        interpreter = other_python.requested(args.python)
    else:
        folder = Path(args.words[0]).absolute().parent
        prefixes = default_python.prefixes(folder, WorkspaceFiles.root_for(folder))
        interpreter = other_python.of_notebook(args.words[0], list(prefixes))
    if interpreter is not None and not interpreter.is_own:
        words = ["-m", *args.module] if args.module else [_first(args.words), *args.words[1:]]
        other_python.start(interpreter, words)


def _check(words: list[str]) -> int:
    """Check all files below the paths ``words``; return 2 if one cannot be read."""
    _first(words)
    if len(words) == 1 and not os.path.isdir(words[0]):
        return _report(words[0], _examine(words[0]))
    files, used_names, unreadable = 0, list[int](), 0
    for path in _files(words):
        files += 1
        try:
            findings = _examine(path)
        except UserErrorException as error:
            cli_errors.report_error(error.message, error.hint)
            unreadable += 1
            continue
        _print_findings(findings)
        used_names += filter(None, [sum(usage.is_used for usage in findings.unsupported)])
    print(_summary(files, used_names, unreadable))
    return 2 if unreadable else int(bool(used_names))


def _check_as_json(words: list[str]) -> int:
    """As ``_check``, with one JSON document of all files."""
    _first(words)
    files: list[str] = []
    unreadable: list[Json] = []
    used: list[Json] = []
    skipped: list[Json] = []
    for path in _files(words):
        files.append(path)
        try:
            findings = _examine(path)
            used += map(_usage_record, findings.unsupported)
            skipped += [cell._asdict() for cell in findings.skipped]
        except UserErrorException as error:
            unreadable.append({"path": path, "message": error.message, "hint": error.hint or None})
    output.print_json(
        {"files": files, "unsupported": used, "skipped": skipped, "unreadable": unreadable}
    )
    return 2 if unreadable else int(any(each["used"] for each in used))


def _usage_record(usage: UnsupportedName) -> Json:
    place, name, instead = usage.place, usage.name, usage.instead
    return {"place": place, "name": name, "instead": instead, "used": usage.is_used}


def _files(words: list[str]) -> Iterator[str]:
    """The named files, and the scripts and notebooks below the named directories."""
    candidates = importlib.import_module("scriptrun.migration.candidates")
    for path in candidates.files(words):
        is_code = path.endswith((".py", ".ipynb")) and candidates.may_matter(path)
        if path in words or is_code:
            yield path


def _examine(path: str) -> Findings:
    found: Findings = importlib.import_module("scriptrun.dropin.scan").examine(path)
    return found


def _report(path: str, findings: Findings) -> int:
    """Print what one file uses; return 1 if it uses what is not supported."""
    _print_findings(findings)
    used = any(usage.is_used for usage in findings.unsupported)
    if not used:
        print(f"{path}: all azureml names are supported.")
    return int(used)


def _print_findings(findings: Findings) -> None:
    for cell in findings.skipped:
        print(f"{cell.place}: skipped: {cell.reason}")
    for usage in findings.unsupported:
        remark = "" if usage.is_used else " (imported but not used)"
        print(f"{usage.place}: {usage.name}{remark}\n    {usage.instead}")


def _summary(files: int, used_names: list[int], unreadable: int) -> str:
    """``used_names`` are the numbers of unsupported names, one for each file that uses any."""
    if not files:
        return "No scripts or notebooks that use azureml."
    text = "all azureml names are supported"
    if used_names:
        names = _count(sum(used_names), "unsupported name")
        text = f"{names} in {_count(len(used_names), 'file')}"
    if unreadable:
        text += f"; {_count(unreadable, 'file')} could not be read"
    return f"Checked {_count(files, 'file')}: {text}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _first(words: list[str]) -> str:
    if not words:
        raise UserErrorException("Nothing to run.", "Give a script, a notebook, or -m MODULE.")
    return words[0]

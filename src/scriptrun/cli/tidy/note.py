"""Show or write a run's note.

A run has one note, of any number of lines. Without a text, print it. `-` reads the text from
standard input; --editor opens the note in $VISUAL or $EDITOR. Put -- before a text that begins
with a dash.

examples:
  scriptrun note RUN "lost power at epoch 12; rerun with a checkpoint"
  scriptrun note RUN - < observations.txt
  scriptrun note RUN --editor
  scriptrun list "note~checkpoint"
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from scriptrun.cli import common_arguments
from scriptrun.cli.terminal import output
from scriptrun.core.run import Run
from scriptrun.runs import details, marks
from scriptrun.spec.control_characters import one_line
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.parsers import Parser

#: the longest note: the index of runs holds them all
MAX_LENGTH = 100_000


def arguments(parser: Parser) -> None:
    """Add the command's arguments."""
    parser.takes_rest = True
    parser.rest_purpose, parser.subject = "write a text that begins with a dash", "RUN"
    parser.words_argument = "text"
    common_arguments.run_argument(parser)
    add = parser.add_argument
    add("text", metavar="TEXT", nargs="*", default=[], help="new note; - reads standard input")
    add("-e", "--editor", action="store_true", help="edit the note in $VISUAL or $EDITOR")
    add("--remove", action="store_true", help="remove the note")
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print or change the note and return the exit code."""
    words = [*args.text, *(args.rest or ())]
    given = [*(["TEXT"] if words else []), *(["--editor"] if args.editor else [])]
    given += ["--remove"] if args.remove else []
    if len(given) > 1:
        raise UserErrorException(f"{given[0]} cannot be combined with {given[1]}.")
    selected = common_arguments.find_run(args)
    old = selected.note
    if not given:
        _print(selected, old, args)
        return 0
    marks.refuse_removed(selected, "changed")
    new = _edited(old or "") if args.editor else _text(words) if words else None
    if new and len(new) > MAX_LENGTH:
        raise UserErrorException(
            f"The note has {len(new):,} characters; at most {MAX_LENGTH:,} are allowed.",
            "Keep longer texts in a file, and name it in the note.",
        )
    if new != old:
        selected.note = new
    if args.json:
        _print(selected, new, args)
    else:
        print(one_line(f"{details.title(selected)}: note {_outcome(old, new)}"))
    return 0


def _print(selected: Run, note: str | None, args: argparse.Namespace) -> None:
    if args.json:
        output.print_json({"id": selected.id, "note": note})
    elif note is not None:
        print(note)


def _outcome(old: str | None, new: str | None) -> str:
    if new == old:
        return "unchanged"
    if new is None:
        return "removed"
    return "added" if old is None else "replaced"


def _text(words: list[str]) -> str:
    """The words as a text, or standard input. Raises UserErrorException for an empty one."""
    text = " ".join(words)
    if words == ["-"]:
        text = sys.stdin.buffer.read().decode("utf-8", "replace") if sys.stdin else ""
    text = text.strip("\n").rstrip()
    if not text:
        raise UserErrorException("The note is empty.", "To remove a note, use --remove.")
    return text


def _edited(old: str) -> str | None:
    """The note as it is saved in the user's editor; None for an empty one.

    Raises UserErrorException if the editor cannot be started, or fails.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="scriptrun-note-") as folder:
        path = Path(folder) / "NOTE.txt"
        path.write_text(old + "\n" if old else "", encoding="utf-8")
        try:
            code = subprocess.run([*shlex.split(editor), str(path)], check=False).returncode
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UserErrorException(
                f"Cannot start the editor {editor!r}: {reason}.",
                "Set EDITOR to a command that opens a file, or write: scriptrun note RUN TEXT",
            ) from None
        if code != 0:
            raise UserErrorException(
                f"The editor {editor!r} ended with exit code {code}; the note is unchanged.",
                "Set EDITOR to another one, or write: scriptrun note RUN TEXT",
            )
        text = path.read_bytes().decode("utf-8", "replace")
    return text.strip("\n").rstrip() or None

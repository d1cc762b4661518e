"""Open a run's folder in the file manager, or one of its files in its program.

NAME is a file or folder of the run, as `scriptrun show` lists them; a single word may be one of the
latest run. Without a display, in an SSH session, or with --print, prints the path instead.

examples:
  scriptrun open
  scriptrun open outputs/plot.png
  cd "$(scriptrun open --print RUN)"
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli import errors as cli_errors
from scriptrun.cli.terminal import output
from scriptrun.core.run import Run
from scriptrun.runs import details
from scriptrun.spec import suggestion
from scriptrun.spec.errors import UserErrorException
from scriptrun.tracking import artifacts

#: seconds to wait for a failure of the program that opens files
_PATIENCE = 5.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    common_arguments.run_argument(parser)
    add = parser.add_argument
    add("name", metavar="NAME", nargs="?", help="file or folder of the run (default: its folder)")
    add("-p", "--print", dest="print_only", action="store_true", help="only print the path")
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Open the folder or the file, or print its path; return the exit code."""
    selected, name = _select(args)
    path = _folder(selected) if name is None else _path_in(selected, name)
    problem = "" if args.print_only else _open(path)
    if problem:
        cli_errors.say(f"{problem}; printing the path.")
    if args.json:
        is_open = not args.print_only and not problem
        output.print_json({"run": selected.id, "path": str(path), "opened": is_open})
    elif args.print_only or problem:
        print(path)
    else:
        print(f"Opened {path}")
    return 0


def _select(args: argparse.Namespace) -> tuple[Run, str | None]:
    """The run and the name; a single word may also be a name in the latest run."""
    workspace = workspace_here.require()
    word = args.run_name
    if not word or args.name:
        return Run.find(workspace, word), args.name
    try:
        return Run.find(workspace, word), None
    except UserErrorException as error:
        latest = Run.find(workspace)
        if _find(latest, word) is not None:
            return latest, word
        near = suggestion.nearest(word, latest.get_file_names())
        if not near:
            raise
        hint = f"Did you mean the file {near[0]!r} of the latest run?"
        raise UserErrorException(error.message, hint) from None


def _folder(run: Run) -> Path:
    run.bring_home("outputs/")
    return run.path


def _path_in(run: Run, name: str) -> Path:
    """The path of a file or folder of the run; raises UserErrorException if it has none."""
    path = _find(run, name)
    if path is None:
        known = run.get_file_names()
        raise UserErrorException(
            f"Run {details.title(run)} has no file or folder {name!r}.",
            suggestion.hint(name, known, "Files"),
        )
    if not path.resolve().is_relative_to(run.path.resolve()):
        raise UserErrorException(
            f"{name!r} of run {details.title(run)} is a link to {str(path.resolve())!r}, "
            "outside the run.",
            "Open that path with another program.",
        )
    return path


def _find(run: Run, name: str) -> Path | None:
    """The path of the file or folder ``name`` of the run; None if there is none."""
    parts = Path(name).parts
    if not parts or ".." in parts or Path(name).is_absolute():
        return None
    run.bring_home(Path(name).as_posix())
    folder = run.path.joinpath(*parts)
    return folder if folder.is_dir() else artifacts.path_of(run.path, name)


def _open(path: Path) -> str:
    """Open ``path`` in the program for it; return why that is impossible, or ""."""
    if "SSH_CONNECTION" in os.environ or "SSH_TTY" in os.environ:
        return "This is an SSH session"
    if sys.platform == "win32":
        os.startfile(path)
        return ""
    if sys.platform == "darwin":
        return _start("open", path)
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "There is no display"
    return _start("xdg-open", path)


def _start(tool: str, path: Path) -> str:
    """Start the program that opens files; return why it failed, or ""."""
    import subprocess

    quiet = subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            [tool, str(path)], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
    except FileNotFoundError:
        return f"{tool} is not installed"
    except OSError as error:
        return f"Cannot start {tool}: {error.strerror}"
    try:
        code = process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        return ""  # the program itself, which stays open
    return f"{tool} failed with exit code {code}" if code else ""

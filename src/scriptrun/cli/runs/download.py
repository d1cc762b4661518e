"""Download a run's files.

NAME is a file or a path prefix, as `scriptrun show` lists them; the default is all of outputs/. A
single file keeps only its base name; several files keep their folders.

examples:
  scriptrun download RUN
  scriptrun download RUN outputs/model.pkl -o models
  scriptrun download outputs/plot.png
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli.terminal import output
from scriptrun.core.run import Run
from scriptrun.runs import details
from scriptrun.spec.control_characters import one_line
from scriptrun.spec.errors import UserErrorException
from scriptrun.tracking import artifacts


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    common_arguments.run_argument(parser)
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="file or path prefix (default: outputs/)"
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="destination folder (default: current directory)"
    )
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Download the files and return the exit code."""
    selected, name = _select(args)
    copied = _copy(selected, name, args.output or ".")
    if args.json:
        output.print_json({"files": [str(path) for path in copied]})
    else:
        for path in copied:
            print(one_line(str(path)))
    return 0


def _select(args: argparse.Namespace) -> tuple[Run, str | None]:
    """Return the run and the file name; a single word may also name a file of the latest run."""
    workspace = workspace_here.require()
    if args.run_name and not args.name:
        try:
            return Run.find(workspace, args.run_name), None
        except UserErrorException:
            latest = Run.find(workspace)
            if _matching_names(latest, args.run_name) or _is_unchanged(latest, args.run_name):
                return latest, args.run_name
            raise
    return Run.find(workspace, args.run_name), args.name


def _matching_names(run: Run, prefix: str) -> list[str]:
    return [name for name in run.get_file_names() if name.startswith(prefix)]


def _is_unchanged(run: Run, name: str) -> bool:
    """Whether the run found files of that name in its source and did not change them."""
    try:
        return bool(artifacts.unchanged_names(run.path, name))
    except UserErrorException:
        return False  # no name of a file


def _copy(run: Run, name: str | None, folder: str) -> list[Path]:
    run.bring_home("outputs/" if name is None else name)
    if name is not None and artifacts.path_of(run.path, name) is not None:
        return [artifacts.download(run.path, name, os.path.join(folder, ""))]
    prefix = "outputs/" if name is None else name
    if not _matching_names(run, prefix):
        if _is_unchanged(run, prefix):
            unchanged = artifacts.unchanged_names(run.path, prefix)
            raise UserErrorException(
                f"Run {details.title(run)} wrote no files below {prefix!r}: they are unchanged "
                "from its source directory.",
                f"To download one, give its name, for example {unchanged[0]}.",
            )
        names = ", ".join(run.get_file_names()[:5]) or "none"
        raise UserErrorException(
            f"Run {details.title(run)} has no files that match {prefix!r}.", f"Files: {names}."
        )
    return artifacts.download_all(run.path, prefix, folder)

"""Export a run or a .runconfig file to another system's format.

Lists on stderr whatever the format cannot express.

examples:
  scriptrun export --to shell
  scriptrun export RUN --to sbatch -o job.sbatch
  scriptrun export --config train.runconfig --to azureml-v2 -o job/
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli import errors as cli_errors
from scriptrun.cli.terminal import output
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.runtime import files
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.job import JobSpec
from scriptrun.spec.run_kinds import SWEEP
from scriptrun.submission import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: the values of --to
FORMATS = ("azureml-v2", "sbatch", "kubernetes", "docker", "podman", "shell")


def arguments(parser: Any) -> None:
    """Add the command's arguments."""
    common_arguments.run_argument(parser, "run to export")
    parser.add_argument("--to", required=True, choices=FORMATS, help="output format")
    parser.add_argument(
        "-c", "--config", metavar="FILE", help=".runconfig file to export instead of a run"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        help="output file, or folder for several files (default: stdout)",
    )
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Write the exported files and return the exit code."""
    formats = importlib.import_module("scriptrun.migration.formats")
    if args.config:
        made = formats.export(_of_config(args.config), args.to)
    else:
        made = _of_run(args, formats)
    if args.json:
        output.as_json({"files": made.files, "lost": made.lost})
        return 0
    for line in made.lost:
        cli_errors.say(f"not exported: {line}")
    if args.output:
        _write(made.files, Path(args.output))
    else:
        for number, (name, text) in enumerate(made.files.items()):
            print(text if not number else f"# {name}\n{text}", end="")
    return 0


def _of_run(args: argparse.Namespace, formats: Any) -> Any:
    found = common_arguments.run_of(args)
    lock = files.read_json(str(found.path / "environment.lock.json"))
    if found.job.kind == SWEEP:
        sweep = importlib.import_module("scriptrun.sweeps.record").read(found.path)
        return formats.export_sweep(sweep, args.to, lock)
    return formats.export(found.job, args.to, lock)


def _of_config(path: str) -> JobSpec:
    place = Path(path)
    configuration = RunConfiguration.load(str(place.parent), place.name)
    source = (
        place.parent.parent if place.parent.name in (".azureml", "aml_config") else place.parent
    )
    config = ScriptRunConfig(str(source), run_config=configuration)
    return check.check(config, workspace_here.here(), place.stem).job


def _write(made: dict[str, str], target: Path) -> None:
    folder = target if len(made) > 1 or target.is_dir() else target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in made.items():
            place = target if len(made) == 1 and not target.is_dir() else folder / name
            files.write_atomic(str(place), text.encode("utf-8"))
            print(place)
    except OSError as error:
        raise UserErrorException(f"Cannot write {str(target)!r}: {error.strerror}.") from None

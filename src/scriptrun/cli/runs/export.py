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
from scriptrun.preparation import environment_record
from scriptrun.runs import details
from scriptrun.runtime import disks, files, foreign_names
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.job import JobSpec
from scriptrun.spec.run_kinds import SERVICE, SWEEP
from scriptrun.store import document_limits
from scriptrun.submission import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from scriptrun.migration.formats.facts import ExportedJob

#: the values of --to
FORMATS = ("azureml-v2", "sbatch", "kubernetes", "docker", "podman", "shell")


def arguments(parser: argparse.ArgumentParser) -> None:
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
        exported = formats.export(_job_from_config(args.config), args.to)
    else:
        exported = _export_run(args, formats)
    if args.json:
        output.print_json({"files": exported.files, "lost": exported.lost})
        return 0
    for line in exported.lost:
        cli_errors.say(f"not exported: {line}")
    if args.output:
        _write(exported.files, Path(args.output))
    else:
        for number, (name, text) in enumerate(exported.files.items()):
            output.print_file(text if not number else f"# {name}\n{text}")
    return 0


def _export_run(args: argparse.Namespace, formats: ModuleType) -> ExportedJob:
    run = common_arguments.find_run(args)
    if run.job.kind == SERVICE:
        raise UserErrorException(
            f"Run {details.title(run)} is a service, and only jobs can be exported.",
            "To serve its models elsewhere, write a Dockerfile: Model.package(..., "
            "generate_dockerfile=True).",
        )
    lockfile = environment_record.read_recorded_lockfile(run.path)
    if run.job.kind == SWEEP:
        sweep = importlib.import_module("scriptrun.sweeps.record").read(run.path)
        exported: ExportedJob = formats.export_sweep(sweep, args.to, lockfile)
    else:
        exported = formats.export(run.job, args.to, lockfile)
    return exported


def _job_from_config(path: str) -> JobSpec:
    config_path = Path(path)
    if document_limits.is_stream(path):
        config_path = Path("config")  # its name, in the current directory
        configuration = RunConfiguration.load(path)
    else:
        configuration = RunConfiguration.load(str(config_path.parent), config_path.name)
    source = (
        config_path.parent.parent
        if config_path.parent.name in (".azureml", "aml_config")
        else config_path.parent
    )
    config = ScriptRunConfig(str(source), run_config=configuration)
    workspace = workspace_here.current()
    return check.check(config, workspace, config_path.stem, runs_here=False).job


def _write(contents: dict[str, str], target: Path) -> None:
    folder = target if len(contents) > 1 or target.is_dir() else target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            is_file = len(contents) == 1 and not target.is_dir()
            path = target if is_file else Path(foreign_names.join(folder, name, "The export"))
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_atomic(str(path), text.encode("utf-8"))
            print(path)
    except OSError as error:
        raise UserErrorException(
            f"Cannot write {str(target)!r}: {disks.describe(error, target)}."
        ) from None

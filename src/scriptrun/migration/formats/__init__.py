"""Export jobs to other systems' formats, and import their job files as ScriptRunConfigs."""

from __future__ import annotations

import importlib

from scriptrun.migration.formats.facts import ExportedJob
from scriptrun.spec import suggestion
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.job import JobSpec
from scriptrun.sweeps.record import Sweep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: the module and function that write each format
FORMATS = {
    "azureml-v2": ("v2", "command_job"),
    "sbatch": ("scripts", "sbatch"),
    "kubernetes": ("kubernetes", "manifest"),
    "docker": ("containers", "docker"),
    "podman": ("containers", "podman"),
    "shell": ("scripts", "shell"),
}


def export(job: JobSpec, form: str, lockfile: Json | None = None) -> ExportedJob:
    """Export ``job`` to the format ``form`` (a key of FORMATS).

    With ``lockfile`` (the environment's lockfile), packages are pinned. ``lost`` of the result
    lists what the format cannot express. Raises UserErrorException for an unknown format.
    """
    if form not in FORMATS:
        raise UserErrorException(
            f"Unknown format {form!r}.",
            suggestion.hint(form, FORMATS, "Valid formats"),
        )
    module, name = FORMATS[form]
    write = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    exported: ExportedJob = write(job, lockfile)
    return exported


def export_sweep(sweep: Sweep, form: str, lockfile: Json | None = None) -> ExportedJob:
    """Export a sweep to the format ``form``, like ``export``.

    Raises UserErrorException for all formats but azureml-v2: they do not support sweeps.
    """
    if form != "azureml-v2":
        raise UserErrorException(
            f"Cannot export a sweep as {form}.",
            "Use azureml-v2, or export one of its runs (see `scriptrun sweep show`).",
        )
    exported: ExportedJob = importlib.import_module(f"{__name__}.sweeps").sweep_job(sweep, lockfile)
    return exported

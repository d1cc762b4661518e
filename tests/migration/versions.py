"""Both versions of a program side by side: what becomes of it, and the jobs that each says."""

from __future__ import annotations

import warnings

from scriptrun.cli import migrate
from scriptrun.config import describe
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.migration import rewrite_file
from scriptrun.migration.proof import prove
from scriptrun.spec.errors import ScriptrunError


def migrated(text: str, to: str = "azureml", path: str = "submit.py") -> rewrite_file.Outcome:
    """What becomes of the program ``text``."""
    return rewrite_file.rewrite_content(path, text.encode(), to, migrate.alternative)


def jobs(text: str) -> dict[str, dict]:
    """What each ScriptRunConfig or Estimator that a program leaves in a variable says."""
    space = {"__name__": "program"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(text, "program", "exec"), space)
    found = {}
    for name, value in space.items():
        if hasattr(value, "to_script_run_config") and not isinstance(value, type):
            value = value.to_script_run_config()
        if isinstance(value, ScriptRunConfig):
            found[name] = said(value)
    return found


def said(config: ScriptRunConfig) -> dict:
    """A configuration as the job it stands for, without what no two submissions share."""
    try:
        described = describe.describe(config)
    except ScriptrunError as error:
        return {"refused": str(error)}
    job = described.as_dict()
    job["target"] = str(job["target"])
    job["environment"] = described.environment.as_dict()
    job["distribution"] = described.distribution.as_dict()
    return prove.comparable({"id": "no id at all", **job})

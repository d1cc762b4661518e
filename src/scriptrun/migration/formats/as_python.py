"""A ScriptRunConfig as the Python that makes it."""

from __future__ import annotations

from typing import Any

from scriptrun.config.conda_dependencies import conda_name
from scriptrun.config.images import is_azure_image
from scriptrun.config.script_run_config import ScriptRunConfig


def code(config: ScriptRunConfig, experiment: str) -> str:
    """A script that submits ``config`` to ``experiment``."""
    run = config.run_config
    lines, names = _environment(run.environment)
    words: dict[str, Any] = {
        "source_directory": config.source_directory,
        "script": config.script,
        "arguments": config.arguments,
        "command": config.command,
        "compute_target": getattr(run.target, "name", run.target),
        "distributed_job_config": config.distributed_job_config,
        "max_run_duration_seconds": run.max_run_duration_seconds,
    }
    shown = [f"    {name}={value!r}," for name, value in words.items() if value]
    if config.distributed_job_config is not None:
        names.add(type(config.distributed_job_config).__name__)
    if lines:
        shown.append("    environment=environment,")
    after = _more(run, names)
    imported = ", ".join(sorted({"Experiment", "ScriptRunConfig", "Workspace", *names}))
    references = "from scriptrun.config.data_sections import DataReferenceConfiguration"
    more = [references] if run.data_references else []
    body = [f"from scriptrun import {imported}", *more, "", "ws = Workspace.from_config()", *lines]
    body += ["config = ScriptRunConfig(", *shown, ")", *after]
    body += [f"run = Experiment(ws, {experiment!r}).submit(config)", "run.wait_for_completion()"]
    return "\n".join(body) + "\n"


def _environment(environment: Any) -> tuple[list[str], set[str]]:
    conda = environment.python.conda_dependencies
    lines = [f"environment = Environment({environment.name!r})"]
    if environment.python.user_managed_dependencies:
        lines.append("environment.python.user_managed_dependencies = True")
    else:
        made = {
            "conda_packages": [each for each in conda.conda_packages if not _is_python(each)],
            "pip_packages": list(conda.pip_packages),
            "python_version": conda.get_python_version(),
        }
        given = ", ".join(f"{name}={value!r}" for name, value in made.items() if value)
        lines.append(f"environment.python.conda_dependencies = CondaDependencies.create({given})")
    if not is_azure_image(environment.docker.base_image):
        lines.append(f"environment.docker.base_image = {environment.docker.base_image!r}")
    names = {"CondaDependencies"} if any("CondaDependencies" in line for line in lines) else set()
    return lines, {"Environment", *names}


def _reference(each: Any) -> str:
    words = {
        "datastore_name": each.data_store_name,
        "mode": each.mode,
        "path_on_datastore": each.path_on_data_store,
        "path_on_compute": each.path_on_compute,
    }
    given = ", ".join(f"{name}={value!r}" for name, value in words.items() if value is not None)
    return f"DataReferenceConfiguration({given})"


def _is_python(spec: str) -> bool:
    return conda_name(spec) == "python"


def _more(run: Any, names: set[str]) -> list[str]:
    lines = []
    if run.data_references:
        lines += ["config.run_config.data_references = {"]
        lines += [
            f"    {name!r}: {_reference(each)}," for name, each in run.data_references.items()
        ]
        lines += ["}"]
    if run.environment_variables:
        lines.append(f"config.run_config.environment_variables = {run.environment_variables!r}")
    if run.docker.use_docker:
        names.add("DockerConfiguration")
        given = {"use_docker": True, "shm_size": run.docker.shm_size}
        given["arguments"] = list(run.docker.arguments or ())
        text = ", ".join(f"{name}={value!r}" for name, value in given.items() if value)
        lines.append(f"config.run_config.docker = DockerConfiguration({text})")
    return lines

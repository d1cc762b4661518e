"""Asking conda what an environment on this machine holds."""

from __future__ import annotations

from scriptrun.config import yaml_text
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.hints import Any

_TOOLS = ("conda", "mamba", "micromamba")


def of_environment(name: str) -> dict[str, Any] | None:
    """What ``conda env export`` tells of the environment ``name``; None where there is no such one.

    Raises EnvironmentException where no conda is on PATH.
    """
    import shutil
    import subprocess

    tool = next((found for each in _TOOLS if (found := shutil.which(each))), None)
    if tool is None:
        raise EnvironmentException(
            f"The conda environment {name!r} cannot be read: no conda or mamba is on PATH.",
            "Put conda on PATH, or use Environment.from_conda_specification with a file.",
        )
    command = [tool, "env", "export", "-n", name, "--no-builds"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None
    content: dict[str, Any] = yaml_text.plain(yaml_text.load(done.stdout, "conda env export"))
    return {key: content[key] for key in ("name", "dependencies", "channels") if key in content}

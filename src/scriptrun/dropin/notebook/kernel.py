"""A Jupyter kernel that provides ``azureml``, so that notebooks run unchanged.

A kernel is a directory with ``kernel.json`` below Jupyter's data directory
(https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs).
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

from scriptrun.spec.errors import UserErrorException

NAME = "scriptrun-azureml"
_START = (
    "import scriptrun.dropin; from ipykernel.kernelapp import launch_new_instance as launch; "
    "launch()"
)


def install() -> Path:
    """Install the kernel for this Python and return its directory.

    Raises UserErrorException if ipykernel is not installed.
    """
    if importlib.util.find_spec("ipykernel") is None:
        raise UserErrorException(
            "The kernel requires the package ipykernel in scriptrun's own environment.",
            f"Run: {sys.executable} -m pip install ipykernel",
        )
    folder = data_directory() / "kernels" / NAME
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "argv": [sys.executable, "-c", _START, "-f", "{connection_file}"],
        "display_name": "Azure ML SDK v1 (scriptrun)",
        "language": "python",
        "metadata": {"debugger": True},
    }
    (folder / "kernel.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    return folder


def data_directory() -> Path:
    """Return Jupyter's data directory of the user."""
    configured = os.environ.get("JUPYTER_DATA_DIR")
    if configured:
        return Path(configured)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Jupyter"
    if os.name == "nt":
        return Path(os.environ.get("APPDATA", Path.home())) / "jupyter"
    data_home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data_home) / "jupyter"

"""A Jupyter kernel that provides ``azureml``, so that notebooks run unchanged.

A kernel is a directory with ``kernel.json`` below Jupyter's data directory
(https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs).
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from pathlib import Path

from scriptrun.spec.errors import UserErrorException

NAME = "scriptrun-azureml"
_START = (
    "from scriptrun.dropin.notebook import kernel; "
    "from ipykernel.kernelapp import launch_new_instance as launch; "
    "launch(exec_lines=kernel.FIRST_LINES)"
)
#: what the kernel runs before the first cell
FIRST_LINES = [
    "from scriptrun.dropin import child_processes as _children",
    "from scriptrun.dropin.notebook import old_ipython as _old",
    "_children.prepare(); _old.restore(); del _children, _old",
    "from scriptrun.dropin.notebook.kernel import skip_azureml_installs as _skip",
    "get_ipython().input_transformers_post.append(_skip); del _skip",
]
_SHELL_CALL = re.compile(r"get_ipython\(\)\.(?:system|getoutput|run_line_magic)\(.*\)")
_INSTALLS_AZUREML = re.compile(r"\b(?:pip3?|conda|mamba|uv)\b.*\binstall\b.*\bazureml\b")


def install() -> Path:
    """Install the kernel for this Python and return its directory.

    Raises UserErrorException if ipykernel is not installed.
    """
    if importlib.util.find_spec("ipykernel") is None:
        raise UserErrorException(
            "The kernel requires the package ipykernel in scriptrun's own environment.",
            f"Run: {sys.executable} -m pip install 'scriptrun[notebook]'",
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


def skip_azureml_installs(lines: list[str]) -> list[str]:
    """Replace the calls that install azureml packages with a note: scriptrun provides them.

    ``lines`` are those of a cell as IPython has transformed it.
    """
    return [
        _SHELL_CALL.sub(_note, line) if _INSTALLS_AZUREML.search(line) else line for line in lines
    ]


def _note(call: re.Match[str]) -> str:
    return f"print({f'scriptrun: skipped {call[0]} (scriptrun provides azureml)'!r})"

"""Writes notebooks and runs them with ``scriptrun exec``, with IPython and without."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

#: hides IPython from the command
WITHOUT_IPYTHON = (
    "import sys; sys.modules['IPython'] = None\n"
    "from scriptrun.cli import main; sys.exit(main(sys.argv[1:]))"
)
BOTH = pytest.mark.parametrize("ipython", [True, False], ids=["ipython", "small-shell"])


def notebook(path, *sources, tags=None):
    cells = [
        {"cell_type": "markdown", "source": ["# a title"]},
        {"cell_type": "raw", "source": "!"},
    ]
    cells += [
        {
            "cell_type": "code",
            "source": text.splitlines(True),
            "metadata": {"tags": (tags or {}).get(number, [])},
        }
        for number, text in enumerate(sources, 1)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"nbformat": 4, "nbformat_minor": 2, "metadata": {}, "cells": cells})
    )
    return path


def command(path, ipython=True):
    start = ["-m", "scriptrun"] if ipython else ["-c", WITHOUT_IPYTHON]
    return [sys.executable, *start, "exec", str(path)]


def run(path, ipython=True, stdin=""):
    return subprocess.run(command(path, ipython), capture_output=True, text=True, input=stdin)

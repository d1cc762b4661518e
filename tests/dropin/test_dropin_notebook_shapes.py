"""Ten notebooks of the shapes that public ones have, run whole by ``scriptrun exec``."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from notebook_shapes import SHAPES

from scriptrun.dropin import scan


def write(path, cells, tags=None):
    content = [
        {
            "cell_type": "code",
            "source": text.splitlines(True),
            "metadata": {"tags": (tags or {}).get(number, [])},
        }
        for number, text in enumerate(cells, 1)
    ]
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 2, "cells": content}))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_a_notebook_runs_whole(tmp_path, monkeypatch, name):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    shape = SHAPES[name]
    facts = {"subscription_id": "s-1", "resource_group": "group", "workspace_name": "old-ws"}
    (tmp_path / "config.json").write_text(json.dumps(facts))
    for file, content in shape.get("files", {}).items():
        if isinstance(content, str):
            (tmp_path / file).write_text(content)
        else:
            write(tmp_path / file, content)
    path = write(tmp_path / "book.ipynb", shape["cells"], shape.get("tags"))
    assert not scan.check(str(path))
    command = [sys.executable, "-m", "scriptrun", "exec", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    for text in shape["printed"]:
        assert text in done.stdout, done.stdout + done.stderr
    for text in shape["said"]:
        assert text in done.stderr, done.stderr
    assert "Traceback" not in done.stderr or "tags" in shape, done.stderr

"""What the machine lacks: a skip with its reason, and under CI a failure."""

from __future__ import annotations

import os

import pytest


def lacking(what):
    if os.environ.get("CI") == "true":
        pytest.fail(f"under CI this must run, and {what}")
    pytest.skip(what)

"""What tests of sweeps share."""

from __future__ import annotations

import pytest
from tuning import Tuner


@pytest.fixture
def tuner(tmp_path):
    return Tuner(tmp_path)

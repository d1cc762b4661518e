"""What tests of services share: a workspace whose services all end with the test."""

from __future__ import annotations

import pytest
from service_bench import ServiceBench


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    bench = ServiceBench(tmp_path)
    yield bench
    bench.end()

"""Old releases whose metadata uv refuses can be locked and installed."""

from __future__ import annotations

from wheel_making import make_wheel

from scriptrun.environments.ensure import ensure
from scriptrun.environments.uv import metadata_overrides


def test_a_release_with_unreadable_requirements_is_installed(wheels, request_of, locks, said):
    make_wheel(wheels, "numpy", "1.16.0")
    make_wheel(wheels, "pytz", "2019.1")
    make_wheel(wheels, "python_dateutil", "2.8.0")
    make_wheel(wheels, "pandas", "0.24.2", needs=("pytz (>=2011k)",))
    ready = ensure(request_of("pandas==0.24.2"), locks, said.append)
    assert "pandas==0.24.2" in ready.lock["requirements"]
    assert "pytz==2019.1" in ready.lock["requirements"]


def test_each_version_is_stated():
    assert 'name = "pandas"\nversion = "0.23.4"' in metadata_overrides.settings()
